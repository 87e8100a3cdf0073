"""``compact --lake s3://…``: days of a lake in object storage, and what goes wrong meanwhile."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from bitso_spread.cloud.compaction import compact, compact_day
from bitso_spread.cloud.objects import ObjectStore
from bitso_spread.cloud.version import Version
from bitso_spread.errors import LakeError
from bitso_spread.lake.compaction import CompactedDay, Outcome
from bitso_spread.lake.layout import DAILY_TABLE, TABLE
from bitso_spread.lake.reader import Lake
from tests.cli.support import Run
from tests.cloud.conftest import S3
from tests.cloud.half_support import an_uploader, finish
from tests.lake.compact_support import DATES, TODAY, batch, sorted_rows
from tests.lake.stops import KilledError, Steps, When
from tests.lake.support import DAY, a_batch, rows_of

STEPS: list[tuple[Any, str]] = [
    (ObjectStore, "put_new"),
    (ObjectStore, "replace"),
    (ObjectStore, "delete"),
]


@pytest.fixture
def lake(tmp_path: Path, s3: S3) -> Path:
    """Two days of a book, of three files each, on the disk and in the store."""
    folder = tmp_path / "lake"
    for day in (0, 1):
        for minutes in (0, 10, 1439):
            batch(folder, minutes, day=day)
    s3.copy(folder)
    return folder


def compacted(s3: S3, **options: Any) -> list[CompactedDay]:
    failed: list[object] = []

    def note(_done: int, _of: int, found: object) -> None:
        if not isinstance(found, CompactedDay):
            failed.append(found)

    days = compact(Lake(s3.url), today=TODAY, on_day=note, **options)
    assert failed == []
    return days


def keys_of(s3: S3, table: str) -> list[str]:
    return [found.key for found in s3.store().objects(table)]


def rows_of_store(s3: S3) -> Any:
    return sorted_rows(Lake(s3.url).read())


def test_a_day_is_one_object_and_answers_stay_the_same(lake: Path, s3: S3) -> None:
    before = sorted_rows(Lake(lake).read())
    days = compacted(s3)
    assert [(day.date, day.outcome, day.files, day.rows) for day in days] == [
        (20260921, Outcome.MADE, 3, 15),
        (20260922, Outcome.MADE, 3, 15),
    ]
    assert len(keys_of(s3, DAILY_TABLE)) == 2
    assert len(keys_of(s3, TABLE)) == 6
    assert rows_of_store(s3) == before
    assert [day.outcome for day in compacted(s3)] == [Outcome.KEPT] * 2


def test_pruned_files_are_deleted_and_answers_stay_the_same(lake: Path, s3: S3) -> None:
    before = sorted_rows(Lake(lake).read())
    days = compacted(s3, prune=True, date="2026-09-21")
    assert [day.deleted for day in days] == [3]
    assert len(keys_of(s3, TABLE)) == 3
    assert rows_of_store(s3) == before
    assert [day.deleted for day in compacted(s3, prune=True)] == [0, 3]
    assert keys_of(s3, TABLE) == []
    assert rows_of_store(s3) == before
    assert [day.outcome for day in compacted(s3)] == [Outcome.KEPT] * 2


@pytest.mark.parametrize("when", ["before", "after"])
def test_stopped_at_any_step_no_row_is_lost_and_none_is_doubled(
    lake: Path, s3: S3, when: When
) -> None:
    before = sorted_rows(Lake(lake).read())
    for stop_at in range(1, 30):
        steps = Steps(STEPS, stop_at, when, KilledError)
        with steps.watched():
            try:
                compacted(s3, prune=True)
            except KilledError:
                assert rows_of_store(s3) == before
                continue
        break
    assert stop_at > 3
    assert rows_of_store(s3) == before
    assert keys_of(s3, TABLE) == []


def test_files_that_come_late_are_read_and_compacted_the_next_time(
    lake: Path, s3: S3, tmp_path: Path
) -> None:
    compacted(s3, prune=True)
    late = a_batch("btc_mxn", DAY + 600 + 5)  # a partition that the day has already
    finish(tmp_path / "half", (late, [row for _, row in rows_of(late)]))
    an_uploader(s3, tmp_path / "half").step()
    before = sorted_rows(Lake(lake).read())
    found = rows_of_store(s3)
    assert len(found) == len(before) + 5
    days = compacted(s3, prune=True)
    assert [(day.outcome, day.rows) for day in days] == [(Outcome.REDONE, 20), (Outcome.KEPT, 15)]
    assert rows_of_store(s3) == found
    assert s3.store().objects(".bitso-spread/stale") == []


def test_two_that_compact_a_day_at_a_time_do_not_undo_each_other(
    lake: Path, s3: S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    compacted(s3)
    late = batch(lake, 20)
    key = late.relative_to(lake).as_posix()
    s3.store().put_new(key, late.read_bytes())
    replaced = ObjectStore.replace
    first = [True]

    def beaten(self: ObjectStore, key: str, data: bytes, version: Version) -> Version:
        if first:
            first.clear()
            compact_day(s3.store(), TABLE, "btc_mxn", DATES[0], today=TODAY, prune=True)
        return replaced(self, key, data, version)

    monkeypatch.setattr(ObjectStore, "replace", beaten)
    with pytest.raises(LakeError, match="has changed meanwhile, and is left: do it again"):
        compact_day(s3.store(), TABLE, "btc_mxn", DATES[0], today=TODAY, prune=True)
    found = Counter(rows_of_store(s3))
    assert found == Counter(sorted_rows(Lake(lake).read()))


@pytest.mark.usefixtures("lake")
def test_an_object_that_was_hurt_is_told_and_its_day_is_left(s3: S3, run: Run) -> None:
    key = keys_of(s3, TABLE)[0]
    s3.gateway.harm("damage", lambda request: request.kind == "get" and request.key.endswith(key))
    status, _, err = run("compact", "--lake", s3.url, "--prune")
    assert status == 1
    assert "left as it is:" in err
    assert keys_of(s3, TABLE)[0] == key
    assert len(keys_of(s3, DAILY_TABLE)) == 1


def test_the_command_says_the_same_as_on_a_disk(lake: Path, s3: S3, run: Run) -> None:
    far = run("compact", "--lake", s3.url, "--prune")
    near = run("compact", "--lake", str(lake), "--prune")
    assert far == near
    assert far[0] == 0
