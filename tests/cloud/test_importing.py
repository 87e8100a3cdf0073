"""``import … --lake s3://…``: others' rows in a lake in object storage, each second once."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from bitso_spread.cloud import keys
from bitso_spread.cloud.bench import Bench
from bitso_spread.cloud.compaction import compact_day
from bitso_spread.cloud.importing import import_rows
from bitso_spread.cloud.keeper import LeaseKeeper
from bitso_spread.cloud.objects import ObjectStore
from bitso_spread.cloud.version import Version
from bitso_spread.errors import LakeBusyError, LakeError, LakeIdentityError
from bitso_spread.lake.importing import Imported
from bitso_spread.lake.layout import TABLE
from bitso_spread.lake.reader import Lake
from bitso_spread.lake.uploads import Uploads
from bitso_spread.model import Sample, State
from tests.cli.support import Run
from tests.cloud.conftest import S3
from tests.cloud.half_support import finish, keys_in, rows_in
from tests.cloud.lease_support import host
from tests.lake.compact_support import DATES, TODAY
from tests.lake.import_support import NOW, a_source, priced
from tests.lake.stops import KilledError, Steps, When
from tests.lake.support import NOON, a_batch, rows_of


def bring(s3: S3, half: Path, *sources: Path, **options: Any) -> Imported:
    return import_rows(sources, s3.url, state=half, **{"now": lambda: NOW, **options})


def in_store(s3: S3) -> dict[int, float | None]:
    """The best bid of each tick; each must be there once."""
    rows = Lake(s3.url).read(book="btc_mxn")
    ticks = rows["orderbook_timestamp"].dt.epoch("s").to_list()
    assert len(set(ticks)) == len(ticks)
    return dict(zip(ticks, rows["bid"], strict=True))


def span(start: int, count: int, bid: float = 100.0) -> list[Sample]:
    return [priced(NOON + start + at, bid) for at in range(count)]


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_new_seconds_come_in_and_those_that_are_there_are_not_taken_again(
    s3: S3, tmp_path: Path, form: str
) -> None:
    half = tmp_path / "half"
    first = bring(s3, half, a_source(tmp_path, span(0, 10)), file_format=form)
    assert first.taken == 10
    more = a_source(tmp_path, span(5, 10), "more.csv")
    second = bring(s3, half, more)
    assert (second.taken, second.there) == (5, 5)
    assert in_store(s3) == {NOON + at: 100.0 for at in range(15)}
    assert {key.rpartition(".")[2] for key in keys_in(s3.store())} == {form}
    assert s3.store().objects(keys.recorders_prefix(TABLE)) == []


def test_another_lake_in_a_store_goes_in(s3: S3, tmp_path: Path) -> None:
    bring(s3, tmp_path / "half", a_source(tmp_path, span(0, 10)))
    other = f"s3://{s3.bucket}/lakes/other"
    done = import_rows([s3.url], other, state=tmp_path / "other", now=lambda: NOW)
    assert done.taken == 10
    assert Lake(other).read().equals(Lake(s3.url).read())


def test_the_better_row_takes_the_place_of_the_other(s3: S3, tmp_path: Path) -> None:
    half = tmp_path / "half"
    rows = span(0, 10)
    rows[4] = Sample.blank(NOON + 4, "btc_mxn", State.UNKNOWN)
    bring(s3, half, a_source(tmp_path, rows))
    before = keys_in(s3.store())
    done = bring(s3, half, a_source(tmp_path, span(0, 10), "other.csv"), merge=True)
    assert (done.replaced, done.taken) == (1, 0)
    assert keys_in(s3.store()) == before
    assert in_store(s3) == {NOON + at: 100.0 for at in range(10)}


def test_only_the_days_in_question_are_brought(s3: S3, tmp_path: Path) -> None:
    half = tmp_path / "half"
    for day in range(3):
        rows = [priced(NOON + 86_400 * day + at) for at in range(3)]
        bring(s3, half, a_source(tmp_path, rows), now=lambda: NOW + 10 * 86_400)
    s3.gateway.forget()
    bring(s3, half, a_source(tmp_path, span(3, 3)))
    listed = [key for key in s3.gateway.keys("list") if "date=" in key]
    assert listed
    assert all(f"date={DATES[0]}" in key for key in listed)
    read = [key for key in s3.gateway.keys("get") if "date=" in key]
    assert read
    assert all(f"date={DATES[0]}" in key for key in read)


@pytest.mark.parametrize("when", ["before", "after"])
def test_cut_short_at_any_step_it_is_completed_by_importing_again(
    s3: S3, tmp_path: Path, when: When
) -> None:
    half = tmp_path / "half"
    rows = span(0, 1300)
    rows[4] = Sample.blank(NOON + 4, "btc_mxn", State.UNKNOWN)
    bring(s3, half, a_source(tmp_path, rows))
    source = a_source(tmp_path, span(0, 2000), "other.csv")
    # What keeps the leases has a thread of its own.
    work = [(Bench, "_put_new"), (Bench, "_replace"), (Bench, "mark_compacted")]
    for stop_at in range(1, 30):
        steps = Steps(work, stop_at, when, KilledError)
        with steps.watched(), suppress(KilledError):
            bring(s3, half, source, merge=True)
        assert set(rows_in(s3.store()).values()) == {1}
        if steps.ended:
            break
    assert stop_at >= 4
    assert in_store(s3) == {NOON + at: 100.0 for at in range(2000)}


def test_a_compacted_day_shows_what_came_in(s3: S3, tmp_path: Path) -> None:
    half = tmp_path / "half"
    bring(s3, half, a_source(tmp_path, span(0, 10)))
    compact_day(s3.store(), TABLE, "btc_mxn", DATES[0], prune=True, today=TODAY)
    done = bring(s3, half, a_source(tmp_path, span(5, 10), "more.csv"))
    assert (done.taken, done.there) == (5, 5)
    assert in_store(s3) == {NOON + at: 100.0 for at in range(15)}


def test_other_kinds_never_mix(s3: S3, tmp_path: Path) -> None:
    half = tmp_path / "half"
    bring(s3, half, a_source(tmp_path, span(0, 3)))
    simulated = a_source(tmp_path, span(5, 3), "sim-btc_mxn-20260921T120000Z.csv")
    with pytest.raises(LakeIdentityError, match="environment"):
        bring(s3, half, simulated)
    with pytest.raises(LakeIdentityError, match="format"):
        bring(s3, half, a_source(tmp_path, span(5, 3)), file_format="parquet")
    assert len(in_store(s3)) == 3


def test_books_that_a_recorder_has_are_left_alone(
    s3: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bitso_spread.cloud.keeper._LOOK_S", 0.1)
    other = host(s3, "a")
    other.takes("btc_mxn")
    fetched = ObjectStore.fetch

    def lively(self: ObjectStore, key: str) -> Any:
        if "/recorders/" in key:
            other.leases.renew()
        return fetched(self, key)

    monkeypatch.setattr(ObjectStore, "fetch", lively)
    with pytest.raises(LakeBusyError, match=r"^the recorder 1 on a records one of btc_mxn in "):
        bring(s3, tmp_path / "half", a_source(tmp_path, span(0, 3)))
    assert keys_in(s3.store()) == []


@pytest.mark.parametrize("after", [0, 1])
def test_an_import_that_lost_its_leases_puts_nothing_more(
    s3: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    half = tmp_path / "half"
    put, puts = Bench._put_new, [0]
    keepers: list[LeaseKeeper] = []
    start = LeaseKeeper.start

    def started(keeper: LeaseKeeper) -> None:
        keepers.append(keeper)
        start(keeper)

    def lost_and_had_again(
        self: Bench, key: str, data: bytes, *, numbered: bool
    ) -> tuple[str, Version]:
        puts[0] += 1
        done = put(self, key, data, numbered=numbered)
        if puts[0] == after:
            lose()
        return done

    def lose() -> None:
        # Another recorder has taken it for dead, and has come and gone.
        keepers[0]._leases.losses += 1

    monkeypatch.setattr(LeaseKeeper, "start", started)
    monkeypatch.setattr(Bench, "_put_new", lost_and_had_again)
    if not after:
        monkeypatch.setattr(Bench, "mark_compacted", lambda *_: lose())
    source = a_source(tmp_path, span(0, 2000))
    with pytest.raises(LakeError, match=r"the leases in .* were lost meanwhile: import again"):
        bring(s3, half, source)
    assert len(keys_in(s3.store())) == after


def test_files_that_wait_here_go_first(s3: S3, tmp_path: Path) -> None:
    half = tmp_path / "half"
    with Uploads(half, TABLE) as uploads:
        uploads.belong_to(s3.url)
    batch = a_batch("btc_mxn", NOON)
    finish(half, (batch, [row for _, row in rows_of(batch)]))
    with pytest.raises(LakeBusyError, match="have bitso-spread collect put them there first"):
        bring(s3, half, a_source(tmp_path, span(0, 3)))


def test_the_command_says_the_same_as_on_a_disk(s3: S3, tmp_path: Path, run: Run) -> None:
    source = a_source(tmp_path, [priced(1_700_000_000 + at) for at in range(5)])
    disk = tmp_path / "lake"
    far = run("import", str(source), "--lake", s3.url, "--state", str(tmp_path / "half"))
    near = run("import", str(source), "--lake", str(disk))
    assert far[0] == near[0] == 0
    assert far[1] == near[1].replace(str(disk), s3.url)
    status, _, err = run("import", str(source), "--lake", str(disk), "--state", "x")
    assert status == 2
    assert "--state goes with a lake in object storage" in err
