"""The order-book client against a simulated exchange, on real sockets."""

import functools
import socket
import textwrap
import threading
import time
from collections.abc import Callable
from decimal import Decimal

import pytest

import bitso_spread
from bitso_spread.clock import monotonic
from bitso_spread.errors import UnknownBookError, UsageError
from bitso_spread.exchange import confirm, feed, rest_side
from bitso_spread.exchange.client import OrderBookClient
from bitso_spread.exchange.environment import STAGE, Environment, environment
from bitso_spread.exchange.standing import Rules, Standing
from bitso_spread.model import State
from bitso_spread.sim.server import SimulatedExchange
from tests.exchange.support import Connect, HandMarket, eventually, orders_frame, quote

CROSSED = (
    '{"success":true,"payload":{"updated_at":"2025-06-05T13:32:36+00:00","sequence":"1",'
    '"bids":[{"price":"2","amount":"1"}],"asks":[{"price":"1","amount":"1"}]}}'
)
FIRST, SECOND, THIRD = quote(1000, 1010), quote(990, 1010), quote(980, 1010)
USD = quote("18.319", "18.387", "usd_mxn")


def vouched(client: OrderBookClient, book: str = "btc_mxn") -> Callable[[], bool]:
    return lambda: client.standing(book).vouched


def subscribed(client: OrderBookClient, book: str = "btc_mxn") -> Callable[[], bool]:
    """Tell whether the link is up and has taken the subscription."""

    def is_subscribed() -> bool:
        reason = client.standing(book).reason or ""
        return not reason.startswith(("no link", "not subscribed"))

    return is_subscribed


def keep(client: OrderBookClient, market: HandMarket) -> None:
    """Let the feed take the books over: REST would vouch for them a second later."""
    for book, top in {"btc_mxn": FIRST, "usd_mxn": USD}.items():
        if book in client.books:
            eventually(subscribed(client, book))
            market.move(top)
            eventually(vouched(client, book))


def ticking(start: float, end: float) -> list[float]:
    """Give instants from start to end, a twentieth of a second apart."""
    return [start + number / 20 for number in range(int((end - start) * 20) + 1)]


def comes_thrice_in(seconds: float, count: Callable[[], int]) -> Callable[[], bool]:
    """Tell whether something has come three times within some seconds, once it has."""
    seen = [(time.monotonic(), count())]

    def came() -> bool:
        now = time.monotonic(), count()
        seen[:] = [(at, number) for at, number in seen if at >= now[0] - seconds]
        seen.append(now)
        return now[1] >= seen[0][1] + 3

    return came


def bid_amount(client: OrderBookClient, book: str) -> Decimal | None:
    quote = client.standing(book).quote
    return None if quote is None else quote.bid_amount


