"""Files on their way into the store: each whole, once, in order, whatever comes between."""

from __future__ import annotations

import sqlite3
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from bitso_spread.cloud import keys
from bitso_spread.cloud.connect import PATIENT
from bitso_spread.cloud.errors import ExistsError
from bitso_spread.cloud.keeper import LeaseKeeper
from bitso_spread.cloud.lease import RENEWS_S
from bitso_spread.cloud.objects import Level, ObjectStore
from bitso_spread.cloud.remote import BRISK
from bitso_spread.cloud.uploader import Uploader
from bitso_spread.cloud.version import Version
from bitso_spread.lake.layout import TABLE, aside_folder
from bitso_spread.lake.uploads import Uploads
from bitso_spread.lake.writer import encode
from tests.cloud.conftest import S3
from tests.cloud.half_support import (
    FakeKeeper,
    an_uploader,
    finish,
    keys_in,
    rows_in,
    waiting,
)
from tests.cloud.lease_support import host
from tests.lake.stops import KilledError, Steps, When
from tests.lake.support import NOON, a_batch, a_row, once, rows_of, table_files

STEPS: list[tuple[Any, str]] = [
    (ObjectStore, "put_new"),
    (Uploads, "note"),
    (Path, "unlink"),
    (Path, "rmdir"),
    (Uploads, "forget"),
]


def batches(count: int = 3, **other: object) -> list[Any]:
    """Some batches of two books, one after the other."""
    made = [
        a_batch(book, NOON + 60 * number, **other)  # type: ignore[arg-type]
        for number in range(count)
        for book in ("btc_mxn", "usd_mxn")
    ]
    return [(batch, [row for _, row in rows_of(batch)]) for batch in made]


def all_of(made: list[Any]) -> Any:
    return once([(batch, row) for batch, rows in made for row in rows])


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_files_come_into_the_store_in_order_and_leave_the_disk(
    s3: S3, tmp_path: Path, form: str
) -> None:
    made = batches(format=form)
    finish(tmp_path, *made)
    told: list[str] = []
    uploader = an_uploader(s3, tmp_path, on_object=lambda url, _: told.append(url))
    uploader.step()
    assert rows_in(s3.store()) == all_of(made)
    assert table_files(tmp_path) == []
    assert waiting(tmp_path) == []
    assert sorted(told) == [f"{s3.url}/{key}" for key in keys_in(s3.store())]
    assert [url[-20:] for url in told] == sorted(url[-20:] for url in told)
    assert (uploader.put, uploader.waiting.files, uploader.trouble) == (6, 0, None)


def test_a_file_of_today_is_one_put_and_nothing_else(s3: S3, tmp_path: Path) -> None:
    now = int(time.time())
    made = [a_batch(book, now) for book in ("btc_mxn", "usd_mxn")]
    finish(tmp_path, *((batch, [row for _, row in rows_of(batch)]) for batch in made))
    an_uploader(s3, tmp_path).step()
    assert s3.gateway.counts() == {"put": 2}


@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_at_any_step_no_row_is_lost_and_none_is_doubled(
    s3: S3, tmp_path: Path, when: When
) -> None:
    for stop_at in range(1, 100):
        both = [a_batch("btc_mxn", NOON + 60 * stop_at + 10 * number) for number in range(2)]
        made = [(batch, [row for _, row in rows_of(batch)]) for batch in both]
        finish(tmp_path, *made)
        steps = Steps(STEPS, stop_at, when, KilledError)
        with steps.watched(), suppress(KilledError):
            an_uploader(s3, tmp_path).step()
        an_uploader(s3, tmp_path).step()
        assert table_files(tmp_path) == []
        assert waiting(tmp_path) == []
        assert set(rows_in(s3.store()).values()) == {1}
        assert rows_in(s3.store()).total() == 10 * stop_at
        if steps.ended:
            break
    assert steps.taken >= 8


