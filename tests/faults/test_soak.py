"""An hour of faults in real time: ``pytest -m realtime tests/faults/test_soak.py -s``.

From the environment come ``SOAK_MINUTES`` (60), ``SOAK_EVERY_S`` (60, from one fault to the next),
``SOAK_SEED`` (1) and ``SOAK_FOLDER`` (a temporary one): lake, diary, logs and report are there.
"""

import json
import os
from dataclasses import asdict
from pathlib import Path

import pytest

from tests.faults.soak import Soak, run
from tests.faults.soak_faults import faults
from tests.faults.soak_report import report

MINUTES = float(os.environ.get("SOAK_MINUTES", "60"))
EVERY_S = float(os.environ.get("SOAK_EVERY_S", "60"))
SEED = int(os.environ.get("SOAK_SEED", "1"))
FOLDER = os.environ.get("SOAK_FOLDER")


@pytest.mark.realtime
@pytest.mark.timeout(MINUTES * 60 + 900)
def test_whatever_happens_no_row_is_lost_none_is_twice_and_none_is_invented(
    tmp_path: Path,
) -> None:
    folder = Path(FOLDER) if FOLDER else tmp_path
    folder.mkdir(parents=True, exist_ok=True)
    with Soak(folder, SEED) as soak:
        run(soak, MINUTES, faults(SEED, MINUTES), every_s=EVERY_S)
        told = report(soak, MINUTES, SEED)
    windows = [asdict(window) | {"blind": window.blind.name} for window in soak.windows]
    (folder / "report.json").write_text(json.dumps(asdict(told) | {"windows": windows}, indent=2))
    (folder / "report.txt").write_text(told.as_text() + "\n")
    print(f"\n{told.as_text()}\n  in {folder}")
    assert (told.status, told.verify_status, told.findings) == (0, 0, [])
    assert (told.lost, told.twice, told.invented, told.stale) == (0, 0, 0, 0)
    assert told.unexplained == 0
    assert told.expected == told.known + told.unknown + told.missed + told.absent
    assert told.memory_end_mb <= 1.2 * told.memory_early_mb
