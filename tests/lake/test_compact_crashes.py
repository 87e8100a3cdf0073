"""A compaction that is killed at any of its steps: each row is there once, before and after."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from bitso_spread.lake import compaction, daily, layout
from bitso_spread.lake.audit import audit
from bitso_spread.lake.layout import TABLE
from bitso_spread.lake.pruning import KEYS
from bitso_spread.lake.reader import Lake
from bitso_spread.lake.state import LakeState
from tests.lake.compact_support import batch, compacted, daily_files, sorted_rows, sources
from tests.lake.stops import KilledError, Steps, When

STEPS: list[tuple[object, str]] = [
    (Path, "mkdir"),
    (Path, "open"),
    (Path, "replace"),
    (Path, "unlink"),
    (Path, "rmdir"),
    (os, "fsync"),
    (LakeState, "note_daily"),
    (LakeState, "settle_daily"),
    (compaction, "encoded"),
    (compaction, "compare"),
    (daily, "sources_in"),
]
"""Everything that compacting does to the disk and to the journal, and what lies between."""


def killed(lake: Path, steps: Steps, **options: Any) -> None:
    with steps.watched():
        try:
            compacted(lake, **options)
        except KilledError:
            return


def rows(lake: Path) -> list[tuple[Any, ...]]:
    """The rows in order, as they are read."""
    return Lake(lake).read().rows()


def assert_all_agree_on(lake: Path, expected: list[tuple[Any, ...]]) -> None:
    assert rows(lake) == expected
    scanned = Lake(lake).scan().filter(pl.col("minutes") < 1440).drop(KEYS).collect()
    assert sorted_rows(scanned) == sorted(expected, key=repr)
    report = audit(Lake(lake))
    assert report.findings == ()
    assert sum(day.known + day.unknown for day in report.days) == len(expected)


def a_day(lake: Path) -> None:
    for minutes in (0, 10, 20):
        batch(lake, minutes)


def late_files(lake: Path) -> None:
    """Two come to a day that is compacted: one of them into a partition that there is."""
    a_day(lake)
    compacted(lake)
    batch(lake, 10, start=50, name="part-late.csv", rows=2)
    batch(lake, 30)


def one_more_after_a_prune(lake: Path) -> None:
    a_day(lake)
    compacted(lake, prune=True)
    batch(lake, 10, start=50, name="part-late.csv", rows=2)


@pytest.mark.parametrize(
    ("made", "prune", "when"),
    [
        (a_day, True, "before"),
        (late_files, True, "after"),
        (one_more_after_a_prune, False, "after"),
    ],
)
def test_killed_at_any_step_no_row_is_lost_or_doubled(
    tmp_path: Path, made: Callable[[Path], None], prune: bool, when: When
) -> None:
    made(tmp_path / "made")
    expected = rows(tmp_path / "made")
    assert len(expected) == len({row[0] for row in expected}) >= 15
    for number in count(1):
        lake = tmp_path / str(number)
        shutil.copytree(tmp_path / "made", lake)
        killed(lake, steps := Steps(STEPS, number, when, KilledError), prune=prune)
        assert_all_agree_on(lake, expected)
        compacted(lake, prune=prune)
        assert rows(lake) == expected
        assert len(daily_files(lake)) == 1
        assert not prune or sources(lake) == []
        assert not list(layout.stale_folder(lake, TABLE).rglob("*.*"))
        assert list(layout.staging_folder(lake, layout.DAILY_TABLE).iterdir()) == []
        if steps.ended:
            break
    assert number > 10
