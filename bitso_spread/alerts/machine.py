"""From ticks to alerts: a state machine of each book and threshold. Pure, in the ticks' own time.

Fires once the spread has been above a threshold for the hold; clears once it has been below 90 %
of it for as long. After a fire, neither the same nor a lower threshold of that book fires again
within the cooldown; a higher one may. A book that has been unknown for a minute fires, likewise
at most once in the cooldown, and clears with its next known tick.

What is not known is never made up: a tick at which nothing is known neither fires nor clears a
threshold, and breaks a hold, which begins anew with the next known tick. A second without any row
is no recorder's word: a few of them are passed over, and more break a hold, of "no data" too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from bitso_spread.alerts.events import Alert, Change, Event, Kind
from bitso_spread.alerts.rules import NO_DATA_S, REARM, AlertRules

# As long as a last word stands without a live link: other recorders' rows are now and then two
# seconds apart.
_APART_S = 3

Key = tuple[Kind, float | None]
"""What of a book is watched: its data, or one threshold."""

Why = Callable[[str], str | None]
"""Tells why nothing is known of a book."""


@dataclass(slots=True)
class _Level:
    """Where one thing that is watched stands."""

    key: Key
    since: int | None = None
    """The first tick of an unbroken run that calls for an alert."""
    over_since: int | None = None
    """The first tick of an unbroken run that calls for its end."""
    widest: float | None = None
    alert: Alert | None = None
    """As it was when it fired; what has changed since is in the fields beside it."""

    def break_off(self) -> None:
        self.since = self.over_since = None
        if self.alert is None:
            self.widest = None


@dataclass(slots=True)
class _Book:
    levels: tuple[_Level, ...]
    """Highest threshold first."""
    data: _Level
    last_tick: int | None = None
    fired: dict[Key, int] = field(default_factory=dict)
    """The last fire of each, also of thresholds that are no longer watched."""


class Machine:
    """Watches any number of books; the ticks of each must come in order."""

    def __init__(self, rules: AlertRules) -> None:
        self.rules = rules
        self._apart_s = max(_APART_S, 2 * rules.interval)
        self._books: dict[str, _Book] = {}

    @property
    def books(self) -> set[str]:
        """The books that were seen."""
        return set(self._books)

    @property
    def in_force(self) -> list[Alert]:
        """The alerts in force as they are now, oldest first."""
        found = [alert for name in self._books for alert in self._alerts_of(name)]
        return sorted(found, key=lambda alert: (alert.fired, alert.book))

    def adopt(self, book: str, in_force: Iterable[Alert], fired: Mapping[Key, int]) -> list[Event]:
        """Take over what an earlier run left of a book, and end what no rule asks for any more."""
        state = self._book(book)
        state.fired.update(fired)
        levels = {level.key: level for level in (*state.levels, state.data)}
        withdrawn = []
        for alert in in_force:
            if (level := levels.get((alert.kind, alert.threshold))) is None:
                withdrawn.append(_withdrawn(alert))
            else:
                level.alert, level.widest = alert, alert.widest
        return withdrawn

    def forget(self, book: str) -> list[Event]:
        """Watch a book no longer, and give the ends of what is in force of it."""
        events = [_withdrawn(alert) for alert in self._alerts_of(book)]
        self._books.pop(book, None)
        return events

    def feed(
        self, book: str, tick: int, spread: float | None, why: Why = lambda _: None
    ) -> list[Event]:
        """Take the next tick of a book, and give what happens with it.

        A tick at or before the last one is passed over. `spread` is in percent, or None where
        nothing is known; `why` is asked for the cause where that is told.
        """
        state = self._book(book)
        last = state.last_tick
        if last is not None and tick <= last:
            return []
        if last is not None and tick - last > self._apart_s:
            for level in (*state.levels, state.data):
                level.break_off()
        state.last_tick = tick
        if spread is None or not math.isfinite(spread):
            return list(self._unknown(book, state, tick, why))
        return list(self._known(book, state, tick, spread))

    def _unknown(self, book: str, state: _Book, tick: int, why: Why) -> Iterator[Event]:
        for level in state.levels:
            level.break_off()
        level = state.data
        if level.since is None:
            level.since = tick
        lasted = tick - level.since
        if level.alert is None and lasted >= NO_DATA_S and self._may_fire(state, level, tick):
            alert = Alert(book, Kind.NO_DATA, None, level.since, tick, tick, cause=why(book))
            yield _fire(state, level, alert)

    def _known(self, book: str, state: _Book, tick: int, spread: float) -> Iterator[Event]:
        data, hold_s = state.data, self.rules.hold_s
        if data.alert is not None:
            yield _clear(data, data.alert, tick, tick)
        data.since = None
        for level in state.levels:
            threshold = level.key[1] or 0.0
            _follow(level, tick, spread, threshold)
            if (alert := level.alert) is not None:
                over = level.over_since
                if over is not None and tick - over >= hold_s:
                    yield _clear(level, alert, over, tick)
                continue
            since = level.since
            held = since is not None and tick - since >= hold_s
            if since is not None and held and self._may_fire(state, level, tick):
                fired = Alert(book, Kind.SPREAD, threshold, since, tick, tick, level.widest)
                yield _fire(state, level, fired)

    def _may_fire(self, state: _Book, level: _Level, tick: int) -> bool:
        kind, threshold = level.key
        recent = (
            at
            for (of, percent), at in state.fired.items()
            if of is kind and (percent or 0.0) >= (threshold or 0.0)
        )
        last = max(recent, default=None)
        return last is None or tick - last >= self.rules.cooldown_s

    def _book(self, name: str) -> _Book:
        if (state := self._books.get(name)) is None:
            thresholds: Sequence[float] = self.rules.of_book(name)
            levels = tuple(_Level((Kind.SPREAD, percent)) for percent in thresholds)
            state = self._books[name] = _Book(levels, _Level((Kind.NO_DATA, None)))
        return state

    def _alerts_of(self, name: str) -> Iterator[Alert]:
        if (state := self._books.get(name)) is None:
            return
        for level in (*state.levels, state.data):
            if (alert := level.alert) is not None:
                seen = max(alert.seen, state.last_tick or 0)
                yield replace(alert, seen=seen, widest=level.widest)


def _follow(level: _Level, tick: int, spread: float, threshold: float) -> None:
    """Note on which side of a threshold a spread is, and since when."""
    if spread <= threshold:
        level.since = None
    elif level.since is None:
        level.since = tick
    if spread >= threshold * REARM:
        level.over_since = None
    elif level.over_since is None:
        level.over_since = tick
    if level.alert is None and level.since is None:
        level.widest = None
    elif level.widest is None or spread > level.widest:
        level.widest = spread


def _fire(state: _Book, level: _Level, alert: Alert) -> Event:
    level.alert, level.over_since = alert, None
    state.fired[level.key] = alert.fired
    return Event(Change.FIRED, alert)


def _clear(level: _Level, alert: Alert, until: int, tick: int) -> Event:
    ended = replace(
        alert, seen=tick, widest=level.widest, until=until, ended=tick, ending=Change.CLEARED
    )
    level.alert = level.since = level.over_since = level.widest = None
    return Event(Change.CLEARED, ended)


def _withdrawn(alert: Alert) -> Event:
    ended = replace(alert, until=alert.seen, ended=alert.seen, ending=Change.WITHDRAWN)
    return Event(Change.WITHDRAWN, ended)
