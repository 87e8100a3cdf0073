"""The values that everything else passes around: quotes, samples, states, book names.

Pure values, no I/O. Knows neither the exchange nor the lake.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from bitso_spread.errors import UnknownBookError, UsageError
from bitso_spread.nearest import did_you_mean

# Bitso's names are major_minor in lower case, such as btc_mxn. Nothing else may become a
# folder name, so that no book name can lead out of the lake.
_BOOK = re.compile(r"[a-z0-9]+_[a-z0-9]+")
_SEPARATORS = re.compile(r"[-/_ ]")

ALL = "all"
"""What a user writes for every book that there is."""


class State(StrEnum):
    """What is known of a book at a tick."""

    FRESH = "fresh"
    """A word of the exchange came within the last interval."""
    QUIET = "quiet"
    """The last word is older, and a live link vouches that nothing has changed since."""
    HELD = "held"
    """Nothing vouches for the last word, but it is at most ``--max-stale`` old."""
    UNKNOWN = "unknown"
    """The tick was taken; nothing is known."""
    MISSED = "missed"
    """The tick could not be taken: the process was stopped, or the machine asleep."""


def spread(bid: Decimal, ask: Decimal) -> float:
    """Give the spread in percent of the best ask: (ask - bid) * 100 / ask.

    Worked out in decimals and rounded once, to the nearest 64-bit float.
    """
    return float((ask - bid) * 100 / ask)


@dataclass(frozen=True, slots=True)
class Quote:
    """The top of a book: best bid below best ask, both positive and finite."""

    book: str
    bid: Decimal
    """Best bid: the highest price that a buyer offers, in the minor currency."""
    ask: Decimal
    """Best ask: the lowest price that a seller asks, in the minor currency."""
    # Two quotes are one if their prices are: amounts at the top change without a price moving.
    bid_amount: Decimal | None = field(default=None, compare=False)
    """What is wanted at the best bid, all orders together, in the major currency; None where
    the exchange did not say, as in a ticker."""
    ask_amount: Decimal | None = field(default=None, compare=False)
    """What is offered at the best ask, likewise."""

    @property
    def spread(self) -> float:
        """The spread in percent of the best ask."""
        return spread(self.bid, self.ask)


@dataclass(frozen=True, slots=True)
class Sample:
    """One row: a book as it stood at a tick.

    ``bid``, ``ask`` and ``spread`` are all set, or, where nothing is known, all None.
    """

    tick: int
    """Whole seconds since the epoch, UTC."""
    book: str
    bid: float | None
    ask: float | None
    spread: float | None
    state: State
    bid_amount: float | None = None
    """At the best bid, in the major currency; None where it is not known."""
    ask_amount: float | None = None
    exchange_ms: int | None = None
    """The exchange's own time of the book's last word, ms since the epoch."""
    age_ms: int | None = None
    """How old that word was at the tick, also where it was too old to stand."""
    source: str | None = None
    """Where that word came from: ``feed`` or ``rest``."""

    @classmethod
    def of(cls, tick: int, quote: Quote, state: State) -> Sample:
        """Make the row of a known quote."""
        return cls(
            tick,
            quote.book,
            float(quote.bid),
            float(quote.ask),
            quote.spread,
            state,
            None if quote.bid_amount is None else float(quote.bid_amount),
            None if quote.ask_amount is None else float(quote.ask_amount),
        )

    @classmethod
    def blank(cls, tick: int, book: str, state: State) -> Sample:
        """Make the row of a tick at which nothing is known."""
        return cls(tick, book, None, None, None, state)


def is_book(name: str) -> bool:
    """Tell whether a name is a book's as Bitso writes it, such as ``btc_mxn``."""
    return _BOOK.fullmatch(name) is not None


def parse_book(text: str) -> str:
    """Read a book's name as people write it: ``BTC-MXN``, ``btc/mxn`` and ``btc_mxn`` are one.

    Raises:
        UsageError: it does not name two currencies.
    """
    name = _SEPARATORS.sub("_", text.strip().lower())
    if not is_book(name):
        raise UsageError(f"{text!r} is not a book: write it as btc_mxn, BTC-MXN or btc/mxn")
    return name


def parse_books(texts: str | Iterable[str]) -> list[str]:
    """Read names given one by one or joined by commas; each book comes once, in order.

    Raises:
        UsageError: one of them does not name two currencies.
    """
    given = [texts] if isinstance(texts, str) else texts
    names = [part for text in given for part in text.split(",") if part.strip()]
    return list(dict.fromkeys(parse_book(name) for name in names))


def resolve_book(name: str, available: Collection[str]) -> str:
    """Give the canonical name of a parsed book: as written if it exists, else reversed.

    Raises:
        UnknownBookError: neither exists; the message names the closest ones.
    """
    reversed_name = "_".join(reversed(name.split("_")))
    for candidate in (name, reversed_name):
        if candidate in available:
            return candidate
    raise UnknownBookError(f"there is no book {name}{did_you_mean(name, available, most=3)}")


class WantedBooks:
    """The books that a user asked for: some by name, or every one.

    Raises:
        UsageError: one of the names cannot be a book's, or there is none.
    """

    def __init__(self, texts: str | Iterable[str]) -> None:
        given = [texts] if isinstance(texts, str) else texts
        parts = [part.strip() for text in given for part in text.split(",")]
        self.every = any(part.lower() == ALL for part in parts)
        """Whether all are wanted."""
        self.names = parse_books(part for part in parts if part.lower() != ALL)
        """Those that are named, as they are written; one may be the wrong way round."""
        if not self.every and not self.names:
            raise UsageError("no book is named: use --book btc_mxn, or --book all")

    def among(self, available: Collection[str]) -> tuple[list[str], list[UnknownBookError]]:
        """Give the canonical names of those that there are, and what to say of the others."""
        books = sorted(available) if self.every else []
        unknown = []
        for name in self.names:
            try:
                books.append(resolve_book(name, available))
            except UnknownBookError as error:
                unknown.append(error)
        return list(dict.fromkeys(books)), unknown
