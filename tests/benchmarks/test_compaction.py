"""Compacting a day of one book, against its files read at once and written as one.

The alternative makes the same file, or nearly: instants in UTC, prices as numbers, zstd. Ours also
keeps where each row came from and a checksum of each source, and syncs what it writes.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import polars as pl
import pytest

from bitso_spread.clock import DAY_S
from bitso_spread.lake.compaction import Compactor, Outcome
from bitso_spread.lake.layout import DAILY_TABLE
from bitso_spread.lake.reader import Lake
from tests.benchmarks.lakes import date_of, files_of, grow
from tests.benchmarks.measure import by_turns, say
from tests.benchmarks.readers import BOOK, typed

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(300)]


def test_a_day_is_compacted_in_little_more_than_it_takes_to_copy(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    grow(lake, "csv", [0])
    files = files_of(lake, "csv", [BOOK], [0])

    def copied() -> float:
        start = time.perf_counter()
        typed("csv", files).collect().write_parquet(tmp_path / "day.parquet", compression="zstd")
        return time.perf_counter() - start

    with Compactor(Lake(lake)) as compactor:

        def compacted() -> float:
            shutil.rmtree(lake / DAILY_TABLE, ignore_errors=True)
            start = time.perf_counter()
            day = compactor.day(BOOK, date_of(0))
            seconds = time.perf_counter() - start
            assert (day.outcome, day.files, day.rows) == (Outcome.MADE, len(files), DAY_S)
            return seconds

        seen = by_turns(compacted, copied, turns=21)
    times = 1 / seen.ratio
    say(
        f"a day compacted: {DAY_S / seen.ours_s:,.0f} rows a second; its files read and written as "
        f"one: {DAY_S / seen.alternative_s:,.0f}; {times:.2f} times as long (at most 1.5)"
    )
    assert pl.read_parquet(tmp_path / "day.parquet").height == DAY_S
    assert times <= 1.5
