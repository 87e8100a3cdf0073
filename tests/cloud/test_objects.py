"""The objects of a store, over a real S3 server on loopback."""

from __future__ import annotations

import threading
import time
from itertools import islice

import pytest

from bitso_spread.cloud.connect import PROMPT, Patience
from bitso_spread.cloud.errors import (
    AbsentError,
    ChangedError,
    DamagedError,
    ExistsError,
    StoreError,
    UnreachableError,
)
from tests.cloud.conftest import S3
from tests.cloud.gateway import Request

QUICK = Patience(connect_s=30, request_s=30, retries=3, retry_s=30)


def test_what_was_put_is_read_and_found(s3: S3) -> None:
    store = s3.store()
    version = store.put_new("T/date=20240725/a.csv", b"hello\n")
    (found,) = store.objects("T")
    assert (found.key, found.size, found.version) == ("T/date=20240725/a.csv", 6, version)
    assert found.modified is not None
    assert found.modified.tzinfo is not None
    assert store.get(found.key) == b"hello\n"
    assert store.head(found.key) == found


def test_an_empty_object_is_one(s3: S3) -> None:
    store = s3.store()
    store.put_new("empty", b"")
    assert store.get("empty") == b""


def test_a_level_is_folders_and_objects_and_no_deeper(s3: S3) -> None:
    store = s3.store()
    for key in ("T/b/1", "T/b/c/2", "T/a/3", "T/x", "Tab/4"):
        store.put_new(key, b"1")
    level = store.level("T")
    assert level.folders == ("a", "b")
    assert [found.key for found in level.objects] == ["T/x"]
    assert store.folders() == ["T", "Tab"]
    assert [found.key for found in store.objects("T")] == ["T/a/3", "T/b/1", "T/b/c/2", "T/x"]
    assert store.folders("nothing") == []
    assert store.objects("nothing") == []


def test_the_lake_is_all_of_the_bucket_that_is_seen(s3: S3) -> None:
    s3.put_raw("elsewhere/T/a", b"1")
    s3.put_raw("lakes/one-more/T/a", b"1")
    s3.put_raw("lakes/one/T/mine", b"1")
    store = s3.store()
    assert store.folders() == ["T"]
    assert [found.key for found in store.objects()] == ["T/mine"]


def test_markers_of_folders_are_no_objects_of_a_folder(s3: S3) -> None:
    # What the S3 console leaves where somebody makes a folder by hand.
    s3.put_raw("lakes/one/T/date=20240725/")
    s3.put_raw("lakes/one/T/date=20240725/a.csv", b"1")
    store = s3.store()
    assert store.folders("T") == ["date=20240725"]
    assert "T/date=20240725/a.csv" in [found.key for found in store.objects("T")]


def test_a_new_object_never_replaces_one(s3: S3) -> None:
    store = s3.store()
    store.put_new("a", b"first")
    with pytest.raises(ExistsError, match=rf"^{s3.url}/a exists already$"):
        store.put_new("a", b"second")
    assert store.get("a") == b"first"


