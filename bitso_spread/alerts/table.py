"""Alerts as rows: those that a question asks for, and the columns that show them."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import polars as pl

from bitso_spread.alerts.channel import Outcome
from bitso_spread.alerts.events import Alert, Change
from bitso_spread.clock import DAY_S
from bitso_spread.errors import UnknownBookError
from bitso_spread.lake.alert_log import Kept, Told
from bitso_spread.lake.filters import Filters, Question, midnight_of
from bitso_spread.model import resolve_book

_PLACES = 6
# How long ago an alert in force was looked at, at most: a collection keeps that every 10 s, and a
# disk may take its time.
_LOOKED_AT_S = 30
# SQLite's greatest number.
_LAST = 2**63 - 1
_TIME = pl.Datetime("us", "UTC")
_COLUMNS: dict[str, pl.DataType | type[pl.DataType]] = {
    "fired": _TIME,
    "book": pl.String,
    "kind": pl.String,
    "threshold": pl.Float64,
    "lasted_s": pl.Int64,
    "widest": pl.Float64,
    "state": pl.String,
    "until": _TIME,
}
_TOLD = {"webhook": pl.String, "command": pl.String, "cause": pl.String}


def ticks_of(question: Question) -> tuple[int, int]:
    """Give the first and the last tick at which what is asked for may have fired.

    Raises:
        UsageError: one of the conditions makes no sense.
    """
    filters = Filters.of(**question)
    starts, ends = [0], [_LAST]
    if filters.dates.first is not None:
        starts.append(int(midnight_of(filters.dates.first).timestamp()))
    if filters.dates.last is not None:
        ends.append(int(midnight_of(filters.dates.last).timestamp()) + DAY_S - 1)
    if filters.start is not None:
        starts.append(math.ceil(filters.start.timestamp()))
    if filters.end is not None:
        ends.append(math.ceil(filters.end.timestamp()) - 1)
    return max(starts), min(ends)


def in_question(
    kept: Iterable[Kept], question: Question, *, with_earlier: bool = False
) -> list[Kept]:
    """Give the alerts that fired when, and of the books that, are asked for.

    `with_earlier` gives those as well that had fired before, and were in force at the first tick.

    Raises:
        UsageError: one of the conditions makes no sense.
    """
    filters = Filters.of(**question)
    first, last = ticks_of(question)
    every = list(kept)
    books = _books(filters, {each.alert.book for each in every})
    return [
        each
        for each in every
        if (books is None or each.alert.book in books)
        and (
            first <= each.alert.fired <= last
            or (with_earlier and each.alert.was_in_force_at(first))
        )
    ]


def table_of(
    alerts: Sequence[Alert],
    told: Sequence[Told] | None = None,
    now: float | None = None,
) -> pl.DataFrame:
    """Make a row of each alert; with `told`, who was told of it.

    ``fired`` and ``until`` are UTC; ``threshold`` and ``widest`` are in percent; ``lasted_s`` is
    how long it was exceeded up to ``until``, or to when it was last seen in force. Where that is
    long ago, as after the end of a recording, ``state`` says so: its end is not known.

    Args:
        alerts: one a row.
        told: who was told of each.
        now: the time to judge by, in seconds since the epoch.
    """
    looked_at = (time.time() if now is None else now) - _LOOKED_AT_S
    rows = [_row(alert, looked_at) for alert in alerts]
    if told is None:
        return pl.DataFrame(rows, schema=_COLUMNS, orient="row")
    rows = [
        (*row, _outcome(each, "webhook"), _outcome(each, "command"), alert.cause)
        for row, each, alert in zip(rows, told, alerts, strict=True)
    ]
    return pl.DataFrame(rows, schema={**_COLUMNS, **_TOLD}, orient="row")


def _row(alert: Alert, looked_at: float) -> tuple[object, ...]:
    return (
        _moment(alert.fired),
        alert.book,
        alert.kind.value,
        alert.threshold,
        alert.lasted_s,
        None if alert.widest is None else round(alert.widest, _PLACES),
        _state(alert, looked_at),
        None if alert.until is None else _moment(alert.until),
    )


def _state(alert: Alert, looked_at: float) -> str:
    if alert.ending is not None:
        return alert.ending.value
    if alert.seen >= looked_at:
        return "in force"
    return f"in force when last seen, {_moment(alert.seen):%Y-%m-%dT%H:%M:%SZ}"


def _outcome(told: Told, channel: str) -> str | None:
    """Say what became of the fire, and of the end where that is something else."""
    fire = told.get((Change.FIRED, channel))
    ends = (told.get((change, channel)) for change in (Change.CLEARED, Change.WITHDRAWN))
    end = next((outcome for outcome in ends if outcome is not None), fire)
    if fire is None or end in {fire, Outcome.LAPSED}:
        return None if fire is None else fire.value
    return f"{fire.value}, its end {end.value}" if end is not None else fire.value


def _books(filters: Filters, available: set[str]) -> set[str] | None:
    if not filters.books:
        return None
    found = set()
    for name in filters.books:
        try:
            found.add(resolve_book(name, available))
        except UnknownBookError:
            continue
    return found


def _moment(tick: int) -> datetime:
    return datetime.fromtimestamp(tick, UTC)