def order_books(exchange: SimulatedExchange) -> int:
    return exchange.counts.requests["order_book"]


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let REST be asked for the same book after 0.1 s, where a second of waiting shows nothing."""
    monkeypatch.setattr(confirm, "MIN_GAP_S", 0.1)


# First data, and keeping it.


@pytest.mark.usefixtures("hasty")
def test_rest_gives_the_first_data_and_the_feed_keeps_it(
    exchange: SimulatedExchange, market: HandMarket, connect: Connect
) -> None:
    client = connect("btc_mxn", "usd_mxn")
    assert client.wait_until_known(timeout=30)
    assert (client.quote("btc_mxn"), client.quote("usd_mxn")) == (FIRST, USD)
    assert client.standing("btc_mxn").source == "rest"
    eventually(lambda: all(client.standing(book).vouched for book in client.books))
    market.move(SECOND)
    eventually(lambda: client.quote("btc_mxn") == SECOND)
    standing = client.standing("btc_mxn")
    assert (standing.source, standing.vouched, standing.reason) == ("feed", True, None)
    assert client.quote("usd_mxn") == USD
    assert exchange.counts.subscriptions == {"btc_mxn": 1, "usd_mxn": 1}
    # For each book: its first data, and once more after the subscription.
    assert order_books(exchange) <= 4
    assert client.counts["frames"] == 1


def test_a_quiet_book_keeps_its_quote_and_is_confirmed(
    exchange: SimulatedExchange, market: HandMarket, connect: Connect
) -> None:
    client = connect(refresh_after_s=1.1, interval_s=0.5)
    began = monotonic()
    keep(client, market)
    eventually(lambda: client.standing("btc_mxn").source == "rest")
    # Looked at afterwards, each instant is as it was then, however late this thread is.
    asked, instants = order_books(exchange), ticking(began, monotonic())
    told = [client.standing("btc_mxn", at) for at in instants]
    since = next(i for i, standing in enumerate(told) if standing.source == "feed")
    assert {(standing.quote, standing.vouched) for standing in told[since:]} == {(FIRST, True)}
    by_feed = [standing.state for standing in told[since:] if standing.source == "feed"]
    assert list(dict.fromkeys(by_feed)) == [State.FRESH, State.QUIET]
    # Once more for each time that it was quiet for so long.
    assert asked <= 2 + (monotonic() - began) / 1.1
    assert exchange.counts.frames["btc_mxn"] == 1


def test_the_feed_alone_is_enough(
    exchange: SimulatedExchange, market: HandMarket, connect: Connect
) -> None:
    exchange.faults.rest_down = True
    client = connect()
    eventually(subscribed(client))
    eventually(lambda: "cannot reach 127.0.0.1" in client.trouble("btc_mxn"))
    assert client.quote("btc_mxn") is None
    market.move(SECOND)
    eventually(vouched(client))
    assert client.quote("btc_mxn") == SECOND


def test_more_than_ten_books_are_had_in_one_request() -> None:
    with SimulatedExchange() as exchange:
        where = environment("sim", exchange.rest_url, exchange.ws_url)
        with OrderBookClient(list(exchange.market.specs), where) as client:
            assert len(client.books) > 10
            assert client.wait_until_known(timeout=30)
    assert order_books(exchange) == 0
    assert exchange.counts.requests["ticker"] <= 2


def test_a_ticker_that_bears_out_the_feed_leaves_its_amounts_standing() -> None:
    books = [f"aa{number:02}_mxn" for number in range(11)]
    market = HandMarket(*(quote(1000, 1010, book) for book in books))
    with SimulatedExchange(market) as exchange:
        where = environment("sim", exchange.rest_url, exchange.ws_url)
        rules = Rules(refresh_after_s=0.5)
        with OrderBookClient(books, where, rules=rules) as client:
            eventually(lambda: client.quote(books[0]))
            # The seed came by ticker, which tells no amounts.
            assert client.standing(books[0]).quote == quote(1000, 1010, books[0])
            assert bid_amount(client, books[0]) is None
            eventually(vouched(client, books[0]))
            market.move(quote(999, 1010, books[0]))
            eventually(lambda: bid_amount(client, books[0]))
            told = bid_amount(client, books[0])
            asked = exchange.counts.requests["ticker"]
            eventually(lambda: exchange.counts.requests["ticker"] > asked)
            eventually(lambda: client.standing(books[0]).source == "rest")
            assert bid_amount(client, books[0]) == told
            assert client.standing(books[0]).exchange_ms is not None


def test_a_late_tick_reads_the_quote_of_then(market: HandMarket, connect: Connect) -> None:
    client = connect()
    keep(client, market)
    then = monotonic()
    market.move(SECOND)
    eventually(lambda: client.quote("btc_mxn") == SECOND)
    assert client.standing("btc_mxn", then).quote == FIRST
    assert client.standing("btc_mxn", then - 60).quote is None


# The link.


@pytest.mark.usefixtures("hasty")
def test_after_a_cut_nothing_vouches_until_a_reply_that_was_asked_for_since(
    exchange: SimulatedExchange, market: HandMarket, connect: Connect
) -> None:
    client = connect(max_stale_s=60)
    keep(client, market)
    # Not before all is seen that is so without a reply.
    exchange.faults.rest_down = True
    asked = order_books(exchange)
    exchange.faults.drop_connections()
    eventually(lambda: client.counts["connections"] == 2)
    eventually(subscribed(client))
    standing = client.standing("btc_mxn")
    assert (standing.quote, standing.vouched) == (FIRST, False)
    assert standing.reason == "not confirmed since the link came up"
    exchange.faults.rest_down = False
    eventually(vouched(client))
    assert client.standing("btc_mxn").source == "rest"
    assert order_books(exchange) > asked
    assert client.counts["disconnects"] == 1


def test_after_a_cut_a_frame_vouches_as_well(
    exchange: SimulatedExchange, market: HandMarket, connect: Connect
) -> None:
    client = connect(max_stale_s=0.3)
    keep(client, market)
    exchange.faults.rest_down = True
    exchange.faults.drop_connections()
    eventually(lambda: client.counts["connections"] == 2)
    eventually(subscribed(client))
    # What was last said ages, and what changed meanwhile is not known.
    eventually(lambda: client.quote("btc_mxn") is None)
    market.move(SECOND)
    eventually(vouched(client))
    assert client.quote("btc_mxn") == SECOND


def test_keep_alives_make_no_book_known() -> None:
    market = HandMarket(FIRST)
    with SimulatedExchange(market, keepalive_s=0.05) as exchange:
        where = environment("sim", exchange.rest_url, exchange.ws_url)
        with OrderBookClient(["btc_mxn"], where, rules=Rules(max_stale_s=0.3)) as client:
            keep(client, market)
            exchange.faults.rest_down = True
            exchange.faults.drop_connections()
            eventually(lambda: client.counts["connections"] == 2)
            heard = client.counts["keepalives"]
            eventually(lambda: client.quote("btc_mxn") is None)
            eventually(lambda: client.counts["keepalives"] > heard + 5)
            standing = client.standing("btc_mxn")
            assert (standing.state, standing.vouched) == (State.UNKNOWN, False)


def test_while_there_is_no_feed_rest_carries_the_books(
    exchange: SimulatedExchange,
    market: HandMarket,
    connect: Connect,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Asked for each three seconds, which leaves three more where this machine is busy.
    monkeypatch.setattr(confirm, "CARRY_MARGIN_S", 3)
    exchange.faults.refuse_connections = True
    client = connect("btc_mxn", "usd_mxn", max_stale_s=6)
    assert client.wait_until_known(timeout=30)
    market.move(SECOND)
    began = time.monotonic()

    def carried() -> bool:
        for book in client.books:
            standing = client.standing(book)
            assert standing.quote is not None
            assert not standing.vouched
        return client.quote("btc_mxn") == SECOND and time.monotonic() - began > 6.2

    eventually(carried)
    assert "503" in client.trouble("btc_mxn")
    # Each of them is asked for once, and from then on one request brings both.
    assert order_books(exchange) <= 2
    assert 1 <= exchange.counts.requests["ticker"] <= (time.monotonic() - began) / 3 + 2


@pytest.mark.usefixtures("hasty")
def test_a_feed_that_lags_too_far_is_no_feed_and_rest_carries_the_books(
    exchange: SimulatedExchange, market: HandMarket, connect: Connect
) -> None:
    client = connect("btc_mxn", "usd_mxn", max_stale_s=0.3)
    keep(client, market)
    exchange.faults.lag_s = 5
    market.move(SECOND)
    eventually(lambda: client.link.lag_s > 0.3)
    # As late as the first frame was, it is less; and more, as late as this one is.
    assert 1 < client.link.lag_s < 15
    assert not client.standing("usd_mxn").vouched
    assert "lags by" in (client.standing("usd_mxn").reason or "")
    # One request brings both, at once.
    eventually(lambda: exchange.counts.requests["ticker"] >= 1)
    exchange.faults.lag_s = 0
    market.move(THIRD)
    eventually(vouched(client, "usd_mxn"))
    assert client.quote("btc_mxn") == THIRD


# What is wrong with one book.


@pytest.mark.usefixtures("hasty")
def test_a_book_that_has_gone_mute_is_found_by_rest_and_subscribed_anew(
    exchange: SimulatedExchange,
    market: HandMarket,
    connect: Connect,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(confirm, "SUSPECT_S", 0.1)
    monkeypatch.setattr(confirm, "MUTE_S", 0.1)
    client = connect(refresh_after_s=0.6)
    keep(client, market)
    exchange.faults.mute = {"btc_mxn"}
    market.move(SECOND)
    eventually(lambda: client.quote("btc_mxn") == SECOND)
    assert client.standing("btc_mxn").source == "rest"
    eventually(lambda: exchange.counts.subscriptions["btc_mxn"] == 2)
    assert client.counts["mute"] == 1
    # The link is not what was wrong.
    assert client.counts["connections"] == 1
    # Until its frames come again, REST looks at it more often than at others.
    eventually(comes_thrice_in(1.5, lambda: order_books(exchange)))
    exchange.faults.mute = set()
    market.move(THIRD)
    eventually(lambda: client.standing("btc_mxn").source == "feed")
    assert client.quote("btc_mxn") == THIRD
    asked, now = order_books(exchange), time.monotonic()
    eventually(lambda: time.monotonic() - now > 0.5)
    assert order_books(exchange) <= asked + 1 + (time.monotonic() - now) / 0.6
    assert client.counts["mute"] == 1


@pytest.mark.usefixtures("hasty")
def test_a_reply_that_a_frame_has_overtaken_says_nothing(
    exchange: SimulatedExchange, market: HandMarket, connect: Connect
) -> None:
    client = connect(refresh_after_s=0.5)
    keep(client, market)
    exchange.faults.rest_delay_s = 0.1
    asked = order_books(exchange)
    eventually(lambda: order_books(exchange) >= asked + 1)
    market.move(SECOND)
    # The next request is made once the reply of the one before has been read.
    seen = order_books(exchange)
    eventually(lambda: order_books(exchange) >= seen + 1)
    eventually(lambda: client.quote("btc_mxn") == SECOND)
    eventually(lambda: order_books(exchange) >= seen + 2)
    assert client.quote("btc_mxn") == SECOND
    assert client.counts["mute"] == 0
    assert exchange.counts.subscriptions["btc_mxn"] == 1


@pytest.mark.usefixtures("hasty")
def test_a_crossed_frame_puts_its_book_in_doubt_and_rest_settles_it(
    exchange: SimulatedExchange, market: HandMarket, connect: Connect
) -> None:
    client = connect(max_stale_s=60)
    keep(client, market)
    # Not before the doubt is seen.
    exchange.faults.rest_down = True
    exchange.faults.send_crossed("btc_mxn")
    eventually(lambda: "rejected: crossed" in (client.standing("btc_mxn").reason or ""))
    doubted = client.standing("btc_mxn")
    assert (doubted.quote, doubted.state) == (FIRST, State.HELD)
    assert client.counts["rejected_crossed"] == 1
    exchange.faults.rest_down = False
    eventually(vouched(client))
    assert client.quote("btc_mxn") == FIRST
    assert client.standing("btc_mxn").source == "rest"


@pytest.mark.parametrize("fault", ["send_one_sided", "send_empty"])
def test_a_doubt_that_nothing_settles_makes_the_book_unknown(
    exchange: SimulatedExchange, market: HandMarket, connect: Connect, fault: str
) -> None:
    client = connect(max_stale_s=0.3)
    keep(client, market)
    exchange.faults.rest_down = True
    getattr(exchange.faults, fault)("btc_mxn")
    eventually(lambda: client.quote("btc_mxn") is None)
    assert client.counts[f"rejected_{fault.removeprefix('send_')}"] == 1
    market.move(SECOND)
    eventually(vouched(client))
    assert client.quote("btc_mxn") == SECOND


@pytest.mark.usefixtures("hasty")
def test_a_reply_among_crossed_frames_is_asked_for_again_while_the_quote_still_stands(
    exchange: SimulatedExchange, market: HandMarket, connect: Connect
) -> None:
    client = connect(max_stale_s=10)
    keep(client, market)
    exchange.faults.rest_delay_s = 0.1
    asked = order_books(exchange)
    exchange.faults.send_crossed("btc_mxn")
    eventually(lambda: order_books(exchange) >= asked + 1)
    # It comes after the request was sent, which the reply therefore does not settle.
    exchange.faults.send_crossed("btc_mxn")
    eventually(lambda: client.counts["rejected_crossed"] == 2)

    def settled() -> bool:
        standing = client.standing("btc_mxn")
        assert standing.quote == FIRST
        return standing.vouched

    eventually(settled)
    assert order_books(exchange) == asked + 2


@pytest.mark.usefixtures("hasty")
def test_a_rejected_reply_is_asked_for_again_while_the_quote_still_stands(
    exchange: SimulatedExchange, market: HandMarket, connect: Connect
) -> None:
    client = connect(refresh_after_s=1, max_stale_s=10)
    keep(client, market)
    exchange.faults.rest_status, exchange.faults.rest_body = 200, CROSSED
    eventually(lambda: "rejected: crossed" in (client.standing("btc_mxn").reason or ""))
    exchange.faults.rest_status = None

    def settled() -> bool:
        standing = client.standing("btc_mxn")
        assert standing.quote == FIRST
        return standing.vouched

    eventually(settled)


@pytest.mark.usefixtures("hasty")
def test_a_book_that_is_crossed_for_good_does_not_use_up_the_requests(
    exchange: SimulatedExchange, connect: Connect
) -> None:
    exchange.faults.rest_status, exchange.faults.rest_body = 200, CROSSED
    client = connect()
    eventually(lambda: client.counts["rest_rejected_crossed"])
    assert client.wait_until_known(timeout=0.4) is False
    assert order_books(exchange) == 1
    assert "crossed" in client.trouble("btc_mxn")


def test_frames_of_other_books_change_nothing(
    exchange: SimulatedExchange, market: HandMarket, connect: Connect
) -> None:
    client = connect()
    keep(client, market)
    exchange.faults.send_raw(orders_frame(["1"], ["2"], book="eth_mxn").decode())
    eventually(lambda: client.counts["rejected_unknown_book"] == 1)
    assert client.standing("btc_mxn").vouched
    assert client.quote("btc_mxn") == FIRST
    with pytest.raises(UnknownBookError, match="eth_mxn is not among the books"):
        client.quote("eth_mxn")
    assert client.quote("BTC/MXN") == FIRST


def test_a_refused_book_is_told_and_the_others_go_on(
    exchange: SimulatedExchange, market: HandMarket, connect: Connect
) -> None:
    exchange.faults.refuse_books = {"usd_mxn"}
    client = connect("btc_mxn", "usd_mxn")
    eventually(lambda: client.refusal("usd_mxn"))
    assert client.refusal("usd_mxn") == "This book is not supported - usd_mxn"
    assert client.refusal("btc_mxn") is None
    market.move(SECOND)
    eventually(vouched(client))


@pytest.mark.usefixtures("hasty")
def test_a_book_that_neither_half_knows_is_refused_by_both(
    exchange: SimulatedExchange, connect: Connect
) -> None:
    client = connect("btc_mxn", "nope_mxn")
    eventually(lambda: "Unknown order book nope_mxn" in client.trouble("nope_mxn"))
    eventually(lambda: "not supported" in (client.refusal("nope_mxn") or ""))
    eventually(vouched(client))
    asked = order_books(exchange)
    assert client.wait_until_known(timeout=0.4) is False
    # Bitso's own no would be the same a second later.
    assert order_books(exchange) == asked


# Requests.


def test_being_told_off_is_a_minute_of_silence(
    exchange: SimulatedExchange, market: HandMarket, connect: Connect
) -> None:
    exchange.faults.throttle()
    client = connect("btc_mxn", "usd_mxn")
    eventually(lambda: client.counts["rest_failures"])
    assert "too many requests" in client.trouble("btc_mxn")
    eventually(lambda: client.counts["rest_throttles"] == 1)
    eventually(subscribed(client))
    market.move(SECOND)
    eventually(lambda: client.quote("btc_mxn") == SECOND)
    eventually(lambda: client.counts["frames"] >= 1)
    exchange.faults.drop_connections()
    eventually(lambda: client.counts["connections"] == 2)
    assert client.counts["down_lost"] == 1
    assert exchange.counts.throttled == 1


def test_rest_is_not_stormed_while_it_fails(exchange: SimulatedExchange, connect: Connect) -> None:
    exchange.faults.rest_status = 500
    began = time.monotonic()
    client = connect()
    eventually(lambda: client.counts["rest_failures"])
    eventually(lambda: time.monotonic() - began > 0.5)
    # One, and another one for each second that this may have taken.
    assert 1 <= order_books(exchange) <= 1 + (time.monotonic() - began)


# Use.


def test_the_lines_that_the_package_shows_work(
    where: Environment, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = (bitso_spread.__doc__ or "").split("::\n", 1)[1]
    client = functools.partial(OrderBookClient, environment=where)
    monkeypatch.setitem(vars(bitso_spread), "OrderBookClient", client)
    exec(textwrap.dedent(shown), {})  # noqa: S102  (what a reader would type)
    assert capsys.readouterr().out.startswith(str(FIRST).partition(", bid_amount")[0])


def test_names_are_read_as_people_write_them(connect: Connect) -> None:
    client = connect("BTC-MXN", "usd/mxn,btc_mxn")
    assert client.books == ("btc_mxn", "usd_mxn")


@pytest.mark.parametrize("name", ["../../x", "btc", ""])
def test_what_is_no_book_is_refused_at_once(where: Environment, name: str) -> None:
    with pytest.raises(UsageError):
        OrderBookClient([name or "_"], where)


def test_an_environment_without_a_feed_says_what_works_there() -> None:
    with pytest.raises(UsageError, match="bitso-spread snapshot"):
        OrderBookClient(environment=STAGE)


def test_waiting_for_what_does_not_come_ends_in_time(
    exchange: SimulatedExchange, connect: Connect
) -> None:
    exchange.faults.rest_down = True
    client = connect()
    began = time.monotonic()
    assert client.wait_until_known(timeout=0.2) is False
    assert 0.2 <= time.monotonic() - began < 10
    threading.Timer(0.1, client.stop).start()
    assert client.wait_until_known(timeout=60) is False
    assert time.monotonic() - began < 30


def test_books_are_taken_up_and_left_while_it_runs(
    exchange: SimulatedExchange, market: HandMarket, connect: Connect
) -> None:
    client = connect("btc_mxn")
    keep(client, market)
    client.set_books(["btc_mxn", "usd_mxn"])
    market.move(SECOND)
    eventually(lambda: client.quote("btc_mxn") == SECOND)
    keep(client, market)
    assert client.standing("btc_mxn").vouched
    client.set_books(["usd_mxn"])
    assert client.books == ("usd_mxn",)
    assert exchange.counts.connections == 1


# Stopping.


# What it may take on a machine that is busy; what is waited for otherwise takes longer.
PROMPT_S = 5


def stopping(client: OrderBookClient) -> float:
    began = time.monotonic()
    client.stop()
    return time.monotonic() - began


def threads_left() -> set[str]:
    return {thread.name for thread in threading.enumerate()} & {"feed", "rest"}


def test_stopping_ends_both_threads(
    market: HandMarket, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Nothing but the stop itself ends a read, or a wait for something to do.
    monkeypatch.setattr(feed, "LOOK_S", 60)
    monkeypatch.setattr(rest_side, "_LOOK_S", 60)
    client = connect()
    keep(client, market)
    assert stopping(client) < PROMPT_S
    eventually(lambda: not threads_left())


def test_stopping_on_a_silent_link_and_a_slow_request_is_prompt(
    exchange: SimulatedExchange, connect: Connect
) -> None:
    exchange.faults.silent = True
    exchange.faults.rest_delay_s = PROMPT_S + 1
    client = connect()
    eventually(lambda: client.counts["connections"] and order_books(exchange))
    assert stopping(client) < PROMPT_S
    eventually(lambda: not threads_left())
    # The request that was left behind is nobody's news.
    assert client.counts["rest_failures"] == 0


def test_stopping_while_nothing_can_be_reached_is_prompt() -> None:
    where = environment("sim", "http://127.0.0.1:1/v3", "ws://127.0.0.1:1")
    client = OrderBookClient(["btc_mxn"], where)
    client.start()
    eventually(lambda: client.counts["disconnects"] >= 2 and client.counts["rest_failures"])
    assert stopping(client) < PROMPT_S
    eventually(lambda: not threads_left())


def test_stopping_while_nobody_answers_is_prompt() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        where = environment("sim", f"http://127.0.0.1:{port}/v3", f"ws://127.0.0.1:{port}")
        client = OrderBookClient(["btc_mxn"], where)
        client.start()
        with server.accept()[0], server.accept()[0]:
            assert stopping(client) < PROMPT_S
    eventually(lambda: not threads_left())


def test_stopping_while_the_request_limit_leaves_no_room_is_prompt(
    exchange: SimulatedExchange, connect: Connect
) -> None:
    exchange.faults.throttle()
    client = connect()
    eventually(lambda: client.counts["rest_failures"])
    assert stopping(client) < PROMPT_S
    eventually(lambda: not threads_left())


def test_a_client_that_was_never_started_can_be_stopped(where: Environment) -> None:
    client = OrderBookClient(["btc_mxn"], where)
    client.stop()
    standing: Standing = client.standing("btc_mxn")
    assert (standing.state, standing.reason) == (State.UNKNOWN, "no link: not connected yet")


def test_one_book_may_be_named_by_itself_and_none_is_refused() -> None:
    assert OrderBookClient("BTC-MXN").books == ("btc_mxn",)
    with pytest.raises(UsageError, match="no book is named"):
        OrderBookClient([])