def test_only_one_of_many_puts_a_new_object(s3: S3) -> None:
    store = s3.store()
    won = []
    ready = threading.Barrier(8)

    def put(number: int) -> None:
        ready.wait()
        try:
            store.put_new("lock", b"%d" % number)
        except ExistsError:
            return
        won.append(number)

    threads = [threading.Thread(target=put, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [b"%d" % number for number in won] == [store.get("lock")]


def test_an_object_is_replaced_only_while_it_is_the_one_that_was_seen(s3: S3) -> None:
    store = s3.store()
    first = store.put_new("a", b"1")
    second = store.replace("a", b"2", first)
    with pytest.raises(ChangedError):
        store.replace("a", b"3", first)
    assert store.get("a") == b"2"
    store.replace("a", b"4", second)
    assert store.get("a") == b"4"
    store.delete("a")
    with pytest.raises(ChangedError):
        store.replace("a", b"5", second)
    assert store.head("a") is None


@pytest.mark.parametrize("how", ["conflict", "absent"])
def test_what_is_being_changed_or_gone_is_not_replaced(s3: S3, how: str) -> None:
    store = s3.store()
    etag = store.put_new("a", b"one")
    s3.gateway.harm(how, "put")
    with pytest.raises(ChangedError):
        store.replace("a", b"two", etag)
    s3.gateway.heal()
    assert store.get("a") == b"one"


def test_what_is_deleted_is_gone_and_may_be_so_already(s3: S3) -> None:
    store = s3.store()
    store.put_new("a", b"1")
    store.delete("a")
    store.delete("a")
    assert store.head("a") is None
    with pytest.raises(AbsentError, match=rf"^there is no {s3.url}/a$"):
        store.get("a")


def test_many_come_in_order_and_are_asked_for_at_once(s3: S3) -> None:
    store = s3.store()
    keys = [f"k{number:03}" for number in range(40)]
    for key in keys:
        store.put_new(key, key.encode())
    s3.gateway.most_at_once = 0
    s3.gateway.harm("delay", "get", seconds=0.2)
    assert list(store.get_many(keys)) == [key.encode() for key in keys]
    assert s3.gateway.most_at_once > 8


def test_no_more_are_asked_for_than_a_few_ahead(s3: S3) -> None:
    store = s3.store()
    keys = [f"k{number:03}" for number in range(40)]
    for key in keys:
        store.put_new(key, b"1")
    s3.gateway.forget()
    many = store.get_many(keys, at_once=4)
    assert len([*islice(many, 3)]) == 3
    many.close()
    # What was begun on, and given up then, may reach the server late, or never.
    assert 3 <= s3.gateway.counts()["get"] <= 7
    assert 3 <= store.requests["get"] <= 7


def test_requests_are_counted_by_kind_as_they_are_sent(s3: S3) -> None:
    store = s3.store()
    store.put_new("a/b", b"1")
    store.get("a/b")
    store.head("a/b")
    store.objects("a")
    store.folders()
    store.delete("a/b")
    assert store.requests == {"put": 1, "get": 1, "head": 1, "list": 2, "delete": 1}
    assert store.requests == s3.gateway.counts()


def test_a_list_of_more_than_a_page_is_whole_and_counted(s3: S3) -> None:
    store = s3.store()
    for number in range(1003):
        store.put_new(f"T/{number:04}/x", b"1")
    assert len(store.objects("T")) == len(store.folders("T")) == 1003
    assert store.requests["list"] == s3.gateway.counts()["list"] == 4


@pytest.mark.parametrize("how", ["slow-down", "error", "reset", "cut"])
def test_a_request_that_fails_once_or_twice_is_sent_again(s3: S3, how: str) -> None:
    store = s3.store(patience=QUICK)
    store.put_new("a", b"hello, hello")
    s3.gateway.harm(how, "get", times=2)
    assert store.get("a") == b"hello, hello"
    assert s3.gateway.counts()["get"] >= 2
    s3.gateway.heal()
    s3.gateway.harm(how, "list", times=2)
    assert [found.key for found in store.objects()] == ["a"]


def test_every_fifth_request_slowed_down_costs_no_object(s3: S3) -> None:
    store = s3.store()
    keys = [f"k{number:03}" for number in range(30)]
    s3.gateway.harm("slow-down", every=5)
    for key in keys:
        store.put_new(key, key.encode())
    assert [found.key for found in store.objects()] == keys
    assert list(store.get_many(keys)) == [key.encode() for key in keys]


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("slow-down", r"cannot answer now \(503 SlowDown\): try again later$"),
        ("error", r"cannot answer now \(500\): try again later$"),
        ("reset", r"does not answer.*: try again later$"),
    ],
)
def test_a_store_that_goes_on_failing_is_unreachable(s3: S3, how: str, said: str) -> None:
    store = s3.store(patience=QUICK)
    s3.gateway.harm(how)
    with pytest.raises(UnreachableError, match=rf"^{s3.url} {said}") as raised:
        store.folders()
    assert raised.value.retryable


