"""An import that is stopped anywhere: each second stays there once, the next one completes it."""

from __future__ import annotations

import os
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from bitso_spread.errors import LakeError
from bitso_spread.lake import layout
from bitso_spread.lake.audit import audit
from bitso_spread.lake.findings import Kind
from bitso_spread.lake.importing import importer
from bitso_spread.lake.layout import TABLE, state_file
from bitso_spread.lake.reader import Lake
from bitso_spread.lake.state import LakeState
from bitso_spread.lake.table import Table
from tests.lake.audit_support import record
from tests.lake.import_support import a_source, bids, blank, bring, in_lake, priced, rows_from
from tests.lake.stops import KilledError, Steps, When, full
from tests.lake.support import DAY, NOON, eventually, python, table_files, table_rows

STEPS: list[tuple[Any, str]] = [
    (Path, "hardlink_to"),
    (Path, "replace"),
    (Path, "unlink"),
    (os, "fsync"),
    (LakeState, "record"),
    (LakeState, "stage"),
    (LakeState, "finish"),
    (LakeState, "intend"),
    (LakeState, "replaced"),
    (Path, "write_bytes"),
    (LakeState, "arrived"),
    (LakeState, "forget"),
]
"""What an import does to the lake's disk and journal."""
WHEN: tuple[When, ...] = ("before", "after")

HELD = [blank(NOON), priced(NOON + 1), blank(NOON + 2), priced(NOON + 3)]
BETTER = [priced(NOON, 101), priced(NOON + 2, 102), priced(NOON + 4, 104)]
BEFORE = bids(HELD)
AFTER = {**BEFORE, **bids(BETTER)}


def test_stopped_at_any_step_each_second_is_there_once_and_the_next_import_completes_it(
    tmp_path: Path,
) -> None:
    source = a_source(tmp_path, BETTER)
    seen = []
    for number in count(1):
        lake = tmp_path / str(number)
        record(lake, HELD)
        steps = Steps(STEPS, number)
        try:
            with steps.watched():
                bring(lake, source, merge=True)
        except LakeError as error:
            assert "No space left on device; import again" in str(error)  # noqa: PT017  (it need not come)
        stands = in_lake(lake)
        assert all(stands[tick] in {BEFORE[tick], AFTER[tick]} for tick in BEFORE)
        seen.append(stands == AFTER)
        bring(lake, source, merge=True)
        assert in_lake(lake) == AFTER
        assert audit(Lake(lake)).findings == ()
        assert list(layout.staging_folder(lake, TABLE).iterdir()) == []
        with LakeState(state_file(lake, TABLE)) as state:
            assert (state.intended("btc_mxn"), state.batches()) == ([], [])
        if steps.ended:
            break
    assert seen.count(False) > 8
    assert seen[-1]


def test_a_replacement_that_was_not_noted_any_more_is_noted_by_the_next_collection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object, **__: object) -> None:
        raise full()

    lake = tmp_path / "lake"
    record(lake, HELD)
    with monkeypatch.context() as patch:
        patch.setattr(LakeState, "replaced", crash)
        with pytest.raises(LakeError, match="import again"):
            bring(lake, a_source(tmp_path, BETTER), merge=True)
    assert [finding.kind for finding in audit(Lake(lake)).findings] == [Kind.CHANGED]
    with Table(lake) as table:
        table.lock(["btc_mxn"])
        table.recover(lambda *_: None)
    assert audit(Lake(lake)).findings == ()


def test_a_replacement_that_did_not_come_about_is_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> None:
        raise full()

    lake = tmp_path / "lake"
    record(lake, HELD)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", crash)
        with pytest.raises(LakeError, match="import again"):
            bring(lake, a_source(tmp_path, BETTER), merge=True)
    assert (in_lake(lake), audit(Lake(lake)).findings) == (BEFORE, ())
    with Table(lake) as table:
        table.recover(lambda *_: None)
    with LakeState(state_file(lake, TABLE)) as state:
        assert state.intended("btc_mxn") == []
    assert audit(Lake(lake)).findings == ()


@pytest.mark.timeout(600)  # dozens of imports
@pytest.mark.parametrize("when", WHEN)
def test_stopped_at_any_step_of_a_day_of_files_the_next_import_or_collection_completes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: When
) -> None:
    monkeypatch.setattr(importer, "BATCH_TICKS", 2)
    rows = [*rows_from(NOON, 3), *rows_from(DAY + 86_400, 1)]
    source = a_source(tmp_path, rows)
    seen = set()
    for number in count(1):
        lake = tmp_path / str(number)
        steps = Steps(STEPS, number, when, KilledError)
        with suppress(KilledError), steps.watched():
            bring(lake, source)
        found = in_lake(lake) if table_files(lake) else {}
        assert found.items() <= bids(rows).items()
        # Not even a folder without its file is left, as far as an audit can tell.
        assert not lake.exists() or audit(Lake(lake)).findings == ()
        with Table(lake) as collector:
            collector.lock(["btc_mxn"])
            collector.recover(lambda *_: None)
            marks = collector.marks()
        recovered = in_lake(lake) if table_files(lake) else {}
        assert found.items() <= recovered.items() <= bids(rows).items()
        assert marks == ({"btc_mxn": max(recovered)} if recovered else {})
        seen.add((len(found), len(recovered)))
        with LakeState(state_file(lake, TABLE)) as state:
            assert (state.announced(), state.unfinished()) == ([], [])
            assert len(state.files()) == len(table_files(lake))
        staging = layout.staging_folder(lake, TABLE)
        assert not staging.exists() or list(staging.iterdir()) == []
        bring(lake, source)
        assert in_lake(lake) == bids(rows)
        if steps.ended:
            break
    # Nothing yet; whole but in no place; some in their places, all after; one day; both.
    assert seen >= {(0, 0), (0, 3), (2, 3), (3, 3), (3, 4), (4, 4)}


IMPORT = """
import sys, time
from pathlib import Path
from bitso_spread.lake.importing import importer
from tests.lake.import_support import NOW
importer.BATCH_TICKS = 20
left, link = int(sys.argv[3]), Path.hardlink_to
def hardlink_to(path, target):
    # It is killed in the midst of a day's files.
    global left
    if not left:
        time.sleep(600)
    left -= 1
    link(path, target)
Path.hardlink_to = hardlink_to
importer.import_rows([sys.argv[1]], sys.argv[2], merge=True, now=lambda: NOW)
"""
KILLS = 3


def test_what_a_kill_interrupts_is_in_the_table_once_in_the_end(tmp_path: Path) -> None:
    lake, midnight = tmp_path / "lake", DAY + 86_400
    rows = [row for book in ("a_b", "btc_mxn") for row in rows_from(midnight - 1000, 2000, book)]
    record(lake, [blank(midnight - 7 + i) for i in range(5)])
    source = a_source(tmp_path, rows)
    for number in range(KILLS):
        files = 1 + 50 * number
        # What the one before has left comes first: 40 files.
        with python(IMPORT, source, lake, 50 if number else 10) as child:
            eventually(lambda least=files: len(table_files(lake)) > least, within=60)  # type: ignore[misc]
            child.kill()
        found = table_rows(lake)
        assert set(found.values()) == {1}
        assert len(found) < len(rows)
    done = bring(lake, source, merge=True)
    assert (done.refused, done.there + done.taken + done.replaced) == ({}, len(rows))
    assert in_lake(lake) == bids(row for row in rows if row.book == "btc_mxn")
    assert in_lake(lake, "a_b") == bids(row for row in rows if row.book == "a_b")
    assert audit(Lake(lake)).findings == ()
