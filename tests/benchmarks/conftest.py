"""A lake of a year, made once for each format; it takes some minutes and up to 1.5 GB of disk."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bitso_spread.lake.compaction import compact
from bitso_spread.lake.layout import TABLE
from bitso_spread.lake.reader import Lake
from tests.benchmarks.lakes import grow
from tests.benchmarks.measure import say

DAYS = 365
WEEK = range(178, 185)
"""The days that are asked for; the day is the one in their middle."""


@dataclass(frozen=True, slots=True)
class Lakes:
    """Two books' lakes of one format, of which what is asked for is the same."""

    form: str
    year: Path
    three_days: Path


@pytest.fixture(scope="session", params=["csv", "parquet"])
def lakes(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Lakes]:
    form = str(request.param)
    folder = tmp_path_factory.mktemp(form)
    made = Lakes(form, folder / "year", folder / "three-days")
    # Of text, the days that no question is about are links: what is in them does not matter.
    grow(made.year, form, range(DAYS), own=WEEK if form == "csv" else None)
    grow(made.three_days, form, WEEK[2:5])
    yield made
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def compacted(lakes: Lakes) -> Path:
    """The lake of a year with its days compacted; the other one stays as it is."""
    root = lakes.year.with_name("compacted")
    root.mkdir()
    (root / TABLE).symlink_to(lakes.year / TABLE)
    start = time.perf_counter()
    days = compact(Lake(root))
    seconds = time.perf_counter() - start
    assert len(days) == 2 * DAYS
    files, size = sum(day.files for day in days), sum(day.bytes for day in days)
    say(
        f"a year compacted in {seconds:.0f} s: {files:,} files into {len(days)} of "
        f"{size / 1e6:.0f} MB"
    )
    return root
