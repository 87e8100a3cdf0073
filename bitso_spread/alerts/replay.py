"""What would have fired: the rules of `machine` over the rows of a lake, and what they spare."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

import polars as pl

from bitso_spread.alerts.events import Alert, Change, Kind
from bitso_spread.alerts.machine import Machine
from bitso_spread.alerts.rules import AlertRules


@dataclass(slots=True)
class Tally:
    """What one threshold comes to on the rows of one book."""

    known: int = 0
    """Rows in which the spread is known."""
    above: int = 0
    """Those with the spread above it: alerts, if each of them were one."""
    crossings: int = 0
    """Those of them that come after one that is not: alerts, if each crossing were one."""
    alerts: int = 0
    """Alerts that fire."""
    is_above: bool = False
    """Whether the last known row is."""


def interval_of(rows: pl.DataFrame) -> int:
    """Give the seconds between the ticks of some rows, as far as can be seen from them.

    The least that two ticks of a book are apart: where nobody has noted it, as beside a copy of a
    table, rows of an interval of ten seconds would else be taken for rows with gaps between them.
    """
    ticks = rows.select("book", tick=pl.col("orderbook_timestamp").dt.epoch("s")).unique()
    apart = ticks.sort("book", "tick").select(pl.col("tick").diff().over("book")).to_series().min()
    return apart if isinstance(apart, int) else 1


@dataclass(slots=True)
class Replay:
    """The alerts of rows, which must come by time."""

    rules: AlertRules
    alerts: list[Alert] = field(default_factory=list)
    """Those that are over, by their end."""
    tallies: dict[tuple[str, float], Tally] = field(default_factory=dict)
    """By book and threshold."""
    _machine: Machine = field(init=False)
    _of_book: dict[str, list[tuple[float, Tally]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._machine = Machine(self.rules)

    @property
    def fired(self) -> list[Alert]:
        """All alerts that fired so far, by the time of their fire; some are still in force."""
        return sorted(
            [*self.alerts, *self._machine.in_force],
            key=lambda alert: (alert.fired, alert.book, -(alert.threshold or 0.0)),
        )

    def run(self, frames: Iterable[pl.DataFrame]) -> None:
        """Take rows: ``orderbook_timestamp``, ``book`` and ``spread``."""
        for frame in frames:
            ticks = frame["orderbook_timestamp"].dt.epoch("s")
            for tick, book, spread in zip(ticks, frame["book"], frame["spread"], strict=True):
                self._take(tick, book, spread)

    def _take(self, tick: int, book: str, spread: float | None) -> None:
        if spread is not None and math.isfinite(spread):
            self._count(book, spread)
        for event in self._machine.feed(book, tick, spread):
            alert = event.alert
            if event.change is not Change.FIRED:
                self.alerts.append(alert)
            elif alert.kind is Kind.SPREAD:
                self.tallies[book, alert.threshold or 0.0].alerts += 1

    def _count(self, book: str, spread: float) -> None:
        if (tallies := self._of_book.get(book)) is None:
            tallies = [(threshold, Tally()) for threshold in self.rules.of_book(book)]
            self._of_book[book] = tallies
            self.tallies.update({(book, threshold): tally for threshold, tally in tallies})
        for threshold, tally in tallies:
            is_above = spread > threshold
            tally.known += 1
            tally.above += is_above
            tally.crossings += is_above and not tally.is_above
            tally.is_above = is_above
