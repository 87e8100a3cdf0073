"""A query of a real lake, as a process: how much more it takes than starting polars.

One book and date of the lake that the predecessor wrote: 600 rows in one of its files.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.benchmarks.measure import BITSO_SPREAD, PYTHON, by_turns, process, say

pytestmark = pytest.mark.benchmark


def test_a_query_takes_little_more_than_importing_typer_and_polars(shared: Path) -> None:
    lake = shared / "lake-2024-07-26"
    if not lake.is_dir():
        pytest.skip(f"there is no {lake.name}")
    query = [BITSO_SPREAD, "query", "--lake", str(lake), "--date", "20240726", "--book", "btc_mxn"]
    rows = subprocess.run(query, capture_output=True, check=True).stdout.splitlines()
    assert len(rows) == 601

    seen = by_turns(process(query), process([PYTHON, "-c", "import typer, polars"]), turns=15)
    times = 1 / seen.ratio
    say(
        f"query of 600 rows: {seen.ours_s * 1000:.0f} ms (under 500); import of typer and "
        f"polars: {seen.alternative_s * 1000:.0f} ms; {times:.2f} times (at most 1.6)"
    )
    assert times <= 1.6