def test_an_outage_costs_no_row_and_no_order(s3: S3, tmp_path: Path) -> None:
    uploader = an_uploader(s3, tmp_path)
    s3.gateway.go_down()
    made = batches(4)
    for each in made:
        finish(tmp_path, each)
        uploader.step()
    assert uploader.waiting.files == 8
    assert uploader.waiting.since is not None
    assert "does not answer (Connection refused)" in (uploader.trouble or "")
    s3.gateway.come_up()
    told: list[str] = []
    uploader._on_object = lambda _, file: told.append(file.book)
    uploader.step()
    assert told == ["btc_mxn", "usd_mxn"] * 4
    assert rows_in(s3.store()) == all_of(made)
    assert uploader.trouble is None


@pytest.mark.parametrize(
    ("how", "every"), [("slow-down", 3), ("error", 3), ("reset", 3), ("lose", 3), ("deny", 4)]
)
def test_requests_that_fail_again_and_again_cost_nothing(
    s3: S3, tmp_path: Path, how: str, every: int
) -> None:
    made = batches(8)
    finish(tmp_path, *made)
    uploader = an_uploader(s3, tmp_path, patience=BRISK)
    s3.gateway.harm(how, every=every)
    for _ in range(60):
        uploader.step()
        if not uploader.waiting.files:
            break
    s3.gateway.heal()
    assert rows_in(s3.store()) == all_of(made)


