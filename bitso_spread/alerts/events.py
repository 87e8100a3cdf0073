"""Alerts and what becomes of them: values, and how they are told to people and programs. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from bitso_spread.lake import layout

# Discord takes 2,000 characters in a message; the others take more.
_TEXT_LIMIT = 1900
# A cause may quote the exchange: <!channel> and @everyone would call a whole company together.
_FOR_CHATS = str.maketrans({"<": "(", ">": ")", "@": "@\N{ZERO WIDTH SPACE}"})


class Kind(StrEnum):
    """What an alert is about."""

    SPREAD = "spread"
    """The spread of a book is above a threshold."""
    NO_DATA = "no_data"
    """Nothing has been known of a book for a minute."""


class Change(StrEnum):
    """What has become of an alert."""

    FIRED = "fired"
    CLEARED = "cleared"
    WITHDRAWN = "withdrawn"
    """It was in force when the collector ended, and the next one no longer watches for it."""


AlertId = tuple[str, Kind, float | None, int]
"""Book, kind, threshold, and the tick at which it fired."""


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert, from its fire to its end; ticks are seconds since the epoch, UTC."""

    book: str
    kind: Kind
    threshold: float | None
    """In percent; None where nothing is known."""
    since: int
    """The first tick above the threshold, or unknown."""
    fired: int
    """The tick at which it had been so for long enough."""
    seen: int
    """The last tick at which it was looked at."""
    widest: float | None = None
    """The widest spread from `since` to `seen`, in percent."""
    cause: str | None = None
    """Why nothing is known."""
    until: int | None = None
    """The first tick of its end: below 90 % of the threshold, or known; None while in force."""
    ended: int | None = None
    """The tick at which that had been so for long enough."""
    ending: Change | None = None

    @property
    def id(self) -> AlertId:
        """What tells it from every other one."""
        return (self.book, self.kind, self.threshold, self.fired)

    def was_in_force_at(self, tick: int) -> bool:
        """Tell whether it had fired before a tick, and was not over by then as far as is known."""
        is_on = self.seen >= tick if self.ended is None else self.ended > tick
        return self.fired < tick and is_on

    @property
    def lasted_s(self) -> int:
        """How long it has been so, in seconds, up to `until`, or to `seen` while in force."""
        return (self.seen if self.until is None else self.until) - self.since


@dataclass(frozen=True, slots=True)
class Event:
    """Something that has become of an alert."""

    change: Change
    alert: Alert
    """As it is with this event."""

    @property
    def tick(self) -> int:
        """When, in seconds since the epoch."""
        alert = self.alert
        return alert.fired if alert.ended is None else alert.ended


def marked(environment: str) -> str:
    """Give what stands before everything that is told of an environment but production."""
    if environment == layout.PRODUCTION:
        return ""
    return "SIMULATED " if environment == layout.SIMULATED else f"({environment}) "


def describe(event: Event) -> str:
    """Say in one line what has happened."""
    alert = event.alert
    if alert.kind is Kind.NO_DATA:
        return f"{alert.book}: {_no_data(event)}"
    widest = "" if alert.widest is None else f"{alert.widest:.4f} %"
    over = f"{alert.threshold:g} %"
    if event.change is Change.FIRED:
        return f"{alert.book}: spread above {over} since {_time(alert.since)}, up to {widest}"
    lasted = f"was above {over} for {span(alert.lasted_s)}, up to {widest}"
    if event.change is Change.CLEARED:
        return f"{alert.book}: spread narrow again: {lasted}"
    return f"{alert.book}: no longer watched for a spread above {over}: {lasted} when last seen"


def _no_data(event: Event) -> str:
    alert = event.alert
    if event.change is Change.FIRED:
        cause = f": {alert.cause}" if alert.cause else ""
        return f"no data since {_time(alert.since)}{cause}"
    if event.change is Change.CLEARED:
        return f"data again: there was none for {span(alert.lasted_s)}"
    return f"no longer watched for missing data: there was none for {span(alert.lasted_s)}"


def as_json(events: Sequence[Event], environment: str) -> dict[str, Any]:
    """Make one object that chats and programs take.

    Slack and Mattermost show ``text``, Discord ``content``; what programs read is in
    ``bitso_spread``, so that no name of ours is one that a chat knows.
    """
    mark = marked(environment)
    text = _limited([f"{mark}{describe(event)}".translate(_FOR_CHATS) for event in events])
    return {
        "text": text,
        "content": text,
        "bitso_spread": {
            "environment": environment,
            "simulated": environment == layout.SIMULATED,
            "events": [_fields(event) for event in events],
        },
    }


def _fields(event: Event) -> dict[str, Any]:
    alert = event.alert
    return {
        "event": event.change.value,
        "at": _time(event.tick),
        "book": alert.book,
        "kind": alert.kind.value,
        "threshold": alert.threshold,
        "since": _time(alert.since),
        "until": None if alert.until is None else _time(alert.until),
        "lasted_s": alert.lasted_s,
        "widest": alert.widest,
        "cause": alert.cause,
    }


def _limited(lines: Sequence[str]) -> str:
    """Join lines up to what every chat takes, and say how many are left out."""
    kept: list[str] = []
    length = 0
    for index, line in enumerate(lines):
        length += len(line) + 1
        if length > _TEXT_LIMIT:
            left = len(lines) - index
            return "\n".join([*kept, f"and {left} more"]) if kept else f"{line[:_TEXT_LIMIT]}…"
        kept.append(line)
    return "\n".join(kept)


def _time(tick: int) -> str:
    return f"{datetime.fromtimestamp(tick, UTC):%Y-%m-%dT%H:%M:%SZ}"


def span(seconds: int) -> str:
    """Write a length of time as people say it."""
    if seconds < 120:
        return f"{seconds} s"
    minutes, rest = divmod(seconds, 60)
    if minutes < 120:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"
