import functools
import logging
from collections.abc import Callable

import pytest

from bitso_spread.errors import (
    BitsoSpreadError,
    ExchangeError,
    LakeError,
    UnknownBookError,
    UsageError,
)
from bitso_spread.exchange import book_list
from bitso_spread.exchange.book_list import BookList
from bitso_spread.exchange.environment import Environment
from bitso_spread.exchange.rest import RestClient
from bitso_spread.exchange.rest_errors import BitsoError
from bitso_spread.sim.server import SimulatedExchange
from tests.exchange.support import eventually

NOTHING_LISTED = '{"success":true,"payload":[]}'
WRONG_KEY = '{"success":false,"error":{"code":"0201","message":"check your credentials"}}'
DISABLED = '{"success":false,"error":{"code":"1000","message":"temporarily disabled"}}'


def answer(exchange: SimulatedExchange, status: int, body: str) -> None:
    exchange.faults.rest_status, exchange.faults.rest_body = status, body


def test_names_become_the_exchange_s_own(where: Environment) -> None:
    assert BookList(where, ["MXN/BTC", "usd-mxn,btc_mxn"]).look_up() == ["btc_mxn", "usd_mxn"]


def test_all_is_every_book_on_offer(where: Environment) -> None:
    books = BookList(where, ["ALL"])
    assert books.all
    assert books.look_up() == ["btc_mxn", "usd_mxn"]


def test_all_may_stand_among_names(where: Environment) -> None:
    books = BookList(where, ["all,mxn_btc", "nope_mxn"])
    assert books.all
    assert books.look_up() == ["btc_mxn", "usd_mxn"]


def test_a_book_that_is_not_on_offer_is_named_with_those_like_it(where: Environment) -> None:
    with pytest.raises(UnknownBookError, match="no book btc_mxm; did you mean btc_mxn"):
        BookList(where, ["btc_mxm"]).look_up()


@pytest.mark.parametrize("names", [[], [""], [","]])
def test_no_name_at_all_is_refused(where: Environment, names: list[str]) -> None:
    with pytest.raises(UsageError, match="no book is named"):
        BookList(where, names)


def test_where_nobody_can_be_asked_names_are_taken_as_written(
    exchange: SimulatedExchange, where: Environment, caplog: pytest.LogCaptureFixture
) -> None:
    answer(exchange, 200, "<html>")
    assert BookList(where, ["mxn_btc"]).look_up() == ["mxn_btc"]
    assert "the names of books are taken as written" in caplog.text
    with pytest.raises(ExchangeError):
        BookList(where, ["all"]).look_up()


def test_a_list_without_a_book_is_no_list(exchange: SimulatedExchange, where: Environment) -> None:
    answer(exchange, 200, NOTHING_LISTED)
    assert BookList(where, ["btc_mxn"]).look_up() == ["btc_mxn"]
    with pytest.raises(ExchangeError, match="lists no book at all"):
        BookList(where, ["all"]).look_up()


def test_what_bitso_refuses_for_good_is_said_before_anything_is_recorded(
    exchange: SimulatedExchange, where: Environment
) -> None:
    answer(exchange, 401, WRONG_KEY)
    with pytest.raises(BitsoError, match="BITSO_API_KEY"):
        BookList(where, ["btc_mxn"]).look_up()


def test_an_error_of_bitso_s_own_that_passes_does_not_keep_the_feed_from_starting(
    exchange: SimulatedExchange, where: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Asking again would take seconds, and is the business of other tests.
    monkeypatch.setattr(book_list, "RestClient", functools.partial(RestClient, attempts=1))
    answer(exchange, 500, DISABLED)
    assert BookList(where, ["btc_mxn"]).look_up() == ["btc_mxn"]


def test_a_renewed_list_is_given_once(where: Environment) -> None:
    books = BookList(where, ["all"])
    books.look_up()
    assert books.refreshed() is None
    books.refresh(lambda found: found[:1])
    found: list[list[str] | None] = []

    def is_there() -> bool:
        found.append(books.refreshed())
        return found[-1] is not None

    eventually(is_there)
    assert found[-1] == ["btc_mxn"]
    assert books.refreshed() is None


def failing(error: BitsoSpreadError) -> Callable[[list[str]], list[str]]:
    def prepare(_: list[str]) -> list[str]:
        raise error

    return prepare


def test_a_list_that_cannot_be_renewed_leaves_the_old_one(
    exchange: SimulatedExchange, where: Environment, caplog: pytest.LogCaptureFixture
) -> None:
    books = BookList(where, ["all"])
    with caplog.at_level(logging.WARNING):
        # No thread may end with a traceback: the recorder runs on.
        books.refresh(failing(LakeError("the disk is full")))
        eventually(lambda: "the disk is full" in caplog.text)
        answer(exchange, 200, NOTHING_LISTED)
        books.refresh(lambda found: found)
        eventually(lambda: "lists no book at all" in caplog.text)
    assert books.refreshed() is None