def test_a_trouble_is_said_once_and_then_once_a_minute(
    s3: S3, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    finish(tmp_path, *batches(1))
    now = [0.0]
    uploader = an_uploader(s3, tmp_path)
    uploader._complaint._clock = lambda: now[0]
    s3.gateway.harm("slow-down")
    for _ in range(62):
        uploader.step()
        now[0] += 1
    assert caplog.text.count("2 files wait on this disk for the store: s3://") == 2
    assert "(503 SlowDown)" in caplog.text
    s3.gateway.heal()
    uploader.step()
    assert "the store takes files again" in caplog.text


def test_without_leases_it_is_not_said_that_the_store_takes_files(
    s3: S3, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    finish(tmp_path, *batches(1))
    now = [0.0]
    keeper = FakeKeeper()
    uploader = an_uploader(s3, tmp_path, keeper)
    uploader._complaint._clock = lambda: now[0]
    s3.gateway.harm("slow-down")
    uploader.step()
    # In an outage that lasts, the leases run out.
    keeper.without = {"btc_mxn", "usd_mxn"}
    for _ in range(61):
        uploader.step()
        now[0] += 1
    assert "(503 SlowDown)" in str(uploader.trouble)
    assert "takes files again" not in caplog.text
    assert caplog.text.count("2 files wait on this disk for the store: s3://") == 2
    s3.gateway.heal()
    keeper.without = set()
    uploader.step()
    assert uploader.trouble is None
    assert "the store takes files again" in caplog.text


def test_the_waits_grow_to_half_a_minute(s3: S3, tmp_path: Path) -> None:
    finish(tmp_path, *batches(1))
    s3.gateway.harm("deny")
    uploader = an_uploader(s3, tmp_path)
    assert [uploader.step() for _ in range(8)] == [0.5, 1, 2, 4, 8, 16, 30, 30]


def test_what_is_there_with_the_same_bytes_is_left(s3: S3, tmp_path: Path) -> None:
    ((batch, rows),) = batches(1)[:1]
    finish(tmp_path, (batch, rows))
    (path,) = table_files(tmp_path)
    key = path.relative_to(tmp_path).as_posix()
    s3.put_raw(f"lakes/one/{key}", path.read_bytes())
    an_uploader(s3, tmp_path).step()
    assert keys_in(s3.store()) == [key]
    assert waiting(tmp_path) == []


def test_what_is_there_with_other_bytes_is_left_and_the_file_takes_a_number(
    s3: S3, tmp_path: Path
) -> None:
    ((batch, rows),) = batches(1)[:1]
    finish(tmp_path, (batch, rows))
    (path,) = table_files(tmp_path)
    data, key = path.read_bytes(), path.relative_to(tmp_path).as_posix()
    s3.put_raw(f"lakes/one/{key}", b"another's")
    an_uploader(s3, tmp_path).step()
    store = s3.store()
    assert store.get(key) == b"another's"
    assert store.get(key.replace(".csv", "-2.csv")) == data


def test_an_object_that_is_not_what_was_put_does_not_count(
    s3: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish(tmp_path, *batches(1)[:1])
    uploader = an_uploader(s3, tmp_path)
    put = ObjectStore.put_new
    monkeypatch.setattr(ObjectStore, "put_new", lambda self, key, data: put(self, key, data[:-1]))
    uploader.step()
    assert "is not what was put there" in (uploader.trouble or "")
    assert len(waiting(tmp_path)) == len(table_files(tmp_path)) == 1


def test_where_etags_are_no_checksums_it_is_read_back(
    s3: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish(tmp_path, *batches(1)[:1])
    put = ObjectStore.put_new

    def as_google(self: ObjectStore, key: str, data: bytes) -> Version:
        put(self, key, data)
        return Version('"CJ2z"', "1")

    monkeypatch.setattr(ObjectStore, "put_new", as_google)
    an_uploader(s3, tmp_path).step()
    assert waiting(tmp_path) == []


def test_files_of_books_that_another_recorder_has_wait(s3: S3, tmp_path: Path) -> None:
    made = batches(2)
    finish(tmp_path, *made)
    keeper = FakeKeeper()
    keeper.without = {"btc_mxn"}
    uploader = an_uploader(s3, tmp_path, keeper)
    uploader.step()
    assert {book for _, book, _ in rows_in(s3.store())} == {"usd_mxn"}
    assert len(waiting(tmp_path)) == 2
    keeper.without = set()
    uploader.step()
    assert rows_in(s3.store()) == all_of(made)


def test_a_file_that_is_not_as_it_was_written_is_set_aside_and_said(
    s3: S3, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made = batches(1)
    finish(tmp_path, *made)
    hurt = table_files(tmp_path)[0]
    hurt.write_bytes(b"hurt")
    an_uploader(s3, tmp_path).step()
    assert "is not as it was written, and is not put" in caplog.text
    assert (aside_folder(tmp_path, TABLE) / hurt.name).read_bytes() == b"hurt"
    assert rows_in(s3.store()) == all_of(made[1:])


def test_a_file_that_is_gone_is_said_and_keeps_no_other_waiting(
    s3: S3, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made = batches(1)
    finish(tmp_path, *made)
    table_files(tmp_path)[0].unlink()
    an_uploader(s3, tmp_path).step()
    assert "was removed before it was in the store" in caplog.text
    assert rows_in(s3.store()) == all_of(made[1:])


def test_a_disk_that_is_full_of_what_waits_is_emptied_into_the_store(
    s3: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = batches(4)
    finish(tmp_path, *made)
    told: list[str] = []
    forget, note = Uploads.forget, Uploads.note
    room = [5]

    def refuse_if_full() -> None:
        # Rows that wait in memory take what room there is.
        if len(table_files(tmp_path)) > room[0]:
            raise sqlite3.OperationalError("database or disk is full")

    def full_note(self: Uploads, path: str, key: str) -> None:
        refuse_if_full()
        note(self, path, key)

    def full_forget(self: Uploads, path: str) -> None:
        refuse_if_full()
        forget(self, path)

    monkeypatch.setattr(Uploads, "note", full_note)
    monkeypatch.setattr(Uploads, "forget", full_forget)
    uploader = an_uploader(s3, tmp_path, on_object=lambda url, _: told.append(url))
    uploader.step()
    assert table_files(tmp_path) == []
    assert uploader.trouble == "database or disk is full"
    uploader.step()
    assert rows_in(s3.store()) == all_of(made)
    assert sorted(told) == [f"{s3.url}/{key}" for key in keys_in(s3.store())]
    assert waiting(tmp_path) == []


def test_what_cannot_be_dropped_keeps_nothing_else_waiting(
    s3: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = batches(2)
    finish(tmp_path, *made)

    def full(self: Uploads, path: str) -> None:
        raise sqlite3.OperationalError(f"database or disk is full: {self}, {path}")

    monkeypatch.setattr(Uploads, "forget", full)
    uploader = an_uploader(s3, tmp_path)
    uploader.step()
    assert rows_in(s3.store()) == all_of(made)
    assert waiting(tmp_path) == []
    with Uploads(tmp_path, TABLE) as uploads:
        assert len(uploads.noted()) == 4
    finish(tmp_path, *batches(3)[4:])
    uploader.step()
    assert len(keys_in(s3.store())) == 6
    assert "disk is full" in (uploader.trouble or "")
    monkeypatch.undo()
    uploader.step()
    with Uploads(tmp_path, TABLE) as uploads:
        assert uploads.noted() == []
    assert uploader.trouble is None


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_an_older_state_of_the_folder_doubles_no_row(
    s3: S3, tmp_path: Path, form: str, caplog: pytest.LogCaptureFixture
) -> None:
    batch = a_batch("btc_mxn", NOON, format=form)
    rows = [a_row(tick) for tick in range(NOON, NOON + 6)]
    finish(tmp_path / "half", (batch, rows))
    an_uploader(s3, tmp_path / "half").step()
    # A backup of the time when the batch was open is restored: its rows become a file once more.
    more = [a_row(tick) for tick in range(NOON + 6, NOON + 8)]
    finish(tmp_path / "restored", (batch, rows[:4] + more))
    an_uploader(s3, tmp_path / "restored").step()
    assert rows_in(s3.store()) == once([(batch, row) for row in rows + more])
    assert "in the store for 4 of the 6 seconds of a file" in caplog.text
    assert waiting(tmp_path / "restored") == []


def test_a_put_that_is_under_way_still_is_not_put_under_another_name(
    s3: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = batches(1)[:1]
    finish(tmp_path, *made)
    put = ObjectStore.put_new
    under_way: list[tuple[str, bytes]] = []

    def conflict(self: ObjectStore, key: str, data: bytes) -> Version:
        if not under_way:
            # S3's answer (409) to the second of two puts at a time: the first may yet come to be.
            under_way.append((key, data))
            raise ExistsError("409")
        return put(self, key, data)

    with monkeypatch.context() as patch:
        patch.setattr(ObjectStore, "put_new", conflict)
        uploader = an_uploader(s3, tmp_path)
        uploader.step()
    assert "is being put by somebody" in (uploader.trouble or "")
    s3.store().put_new(*under_way[0])
    uploader.step()
    assert rows_in(s3.store()) == all_of(made)
    assert waiting(tmp_path) == []


def test_a_lease_that_ends_while_a_put_is_prepared_ends_that_put(
    s3: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish(tmp_path, *batches(1))
    keeper = FakeKeeper()
    uploader = an_uploader(s3, tmp_path, keeper)
    level = ObjectStore.level

    def long(self: ObjectStore, prefix: str) -> Level:
        # As when the process was frozen, or the store was slow.
        keeper.without = {"btc_mxn"}
        return level(self, prefix)

    monkeypatch.setattr(ObjectStore, "level", long)
    uploader.step()
    assert {book for _, book, _ in rows_in(s3.store())} == {"usd_mxn"}
    assert "the lease of btc_mxn has run out meanwhile" in (uploader.trouble or "")
    keeper.without = set()
    monkeypatch.setattr(ObjectStore, "level", level)
    uploader.step()
    assert waiting(tmp_path) == []


@pytest.mark.parametrize("form", ["csv", "parquet"])
@pytest.mark.parametrize("theirs", [range(4, 8), range(-2, 8), range(6, 8)])
def test_who_is_frozen_over_a_takeover_takes_back_what_is_doubled(
    s3: S3,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    form: str,
    theirs: range,
    caplog: pytest.LogCaptureFixture,
) -> None:
    a, b = host(s3, "a"), host(s3, "b")
    a.takes("btc_mxn")
    mine = a_batch("btc_mxn", NOON, format=form)
    rows = [a_row(tick) for tick in range(NOON, NOON + 6)]
    finish(tmp_path / "a", (mine, rows))
    first = NOON + theirs[0]
    others = a_batch("btc_mxn", first, format=form)
    finish(tmp_path / "b", (others, [a_row(NOON + at) for at in theirs]))
    put = ObjectStore.put_new
    frozen = [False]

    def long(self: ObjectStore, key: str, data: bytes) -> Version:
        if self is uploader._store and not frozen[0]:
            # The virtual machine stands still, with all its clocks, and the other one takes over.
            frozen[0] = True
            while b.takes("btc_mxn") != [True]:
                b.passes(5)
            an_uploader(s3, tmp_path / "b", LeaseKeeper(b.leases, lambda: None)).step()
        return put(self, key, data)

    monkeypatch.setattr(ObjectStore, "put_new", long)
    uploader = an_uploader(s3, tmp_path / "a", LeaseKeeper(a.leases, lambda: None))
    uploader._clock = lambda: a.now
    uploader.step()
    assert frozen == [True]
    a.passes(RENEWS_S)
    a.leases.renew()
    uploader.step()
    assert rows_in(s3.store()) == once(
        [(mine, row) for row in rows if row.tick - NOON not in theirs]
        + [(others, a_row(NOON + at)) for at in theirs]
    )
    doubled = len({*theirs} & {*range(6)})
    aside = aside_folder(tmp_path / "a", TABLE)
    assert len(list(aside.glob("*"))) == (1 if doubled else 0)
    said = f"in the store for {doubled} of the 6 seconds of a file"
    assert (said in caplog.text) is (doubled > 0)


def test_what_was_put_before_a_sign_of_life_was_heard_is_not_looked_at_again(
    s3: S3, tmp_path: Path
) -> None:
    a = host(s3, "a")
    a.takes("btc_mxn")
    uploader = an_uploader(s3, tmp_path, LeaseKeeper(a.leases, lambda: None))
    uploader._clock = lambda: a.now
    finish(tmp_path, *batches(1)[:1])
    a.passes(1)
    uploader.step()
    assert len(uploader._unsure) == 1
    a.passes(RENEWS_S)
    a.leases.renew()
    s3.gateway.forget()
    uploader.step()
    assert len(uploader._unsure) == 0
    assert s3.gateway.counts() == {}


def test_a_file_that_is_finished_at_the_last_instant_is_put_before_the_end(
    s3: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = batches(1)
    uploader = an_uploader(s3, tmp_path)
    is_done, looked = uploader._is_done, [False]

    def step() -> float:
        looked[0] = True
        return Uploader.step(uploader)

    def the_end_comes() -> bool:
        if looked[0] and uploader._deadline is None:
            finish(tmp_path, *made)
            uploader._deadline = uploader._clock() + 60
        return is_done()

    monkeypatch.setattr(uploader, "step", step)
    monkeypatch.setattr(uploader, "_is_done", the_end_comes)
    uploader._run()
    assert rows_in(s3.store()) == all_of(made)


def test_at_the_end_it_counts_what_was_finished_in_the_outage_and_nobody_elses(
    s3: S3, tmp_path: Path
) -> None:
    uploader = an_uploader(s3, tmp_path)
    s3.gateway.go_down()
    finish(tmp_path, *batches(1))
    uploader.step()
    assert uploader.waiting.files == 2
    finish(tmp_path, *batches(2)[2:])
    # A neighbour that records into the same folder puts its own.
    finish(tmp_path, (a_batch("eth_mxn", NOON), [a_row(NOON, "eth_mxn")]))
    uploader.stop()
    assert uploader.waiting.files == 4


def test_an_answer_that_nobody_has_time_for_is_given_up(s3: S3, tmp_path: Path) -> None:
    finish(tmp_path, *batches(1))
    s3.gateway.harm("delay", seconds=60)
    uploader = an_uploader(s3, tmp_path, patience=PATIENT)
    uploader.start()
    deadline = time.monotonic() + 30
    while not s3.gateway.requests:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    uploader.stop(0.1)
    uploader._thread.join(30)
    assert not uploader._thread.is_alive()
    assert uploader.waiting.files == 2
    assert "had not answered in time" in (uploader.trouble or "")


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_seconds_that_another_host_has_put_are_not_put_twice(
    s3: S3, tmp_path: Path, form: str, caplog: pytest.LogCaptureFixture
) -> None:
    batch = a_batch("btc_mxn", NOON, format=form)
    theirs = a_batch("btc_mxn", NOON + 4, format=form)
    place = f"{TABLE}/date=20260921/order_book=btc_mxn/minutes=720"
    other = [a_row(tick) for tick in range(NOON + 4, NOON + 8)]
    name = f"btc_mxn-20260921T120004Z.{form}"
    s3.store().put_new(f"{place}/{name}", encode(other, form))
    mine = [a_row(tick) for tick in range(NOON, NOON + 6)]
    finish(tmp_path, (batch, mine))
    (path,) = table_files(tmp_path)
    whole = path.read_bytes()
    keeper = FakeKeeper()
    keeper.until = {"btc_mxn": NOON + 100}
    for _ in range(2):
        an_uploader(s3, tmp_path, keeper).step()
    assert rows_in(s3.store()) == once(
        [(batch, row) for row in mine[:4]] + [(theirs, row) for row in other]
    )
    assert "in the store for 2 of the 6 seconds of a file" in caplog.text
    assert (aside_folder(tmp_path, TABLE) / path.name).read_bytes() == whole
    assert waiting(tmp_path) == []


def test_a_book_that_was_another_hosts_is_put_whole_where_nothing_overlaps(
    s3: S3, tmp_path: Path
) -> None:
    made = batches(2)
    finish(tmp_path, *made[:2])
    keeper = FakeKeeper()
    keeper.until = {"btc_mxn": NOON + 100, "usd_mxn": NOON + 100}
    uploader = an_uploader(s3, tmp_path, keeper)
    uploader.step()
    finish(tmp_path, *made[2:])
    uploader.step()
    assert rows_in(s3.store()) == all_of(made)
    assert not aside_folder(tmp_path, TABLE).exists()


@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_while_it_leaves_out_what_is_there_no_second_is_doubled(
    s3: S3, tmp_path: Path, when: When
) -> None:
    place = f"{TABLE}/date=20260921/order_book=btc_mxn/minutes=720"
    other = [a_row(tick) for tick in range(NOON + 4, NOON + 8)]
    s3.store().put_new(f"{place}/btc_mxn-20260921T120004Z.csv", encode(other, "csv"))
    keeper = FakeKeeper()
    keeper.until = {"btc_mxn": NOON + 100}
    finish(tmp_path, (a_batch("btc_mxn", NOON), [a_row(tick) for tick in range(NOON, NOON + 6)]))
    for stop_at in range(1, 12):
        steps = Steps(STEPS, stop_at, when, KilledError)
        with steps.watched():
            try:
                an_uploader(s3, tmp_path, keeper).step()
            except KilledError:
                continue
            finally:
                rows = rows_in(s3.store())
                assert set(rows.values()) == {1}
        break
    an_uploader(s3, tmp_path, keeper).step()
    assert rows_in(s3.store()).total() == 8
    assert waiting(tmp_path) == []


def test_what_a_neighbour_has_yet_to_put_is_not_left_behind_by_one_that_ends(
    s3: S3, tmp_path: Path
) -> None:
    theirs = a_batch("eth_mxn", NOON)
    finish(tmp_path, *batches(1), (theirs, [row for _, row in rows_of(theirs)]))
    uploader = an_uploader(s3, tmp_path)
    uploader.start()
    assert uploader.waiting.files == 3
    uploader.stop(30)
    assert (uploader.put, uploader.waiting.files, uploader.waiting.since) == (2, 0, None)
    assert len(waiting(tmp_path)) == 1


def test_a_file_of_a_compacted_day_leaves_a_mark(s3: S3, tmp_path: Path) -> None:
    finish(tmp_path, *batches(1))
    store = s3.store()
    day = keys.day_prefix("BitsoSpreadDaily", 20260921, "btc_mxn")
    store.put_new(f"{day}/btc_mxn-20260921.parquet", b"1")
    an_uploader(s3, tmp_path).step()
    marks = [found.key for found in store.objects(".bitso-spread/stale")]
    # Before the file comes and after it: the day may be compacted meanwhile.
    assert len(marks) == 2
    assert all(m.startswith(f".bitso-spread/stale/{TABLE}/20260921/btc_mxn.") for m in marks)
