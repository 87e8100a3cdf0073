"""What keeps leases: all of them or none, then each that can be had; and what it says meanwhile."""

from __future__ import annotations

import pytest

from bitso_spread.cloud import keys
from bitso_spread.cloud.errors import RefusedError
from bitso_spread.cloud.keeper import LeaseKeeper, Standing
from bitso_spread.cloud.lease import EXPIRES_S, RENEWS_S
from bitso_spread.cloud.objects import Fetched, ObjectStore
from bitso_spread.cloud.version import Version
from bitso_spread.errors import LakeIdentityError
from bitso_spread.lake.layout import TABLE
from tests.cloud.conftest import S3
from tests.cloud.lease_support import Host, host


def keeper_of(one: Host, *books: str) -> LeaseKeeper:
    keeper = LeaseKeeper(one.leases, lambda: None)
    keeper.is_quiet = False
    keeper.want(books)
    return keeper


def test_books_that_are_free_are_held_after_one_round(s3: S3) -> None:
    keeper = keeper_of(host(s3, "a"), "btc_mxn", "usd_mxn")
    keeper.step()
    assert keeper.standing is Standing.HELD
    assert keeper.may_put("btc_mxn")
    assert list(keeper.unleased) == []


def test_of_two_that_want_several_none_keeps_half_of_them(s3: S3) -> None:
    a, b, c = (host(s3, name) for name in "abc")
    a.takes("usd_mxn")
    keeper = keeper_of(b, "btc_mxn", "usd_mxn")
    keeper.step()
    assert keeper.standing is Standing.WATCHED
    assert list(keeper.unleased) == ["btc_mxn", "usd_mxn"]
    assert c.takes("btc_mxn") == [True]


def test_it_tells_who_has_a_book_and_whether_that_one_lives(s3: S3) -> None:
    a, b = host(s3, "a"), host(s3, "b")
    a.takes("btc_mxn")
    keeper = keeper_of(b, "btc_mxn")
    keeper.step()
    assert (keeper.standing, keeper.holders) == (Standing.WATCHED, "the recorder 1 on a")
    a.passes(RENEWS_S)
    a.leases.renew()
    keeper.step()
    assert keeper.standing is Standing.BUSY


def test_once_books_are_recorded_each_lease_that_can_be_had_is_taken(
    s3: S3, caplog: pytest.LogCaptureFixture
) -> None:
    a, b = host(s3, "a"), host(s3, "b")
    a.takes("btc_mxn")
    keeper = keeper_of(b, "btc_mxn", "usd_mxn")
    keeper.record_meanwhile()
    for _ in range(3):
        keeper.step()
    assert list(keeper.unleased) == ["btc_mxn"]
    assert keeper.may_put("usd_mxn")
    said = "the recorder 1 on a has btc_mxn in the store: what is recorded here of these waits"
    assert caplog.text.count(said) == 1
    a.leases.end(leaves_files=False)
    keeper.step()
    assert list(keeper.unleased) == []
    assert "all leases are held again" in caplog.text


def test_books_come_back_by_themselves_after_it_was_taken_for_dead(s3: S3) -> None:
    a, b = host(s3, "a"), host(s3, "b")
    keeper = keeper_of(a, "btc_mxn", "usd_mxn")
    keeper.step()
    keeper.record_meanwhile()
    b.takes("btc_mxn")
    for _ in range(int(EXPIRES_S / 5) + 1):
        b.passes(5)
        b.takes("btc_mxn")
    a.passes(200)
    keeper.step()
    # The one that was taken waits; the other one is its own again.
    assert not keeper.may_put("btc_mxn")
    assert keeper.may_put("usd_mxn")
    b.leases.end(leaves_files=False)
    keeper.step()
    assert keeper.may_put("btc_mxn")
    assert keeper.contested("btc_mxn") > keeper.contested("usd_mxn")


def test_a_lease_is_lent_for_as_long_as_it_is_needed(s3: S3) -> None:
    a, b = host(s3, "a"), host(s3, "b")
    freed: list[str] = []
    keeper = LeaseKeeper(a.leases, lambda: None, freed.append)
    done = [False]
    keeper.lend("eth_mxn", lambda: done[0])
    keeper.step()
    assert keeper.may_put("eth_mxn")
    assert b.takes("eth_mxn") == [False]
    done[0] = True
    keeper.step()
    assert freed == ["eth_mxn"]
    assert b.takes("eth_mxn") == [True]


