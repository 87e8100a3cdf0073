"""Leases on books: who has one, and who may take it, with clocks that no two hosts share."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bitso_spread.cloud import keys
from bitso_spread.cloud.errors import UnreachableError
from bitso_spread.cloud.lease import EXPIRES_S, HOLDS_S, RENEWS_S
from bitso_spread.cloud.leases import CONTESTED_S
from bitso_spread.cloud.remote import BRISK
from bitso_spread.cloud.version import Version
from bitso_spread.errors import LakeError
from bitso_spread.lake.layout import TABLE
from tests.cloud.conftest import S3
from tests.cloud.lease_support import NOON, Host, host

LOOK_S = 5.0


def watch(taker: Host, book: str, seconds: float) -> bool:
    """Try to take a book every few seconds for a while."""
    while seconds > 0:
        if taker.takes(book) == [True]:
            return True
        taker.passes(LOOK_S)
        seconds -= LOOK_S
    return taker.takes(book) == [True]


def test_of_two_that_want_a_book_one_has_it(s3: S3) -> None:
    a, b = host(s3, "a"), host(s3, "b")
    assert a.takes("btc_mxn", "usd_mxn") == [True, True]
    assert b.takes("btc_mxn", "eth_mxn") == [False, True]
    assert a.leases.may_put("btc_mxn")
    assert not b.leases.may_put("btc_mxn")
    assert b.leases.holders == {"btc_mxn": "the recorder 1 on a"}


def test_as_long_as_it_is_renewed_nobody_takes_it(s3: S3) -> None:
    a, b = host(s3, "a"), host(s3, "b")
    a.takes("btc_mxn")
    for _ in range(40):
        assert b.takes("btc_mxn") == [False]
        for each in (a, b):
            each.passes(RENEWS_S / 2)
        if a.leases.is_due:
            a.leases.renew()
    assert b.leases.is_known_to_live("btc_mxn")
    assert a.leases.may_put("btc_mxn")


def test_one_that_was_not_seen_to_renew_is_not_known_to_live(s3: S3) -> None:
    a, b = host(s3, "a"), host(s3, "b")
    a.takes("btc_mxn")
    assert watch(b, "btc_mxn", EXPIRES_S - 2 * LOOK_S) is False
    assert not b.leases.is_known_to_live("btc_mxn")


def test_it_is_taken_once_no_sign_was_seen_for_long_by_the_takers_own_clock(s3: S3) -> None:
    a, b = host(s3, "a"), host(s3, "b")
    a.recorded(btc_mxn=NOON + 7)
    a.takes("btc_mxn")
    # What the hosts take the time for does not matter.
    b.wall -= 86_400
    begun = b.now
    assert watch(b, "btc_mxn", EXPIRES_S + LOOK_S)
    assert EXPIRES_S <= b.now - begun <= EXPIRES_S + LOOK_S
    assert b.leases.recorded == {"btc_mxn": NOON + 7}
    # By the clock that is ahead: the other one may have put some seconds more than it told.
    assert b.leases.contested("btc_mxn") == NOON + 7 + CONTESTED_S
    assert HOLDS_S < CONTESTED_S


def test_who_held_it_has_stopped_putting_long_before(s3: S3) -> None:
    a = host(s3, "a")
    a.takes("btc_mxn")
    a.passes(HOLDS_S - 1)
    assert a.leases.may_put("btc_mxn")
    a.passes(1)
    assert not a.leases.may_put("btc_mxn")
    # What it sent last has come to its end, with what may follow it to check that it came.
    request_s = BRISK.connect_s + BRISK.retry_s + BRISK.request_s
    assert HOLDS_S + request_s < EXPIRES_S


def test_one_that_was_asleep_learns_that_its_books_are_gone(
    s3: S3, caplog: pytest.LogCaptureFixture
) -> None:
    a, b = host(s3, "a"), host(s3, "b")
    a.takes("btc_mxn", "usd_mxn")
    assert watch(b, "btc_mxn", EXPIRES_S + LOOK_S)
    a.passes(EXPIRES_S + 20)
    a.leases.renew()
    assert a.leases.books == frozenset()
    assert "was taken for dead, after 110 s" in caplog.text
    # The other one is gone, and nobody has taken it: it is its own again, and uncontested.
    assert a.takes("btc_mxn", "usd_mxn") == [False, True]
    assert a.leases.contested("usd_mxn") < a.wall + CONTESTED_S


def test_a_book_that_comes_back_is_contested_for_as_long_as_the_other_may_have_put(
    s3: S3,
) -> None:
    a, b = host(s3, "a"), host(s3, "b")
    a.takes("btc_mxn")
    assert watch(b, "btc_mxn", EXPIRES_S + LOOK_S)
    b.recorded(btc_mxn=NOON + 500)
    b.leases.end(leaves_files=False)
    a.passes(600)
    assert a.takes("btc_mxn") == [True]
    assert a.leases.contested("btc_mxn") == NOON + 600 + CONTESTED_S
    assert a.leases.recorded == {"btc_mxn": NOON + 500}
    # A crash before the files of that time are put must not make it forget.
    a.start()
    a.passes(1000)
    assert a.takes("btc_mxn") == [True]
    assert a.leases.contested("btc_mxn") == NOON + 600 + CONTESTED_S


def test_what_one_gives_back_another_has_at_once(s3: S3) -> None:
    a, b = host(s3, "a"), host(s3, "b")
    a.recorded(btc_mxn=NOON + 3, usd_mxn=NOON + 4)
    a.takes("btc_mxn", "usd_mxn")
    assert b.takes("btc_mxn") == [False]
    a.leases.end(leaves_files=False)
    assert b.takes("btc_mxn", "usd_mxn") == [True, True]
    assert b.leases.recorded == {"btc_mxn": NOON + 3, "usd_mxn": NOON + 4}


def test_one_that_ends_leaves_no_object_unless_its_files_wait(s3: S3) -> None:
    a, b = host(s3, "a"), host(s3, "b")
    a.takes("btc_mxn")
    b.takes("usd_mxn")
    a.leases.end(leaves_files=True)
    b.leases.end(leaves_files=False)
    assert len(a.store.objects(keys.recorders_prefix(TABLE))) == 1
    a.start()
    a.leases.bury([])
    assert a.store.objects(keys.recorders_prefix(TABLE)) == []


def test_one_that_could_not_say_that_it_ended_is_buried_by_who_has_its_books(s3: S3) -> None:
    a = host(s3, "a")
    a.recorded(btc_mxn=NOON, usd_mxn=NOON)
    a.takes("btc_mxn", "usd_mxn")
    a.leases.give_back(a.leases.books)
    a.start()
    for others in (["btc_mxn"], ["btc_mxn", "eth_mxn"]):
        # The book that is not among them may be recorded still.
        a.leases.bury(others)
        assert len(a.store.objects(keys.recorders_prefix(TABLE))) == 1
    b = host(s3, "b")
    b.leases.bury(["btc_mxn", "usd_mxn"])
    assert len(a.store.objects(keys.recorders_prefix(TABLE))) == 1
    a.leases.bury(["btc_mxn", "usd_mxn"])
    assert a.store.objects(keys.recorders_prefix(TABLE)) == []


def test_an_object_that_is_no_recorders_is_in_nobodys_way(s3: S3) -> None:
    a = host(s3, "a")
    junk = keys.recorder_key(TABLE, "junk")
    a.store.put_new(junk, b"[]")
    a.recorded(btc_mxn=NOON)
    a.takes("btc_mxn")
    a.start()
    a.leases.bury(["btc_mxn"])
    assert [found.key for found in a.store.objects(keys.recorders_prefix(TABLE))] == [junk]


def test_a_restart_on_the_same_host_has_its_books_back_at_once(s3: S3) -> None:
    a = host(s3, "a")
    a.takes("btc_mxn")
    before = a.leases.contested("btc_mxn")
    a.start()  # after kill -9
    a.passes(300)
    assert a.takes("btc_mxn") == [True]
    assert a.leases.contested("btc_mxn") == before
    assert len(a.store.objects(keys.recorders_prefix(TABLE))) == 1


def test_copies_of_a_local_half_do_not_take_from_each_other_for_ever(s3: S3) -> None:
    a, b = host(s3, "a", "the same"), host(s3, "b", "the same")
    a.takes("btc_mxn")
    assert b.takes("btc_mxn") == [True]
    for _ in range(20):
        for each in (a, b):
            each.passes(RENEWS_S)
            each.takes("btc_mxn")
    assert b.leases.may_put("btc_mxn")
    assert not a.leases.may_put("btc_mxn")


def test_a_copy_of_a_local_half_leaves_the_first_one_alone(
    s3: S3, caplog: pytest.LogCaptureFixture
) -> None:
    a, b = host(s3, "a", "the same"), host(s3, "b", "the same")
    a.recorded(btc_mxn=NOON + 100)
    a.takes("btc_mxn")
    # A machine that was cloned a minute ago has the journal of that time.
    b.marks = {"btc_mxn": NOON + 40}
    b.leases.bury(["btc_mxn"])
    assert "this state folder is a copy of one that others have recorded with" in caplog.text
    assert (a.half, b.half) == ("the same", "the same's copy")
    assert b.takes("btc_mxn") == [False]
    a.passes(RENEWS_S)
    a.leases.renew()
    assert a.leases.may_put("btc_mxn")
    a.leases.end(leaves_files=False)
    assert b.takes("btc_mxn") == [True]
    assert b.leases.recorded == {"btc_mxn": NOON + 100}
    assert b.leases.contested("btc_mxn") == NOON + 100 + CONTESTED_S


def test_an_older_state_of_a_local_half_goes_on_after_what_it_has_forgotten(s3: S3) -> None:
    a = host(s3, "a", "the same")
    a.takes("btc_mxn")
    before = a.leases.contested("btc_mxn")
    a.recorded(btc_mxn=NOON + 5000)
    a.leases.end(leaves_files=False)
    a.passes(6000)
    a.marks = {"btc_mxn": NOON + 10}
    a.start()
    a.leases.bury(["btc_mxn"])
    assert a.takes("btc_mxn") == [True]
    assert a.leases.recorded == {"btc_mxn": NOON + 5000}
    assert a.leases.contested("btc_mxn") == NOON + 6000 + CONTESTED_S > before
    assert a.half == "the same's copy"


def test_a_kill_that_cost_the_last_second_makes_no_copy(s3: S3) -> None:
    a = host(s3, "a", "the same")
    a.recorded(btc_mxn=NOON + 5000)
    a.beat = replace(a.beat, rows_in_memory=8)
    a.takes("btc_mxn")
    a.marks = {"btc_mxn": NOON + 4990}
    a.start()
    a.leases.bury(["btc_mxn"])
    assert a.takes("btc_mxn") == [True]
    assert a.half == "the same"


def test_of_two_copies_that_nobody_could_tell_the_one_that_was_fenced_parts(s3: S3) -> None:
    a, b = host(s3, "a", "the same"), host(s3, "b", "the same")
    a.takes("btc_mxn")
    assert b.takes("btc_mxn") == [True]
    a.passes(RENEWS_S)
    assert a.takes("btc_mxn") == [False]
    assert (a.half, b.half) == ("the same's copy", "the same")
    b.recorded(btc_mxn=NOON + 3000)
    b.leases.end(leaves_files=False)
    # What it has recorded meanwhile, the other one has too.
    assert a.takes("btc_mxn") == [True]
    assert a.leases.contested("btc_mxn") == NOON + 3000 + CONTESTED_S


@pytest.mark.parametrize("kind", ["put", "get", "head"])
@pytest.mark.parametrize("how", ["lose", "reset", "slow-down"])
def test_an_answer_that_is_lost_costs_no_lease(s3: S3, kind: str, how: str) -> None:
    a, b = host(s3, "a"), host(s3, "b")
    for _ in range(6):
        s3.gateway.harm(how, kind, times=1)
        for _ in range(3):
            try:
                taken = a.takes("btc_mxn", "usd_mxn")
            except UnreachableError:
                continue
        s3.gateway.heal()
        assert taken == [True, True]
        assert a.leases.may_put("btc_mxn")
        a.passes(RENEWS_S)
        assert b.takes("btc_mxn") == [False]
        b.passes(RENEWS_S)


def test_while_the_store_is_away_for_both_nobody_is_taken_for_dead(s3: S3) -> None:
    a, b = host(s3, "a"), host(s3, "b")
    a.takes("btc_mxn")
    assert b.takes("btc_mxn") == [False]
    s3.gateway.go_down()
    with pytest.raises(UnreachableError):
        b.takes("btc_mxn")
    for each in (a, b):
        each.passes(EXPIRES_S + 10)
    s3.gateway.come_up()
    # The other one is the first that is back.
    assert b.takes("btc_mxn") == [False]
    a.leases.renew()
    assert a.leases.may_put("btc_mxn")


def test_a_sign_of_life_at_the_last_instant_is_stronger(
    s3: S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = host(s3, "a"), host(s3, "b")
    a.takes("btc_mxn")
    assert not watch(b, "btc_mxn", EXPIRES_S - 2 * LOOK_S)
    b.passes(2 * LOOK_S)
    b.leases.renew()
    replace = b.store.replace

    def late(key: str, data: bytes, version: Version) -> Version:
        # It renews after the other one has looked, and before that one has fenced it.
        a.leases.renew()
        return replace(key, data, version)

    monkeypatch.setattr(b.store, "replace", late)
    assert b.takes("btc_mxn") == [False]
    assert a.leases.may_put("btc_mxn")


def test_one_sign_of_life_is_one_put_however_many_books(s3: S3) -> None:
    a = host(s3, "a")
    books = [f"b{number}_mxn" for number in range(20)]
    a.takes(*books)
    s3.gateway.forget()
    for _ in range(3):
        a.passes(RENEWS_S)
        assert all(a.takes(*books))
    assert s3.gateway.counts() == {"put": 3}


def test_who_waits_for_many_books_asks_for_one(s3: S3) -> None:
    a, b = host(s3, "a"), host(s3, "b")
    books = [f"b{number}_mxn" for number in range(20)]
    a.takes(*books)
    b.takes(books[0])
    s3.gateway.forget()
    assert b.takes(books[0]) == [False]
    assert s3.gateway.counts() == {"get": 2}


def test_what_is_no_lease_is_told(s3: S3) -> None:
    a = host(s3, "a")
    a.store.put_new(keys.lease_key(TABLE, "btc_mxn"), b"[]")
    with pytest.raises(LakeError, match=r"leases/.*btc_mxn.json is not what this version writes"):
        a.takes("btc_mxn")
