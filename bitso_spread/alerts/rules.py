"""What a user wants to be told of: thresholds, and how long is long enough. Pure values."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from bitso_spread.errors import UsageError
from bitso_spread.model import parse_book, resolve_book

HOLD_S = 3.0
"""How long a spread is above a threshold before that is told: on 40 minutes of real data it
crosses 0.2 % up to 90 times."""
COOLDOWN_S = 300.0
"""How long after an alert the next one of the same book may come."""
REARM = 0.9
"""An alert is over below this part of its threshold: around the threshold itself it would flap."""
NO_DATA_S = 60
"""How long a book is unknown before that is told."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """A spread that is too wide."""

    percent: float
    book: str | None = None
    """Of this book alone; None is every book that has none of its own."""


@dataclass(frozen=True, slots=True)
class AlertRules:
    """When to fire and when to clear; times in seconds.

    Raises:
        UsageError: a time is negative or not a number.
    """

    thresholds: tuple[Threshold, ...] = ()
    hold_s: float = HOLD_S
    cooldown_s: float = COOLDOWN_S
    interval: int = 1
    """Seconds between two ticks."""

    def __post_init__(self) -> None:
        for name in ("hold_s", "cooldown_s"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                option = name.removesuffix("_s")
                raise UsageError(f"--alert-{option} must be 0 or more seconds")

    def of_book(self, book: str) -> tuple[float, ...]:
        """Give the thresholds of a book in percent, highest first.

        Those that name the book stand instead of the general ones: a book that is always wide
        would otherwise be in alert for ever.
        """
        own = {each.percent for each in self.thresholds if each.book == book}
        general = {each.percent for each in self.thresholds if each.book is None}
        return tuple(sorted(own or general, reverse=True))

    def resolved(self, books: Collection[str]) -> AlertRules:
        """Give the same rules with the canonical names of books, such as those recorded.

        Raises:
            UnknownBookError: a threshold names none of them; the message names the closest.
        """
        return replace(
            self,
            thresholds=tuple(
                each if each.book is None else replace(each, book=resolve_book(each.book, books))
                for each in self.thresholds
            ),
        )


def parse_thresholds(texts: Iterable[str]) -> tuple[Threshold, ...]:
    """Read thresholds as people write them: ``0.5`` for every book, ``btc_mxn=0.3`` for one.

    Raises:
        UsageError: one is neither, or no spread can ever be above it.
    """
    return tuple(dict.fromkeys(_parse(text) for text in texts))


def _parse(text: str) -> Threshold:
    book, equals, number = text.rpartition("=")
    try:
        percent = float(number.strip().removesuffix("%"))
    except ValueError:
        percent = math.nan
    # The spread is a part of the ask, in percent.
    if not 0 < percent < 100:
        raise UsageError(
            f"--alert {text!r} is not a threshold: write a spread in percent, such as 0.5 "
            "for every book, or btc_mxn=0.3 for one"
        )
    return Threshold(percent, parse_book(book) if equals else None)
