"""When order book, ticker and feed agree, as a function of what each said and when."""

from __future__ import annotations

import pytest

from bitso_spread.doctor.agreement import Comparison, Glance, compare
from bitso_spread.doctor.transcript import Said
from bitso_spread.model import Quote
from tests.exchange.support import quote

OLD, NOW, NEXT, NEVER = quote(10, 20), quote(11, 20), quote(12, 20), quote(99, 100)


def feed(*words: tuple[float, Quote]) -> list[Said]:
    return [Said(at, at, said, None) for at, said in words]


def at_5(book: Quote, ticker: Quote) -> list[Glance]:
    return [Glance("order book", book, 5.0, 5.2), Glance("ticker", ticker, 5.0, 5.2)]


@pytest.mark.parametrize(
    ("book", "ticker"), [(NOW, NOW), (NOW, NEXT), (NEXT, NOW), (quote("11.00", "20.0"), NOW)]
)
def test_what_stood_by_the_feed_around_a_reply_agrees_with_it(book: Quote, ticker: Quote) -> None:
    said = feed((1.0, OLD), (3.0, NOW), (5.5, NEXT))
    comparison = compare(at_5(book, ticker), said, settle_s=1.0)
    assert comparison.differs is None
    assert comparison.sources == ("order book", "ticker", "feed")


@pytest.mark.parametrize("wrong", [OLD, NEVER])
def test_what_did_not_stand_around_a_reply_differs(wrong: Quote) -> None:
    said = feed((1.0, OLD), (3.0, NOW), (7.0, NEVER))
    differs = compare(at_5(NOW, wrong), said, settle_s=1.0).differs
    assert differs is not None
    assert differs.startswith("ticker says")
    assert differs.endswith("feed says 11 / 20")


@pytest.mark.parametrize("said", [feed(), feed((5.1, NEXT))])
def test_before_a_feed_that_began_too_late_rest_is_compared_with_itself(said: list[Said]) -> None:
    assert compare(at_5(NOW, NOW), said, settle_s=1.0) == Comparison(
        ("order book", "ticker"), None, NOW
    )
    differs = compare(at_5(NOW, OLD), said, settle_s=1.0).differs
    assert differs == "order book says 11 / 20, ticker says 10 / 20"


def test_who_is_alone_contradicts_nobody() -> None:
    assert compare([], feed((1.0, NOW)), settle_s=1.0).differs is None
    assert compare(at_5(NOW, NOW)[:1], [], settle_s=1.0).sources == ("order book",)