def test_a_lent_book_that_is_wanted_by_now_is_not_given_back(s3: S3) -> None:
    freed: list[str] = []
    keeper = LeaseKeeper(host(s3, "a").leases, lambda: None, freed.append)
    keeper.lend("eth_mxn", lambda: True)
    keeper.want(["btc_mxn", "eth_mxn"])
    keeper.step()
    assert freed == []
    assert keeper.may_put("eth_mxn")


def test_one_books_trouble_keeps_no_other_book_from_its_lease(s3: S3) -> None:
    one = host(s3, "a")
    one.store.put_new(keys.lease_key(TABLE, "btc_mxn"), b"[]")
    keeper = keeper_of(one, "btc_mxn", "eth_mxn", "usd_mxn")
    keeper.record_meanwhile()
    keeper.step()
    assert [keeper.may_put(book) for book in ("btc_mxn", "eth_mxn", "usd_mxn")] == [
        False,
        True,
        True,
    ]
    assert "btc_mxn.json is not what this version writes" in (keeper.trouble or "")
    # All of them or none, before anything is recorded.
    other = keeper_of(host(s3, "b"), "ada_mxn", "btc_mxn")
    other.step()
    assert (other.standing, other.may_put("ada_mxn")) == (Standing.TROUBLE, False)


def test_a_store_that_is_slow_keeps_nobody_from_its_leases(
    s3: S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = host(s3, "a"), host(s3, "b")
    books = [f"b{number:02}_mxn" for number in range(54)]
    put, fetch = ObjectStore.put_new, ObjectStore.fetch

    def slow_put(self: ObjectStore, key: str, data: bytes) -> Version:
        a.passes(1.0)
        return put(self, key, data)

    def slow_fetch(self: ObjectStore, key: str) -> Fetched:
        if self is b.store:
            b.passes(0.5)
        return fetch(self, key)

    monkeypatch.setattr(ObjectStore, "put_new", slow_put)
    monkeypatch.setattr(ObjectStore, "fetch", slow_fetch)
    # A round takes longer than a sign of life lasts: it gives signs meanwhile.
    first = keeper_of(a, *books)
    first.step()
    assert all(map(first.may_put, books))
    # The first one is dead, and its heir's rounds take longer than signs are apart.
    second = keeper_of(b, *books)
    second.record_meanwhile()
    for _ in range(8):
        second.step()
        b.passes(5)
    assert all(map(second.may_put, books))


def test_without_the_store_it_says_so_once_and_goes_on_when_it_is_back(
    s3: S3, caplog: pytest.LogCaptureFixture
) -> None:
    keeper = keeper_of(host(s3, "a"), "btc_mxn")
    s3.gateway.harm("slow-down")
    for _ in range(5):
        assert keeper.step() >= 1
    assert keeper.standing is Standing.TROUBLE
    assert "(503 SlowDown)" in (keeper.trouble or "")
    assert caplog.text.count("no lease can be had or renewed") == 1
    s3.gateway.heal()
    keeper.step()
    assert (keeper.standing, keeper.trouble) == (Standing.HELD, None)
    assert "the store gives leases again" in caplog.text


def test_what_the_table_holds_is_looked_at_before_any_lease(s3: S3) -> None:
    def other_kind() -> None:
        raise LakeIdentityError("the table holds csv")

    one = host(s3, "a")
    keeper = LeaseKeeper(one.leases, other_kind)
    keeper.want(["btc_mxn"])
    keeper.step()
    assert isinstance(keeper.refusal, LakeIdentityError)
    assert one.leases.books == frozenset()


def test_a_store_that_refuses_for_now_is_asked_again(s3: S3) -> None:
    told = [RefusedError("403")]

    def once() -> None:
        if told:
            raise told.pop()

    keeper = LeaseKeeper(host(s3, "a").leases, once)
    keeper.want(["btc_mxn"])
    keeper.step()
    assert (keeper.standing, keeper.refusal) == (Standing.TROUBLE, None)
    keeper.step()
    assert keeper.standing is Standing.HELD
