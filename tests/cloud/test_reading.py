"""A lake in object storage gives the answers that the same lake gives on a disk."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path

import pytest

from bitso_spread.cloud.errors import DamagedError, UnreachableError
from bitso_spread.cloud.objects import ObjectStore
from bitso_spread.errors import LakeError, UsageError
from bitso_spread.lake.journal import Batch
from bitso_spread.lake.reader import Lake
from bitso_spread.model import Sample
from tests.cloud.conftest import S3
from tests.cloud.half_support import an_uploader, finish
from tests.lake.compact_support import answers, batch, compacted, daily_files, sources
from tests.lake.support import NOON, a_batch, rows_of

FIRST = "BitsoSpreadMonitor/date=20260921/order_book=btc_mxn"


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """Three days of two books, of three files each."""
    folder = tmp_path / "lake"
    for day in (0, 1, 2):
        for minutes in (0, 10, 1439):
            for book in ("btc_mxn", "usd_mxn"):
                batch(folder, minutes, day=day, book=book)
    return folder


def as_it_is(_: Path) -> None:
    """Leave a lake as it is."""


def compact(lake: Path) -> None:
    compacted(lake, date="20260921..20260922")


def prune(lake: Path) -> None:
    compacted(lake, prune=True)


def compact_and_add(lake: Path) -> None:
    compacted(lake)
    batch(lake, 20, day=1)
    batch(lake, 1439, day=0, name="other.csv", start=40, rows=30)


def prune_and_add(lake: Path) -> None:
    compacted(lake, prune=True)
    batch(lake, 0, day=2, name="again.csv", start=1)


def mix(lake: Path) -> None:
    batch(lake, 30, form="parquet")
    batch(lake, 40, columns="full", day=1)
    batch(lake, 50, form="parquet", columns="full", environment="sim", day=2)
    batch(lake, 1439, day=1, name="part-0.csv", start=30, rows=12)


@pytest.mark.parametrize("change", [as_it_is, compact, prune, compact_and_add, prune_and_add, mix])
def test_all_answers_are_those_of_the_disk(
    s3: S3, lake: Path, change: Callable[[Path], None]
) -> None:
    change(lake)
    s3.copy(lake)
    assert answers(s3.url) == answers(lake)


def test_answers_are_the_same_while_the_store_is_slow_and_says_so(s3: S3, lake: Path) -> None:
    compact_and_add(lake)
    s3.copy(lake)
    s3.gateway.harm("slow-down", every=5)
    s3.gateway.harm("cut", every=7)
    s3.gateway.harm("delay", every=3, seconds=0.05)
    assert Lake(s3.url).read(columns="full").equals(Lake(lake).read(columns="full"))


def test_the_tables_own_url_and_other_names_of_books_are_taken(s3: S3, lake: Path) -> None:
    s3.copy(lake)
    rows = Lake(lake).read(book="btc_mxn", minutes=10)
    assert Lake(f"{s3.url}/BitsoSpreadMonitor/").read(book="MXN-BTC", minutes=10).equals(rows)


def test_a_prefix_without_a_table_is_no_lake(s3: S3) -> None:
    s3.put_raw("lakes/one/Other/date=20260921/x.csv", b"1")
    with pytest.raises(LakeError, match=rf"^there is no lake at {s3.url}: it has no folder"):
        Lake(s3.url)


def test_what_consoles_and_others_leave_is_passed_over(s3: S3, lake: Path) -> None:
    s3.copy(lake)
    table = "lakes/one/BitsoSpreadMonitor"
    for key in ("", "date=20260921/", "date=20260921/order_book=btc_mxn/", "date=nonsense/"):
        s3.put_raw(f"{table}/{key}")
    s3.put_raw(f"lakes/one/{FIRST}/minutes=10/")
    s3.put_raw(f"lakes/one/{FIRST}/minutes=10/_SUCCESS")
    s3.put_raw(f"lakes/one/{FIRST}/minutes=10/.part-0.csv.crc", b"crc")
    s3.put_raw(f"lakes/one/{FIRST}/minutes=30/_temporary/0/part-0.csv", b"half")
    s3.put_raw("lakes/one/_SUCCESS")
    assert answers(s3.url) == answers(lake)


def test_a_limit_ends_what_is_fetched(s3: S3, tmp_path: Path) -> None:
    for minutes in range(0, 1440, 10):
        batch(tmp_path, minutes, rows=2)
    s3.copy(tmp_path)
    assert Lake(s3.url).read(limit=3).equals(Lake(tmp_path).read(limit=3))
    assert s3.gateway.counts()["get"] == 32


def test_a_day_that_is_compacted_while_it_is_read_gives_its_rows_once(s3: S3, lake: Path) -> None:
    s3.copy(lake)
    expected = Lake(lake).read(date=20260921)
    files = [path.relative_to(lake).as_posix() for path in sources(lake) if "0921" in str(path)]
    compacted(lake, prune=True, date=20260921)
    made = [path for path in daily_files(lake) if "0921" in str(path)]
    done: list[object] = []

    def meanwhile(request: object) -> bool:
        if getattr(request, "kind", "") == "get" and not done:
            done.append(request)
            for path in made:
                s3.put_raw(f"lakes/one/{path.relative_to(lake).as_posix()}", path.read_bytes())
            for key in files:
                s3.delete_raw(f"lakes/one/{key}")
        return False

    s3.gateway.harm("error", meanwhile)
    assert Lake(s3.url).read(date=20260921).equals(expected)
    assert done


def test_a_file_that_is_gone_without_a_trace_is_told_by_its_url(s3: S3, lake: Path) -> None:
    s3.copy(lake)
    key = f"{FIRST}/minutes=10/btc_mxn-20260921T001000Z.csv"

    def meanwhile(request: object) -> bool:
        if getattr(request, "kind", "") == "get":
            s3.delete_raw(f"lakes/one/{key}")
        return False

    s3.gateway.harm("error", meanwhile)
    for _ in range(20):  # the one that is deleted may have been read already
        try:
            Lake(s3.url).read(date=20260921)
        except LakeError as error:
            assert str(error).startswith(f"{s3.url}/{key} is gone: ")  # noqa: PT017
            return
        s3.copy(lake)
    pytest.fail("it was read each time")


def test_a_file_that_cannot_be_read_is_told_by_its_url(s3: S3, lake: Path) -> None:
    s3.copy(lake)
    key = f"{FIRST}/minutes=20/other.csv"
    s3.put_raw(f"lakes/one/{key}", b"2026-09-21T00:20:00+00:00,btc_mxn,1,2,5")
    with pytest.raises(LakeError, match=rf"^{s3.url}/{key} is cut short"):
        Lake(s3.url).read()
    told: list[str] = []
    rows = Lake(s3.url).read(on_bad=lambda error: told.append(str(error)))
    assert rows.equals(Lake(lake).read())
    assert told == [f"{s3.url}/{key} is cut short: its last line has no end"]


def test_an_object_that_is_not_what_was_put_is_told_and_can_be_passed_over(
    s3: S3, lake: Path
) -> None:
    s3.copy(lake)
    key = f"{FIRST}/minutes=10/btc_mxn-20260921T001000Z.csv"
    s3.gateway.harm("damage", lambda request: request.key == f"lakes/one/{key}")
    with pytest.raises(DamagedError, match=rf"^{s3.url}/{key} has changed since it was written"):
        Lake(s3.url).read()
    told: list[str] = []
    rows = Lake(s3.url).read(on_bad=lambda error: told.append(str(error)))
    assert rows.height == Lake(lake).read().height - 5
    assert len(told) == 1


def test_a_compacted_day_that_is_not_what_was_put_is_told(s3: S3, lake: Path) -> None:
    prune(lake)
    s3.copy(lake)
    s3.gateway.harm("damage", lambda request: request.key.endswith("btc_mxn-20260922.parquet"))
    # The first byte is Parquet's mark: its last ones are looked at before the whole is read.
    with pytest.raises(LakeError, match=rf"^{s3.url}/BitsoSpreadDaily/date=20260922/\S+ has chang"):
        Lake(s3.url).scan().collect()


@pytest.mark.parametrize("kind", ["list", "get"])
def test_an_outage_is_no_bad_file_that_may_be_passed_over(s3: S3, lake: Path, kind: str) -> None:
    s3.copy(lake)
    opened = Lake(s3.url)
    s3.gateway.harm("deny", kind)
    told: list[LakeError] = []
    with pytest.raises(LakeError, match=r"may not be used so \(403\)"):
        opened.read(on_bad=told.append)
    s3.gateway.heal()
    s3.gateway.go_down()
    with pytest.raises(UnreachableError, match="try again later"):
        opened.read(on_bad=told.append)
    s3.gateway.come_up()
    assert told == []
    assert opened.read().equals(Lake(lake).read())


def test_what_was_copied_goes_with_the_lake(s3: S3, lake: Path) -> None:
    s3.copy(lake)
    opened = Lake(s3.url)
    root = opened.root
    opened.read()
    assert root.is_dir()
    del opened
    gc.collect()
    assert not root.exists()


def test_what_is_read_again_at_once_is_asked_for_once(s3: S3, lake: Path) -> None:
    s3.copy(lake)
    opened = Lake(s3.url)
    first = opened.read()
    counts = s3.gateway.counts()
    assert opened.read().equals(first)
    assert s3.gateway.counts() == counts


def test_an_object_that_was_put_anew_is_read_anew(
    s3: S3, lake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bitso_spread.lake.bucket_listing._STANDS_FOR_S", 0.0)
    s3.copy(lake)
    opened = Lake(s3.url)
    opened.read()
    changed = batch(lake, 10, bid=101.0)
    s3.put_raw(f"lakes/one/{changed.relative_to(lake).as_posix()}", changed.read_bytes())
    assert opened.read().equals(Lake(lake).read())


def test_files_that_a_collector_has_not_put_yet_are_read_where_its_folder_is_named(
    s3: S3, lake: Path, tmp_path: Path
) -> None:
    s3.copy(lake)
    expected = Lake(lake).read()
    state = tmp_path / "state"
    batch(state, 20, book="btc_mxn")
    batch(state, 0, day=2, book="eth_mxn")
    # One that has been put is not dropped at once.
    batch(state, 10, book="btc_mxn")
    assert Lake(s3.url).read().equals(expected)
    batch(lake, 20, book="btc_mxn")
    batch(lake, 0, day=2, book="eth_mxn")
    both = Lake(s3.url, state=state)
    assert both.read().equals(Lake(lake).read())
    assert both.books() == ["btc_mxn", "eth_mxn", "usd_mxn"]


@pytest.mark.parametrize("at", ["level_soon", "objects_soon", "fetch_soon"])
def test_a_file_that_is_put_and_dropped_while_it_is_asked_for_is_read_all_the_same(
    s3: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    def made(start: int) -> tuple[Batch, list[Sample]]:
        batch = a_batch("btc_mxn", start)
        return batch, [row for _, row in rows_of(batch)]

    finish(tmp_path, made(NOON), made(NOON + 60))
    uploader = an_uploader(s3, tmp_path)
    lake = Lake(s3.url, state=tmp_path)
    ask = getattr(ObjectStore, at)

    def just_before(self: ObjectStore, *asked: str) -> object:
        answer = ask(self, *asked)
        if self is not uploader._store:
            answer.exception()  # the store has said what it has
            uploader.step()
        return answer

    with monkeypatch.context() as patch:
        patch.setattr(ObjectStore, at, just_before)
        assert lake.read().height == 10
    finish(tmp_path, made(NOON + 120))
    uploader.step()
    # What a list has told stands for a while; what was there then is not gone meanwhile.
    assert lake.read().height >= 10


def test_a_folder_of_a_collector_goes_with_a_store_and_must_be_there(
    s3: S3, lake: Path, tmp_path: Path
) -> None:
    s3.copy(lake)
    with pytest.raises(UsageError, match="--state goes with a lake in object storage"):
        Lake(lake, state=tmp_path)
    with pytest.raises(LakeError, match="there is no folder"):
        Lake(s3.url, state=tmp_path / "none")


def test_no_space_for_what_is_read_is_told(
    s3: S3, lake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3.copy(lake)

    def refuse(**_: object) -> str:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("tempfile.mkdtemp", refuse)
    with pytest.raises(LakeError, match=r"\(Read-only file system\): set TMPDIR to one$"):
        Lake(s3.url)