def test_an_object_that_always_comes_short_is_unreachable(s3: S3) -> None:
    store = s3.store(patience=QUICK)
    store.put_new("a", b"hello, hello")
    s3.gateway.harm("cut", "get")
    with pytest.raises(UnreachableError, match=r"breaks off its answers: try again later$"):
        store.get("a")
    s3.gateway.harm("cut", "list")
    with pytest.raises(UnreachableError, match="breaks off"):
        store.objects()


def test_a_store_that_does_not_answer_is_unreachable_in_time(s3: S3) -> None:
    store = s3.store(patience=Patience(connect_s=1, request_s=0.3, retries=1, retry_s=1))
    s3.gateway.harm("delay", seconds=20)
    with pytest.raises(UnreachableError, match="does not answer in time"):
        store.folders()


def test_an_outage_is_over_when_it_is(s3: S3) -> None:
    store = s3.store(patience=PROMPT)
    store.put_new("a", b"1")
    s3.gateway.go_down()
    begun = time.monotonic()
    with pytest.raises(UnreachableError, match="does not answer"):
        store.get("a")
    # It is not tried again, as it would be for 15 s.
    assert time.monotonic() - begun < 10
    s3.gateway.come_up()
    assert store.get("a") == b"1"


def test_who_has_a_loop_of_his_own_is_told_at_once(s3: S3) -> None:
    store = s3.store(patience=PROMPT)
    s3.gateway.harm("slow-down")
    with pytest.raises(UnreachableError):
        store.put_new("a", b"1")
    assert s3.gateway.counts() == {"put": 1}


def test_a_put_whose_answer_was_lost_is_known_by_its_checksum(s3: S3) -> None:
    store = s3.store(patience=PROMPT)
    s3.gateway.harm("lose", "put", times=1)
    with pytest.raises(UnreachableError):
        store.put_new("a", b"1")
    with pytest.raises(ExistsError):
        store.put_new("a", b"1")
    there = store.fetch("a")
    assert there.sha256 == "6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b"
    assert there.is_sound


def test_bytes_hurt_on_the_way_once_are_read_again(s3: S3) -> None:
    store = s3.store()
    store.put_new("a", b"hello")
    s3.gateway.harm("damage", "get", times=1)
    assert store.get("a") == b"hello"
    assert s3.gateway.counts()["get"] == 2


def test_bytes_that_are_not_those_that_were_put_are_told(s3: S3) -> None:
    store = s3.store()
    store.put_new("a", b"hello")
    s3.gateway.harm("damage", "get")
    with pytest.raises(DamagedError, match=rf"^{s3.url}/a has changed since it was written"):
        store.get("a")
    assert not store.fetch("a").is_sound


def test_an_object_of_another_program_is_taken_as_it_is(s3: S3) -> None:
    s3.put_raw("lakes/one/a", b"hello")
    there = s3.store().fetch("a")
    assert (there.data, there.sha256, there.is_sound) == (b"hello", None, True)


def test_keys_may_have_the_signs_that_books_and_others_have(s3: S3) -> None:
    store = s3.store()
    for key in ("T/date=20240725/order_book=btc_mxn/minutes=10/sim-a b+c%41ñ.csv", "~x/(y)"):
        store.put_new(key, b"1")
        assert store.get(key) == b"1"
        assert key in [found.key for found in store.objects()]


def test_a_name_that_no_object_can_have_is_told(s3: S3) -> None:
    with pytest.raises(StoreError, match="has no good name"):
        s3.store().get("a//b")
    assert s3.gateway.requests == []


def test_an_object_of_such_a_name_is_told_where_it_is_listed(s3: S3) -> None:
    s3.put_raw("lakes/one/T//b", b"1")
    s3.put_raw("lakes/one/T/a", b"1")
    with pytest.raises(StoreError, match=r'has an object of a bad name \(.*"lakes/one/T//b"'):
        s3.store().objects("T")


def test_a_request_is_of_the_lakes_bucket(s3: S3) -> None:
    s3.store().folders()
    assert s3.gateway.requests == [Request("list", "lakes/one/", s3.bucket)]
