"""The alerts of a table, kept beside it: each from its fire to its end, and who was told.

In a SQLite file of their own and not in the journal: a commit of theirs never holds up one of
rows, an older version that meets it need not set the journal aside, and it may be deleted.
What an alert is, is `bitso_spread.alerts`' business.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from bitso_spread.alerts.channel import Outcome
from bitso_spread.alerts.events import Alert, AlertId, Change, Kind
from bitso_spread.errors import LakeError
from bitso_spread.lake import layout
from bitso_spread.lake.database import Database
from bitso_spread.lake.records import _private_copy
from bitso_spread.lifetime import Closing

# A threshold of 0 is no threshold: keys of SQLite hold no NULL.
_STEPS = (
    """
CREATE TABLE alert (
    book TEXT NOT NULL, kind TEXT NOT NULL, threshold REAL NOT NULL, fired INTEGER NOT NULL,
    since INTEGER NOT NULL, seen INTEGER NOT NULL, widest REAL, cause TEXT,
    until INTEGER, ended INTEGER, ending TEXT, environment TEXT NOT NULL,
    PRIMARY KEY (book, kind, threshold, fired)
) STRICT, WITHOUT ROWID;
CREATE TABLE delivery (
    book TEXT NOT NULL, kind TEXT NOT NULL, threshold REAL NOT NULL, fired INTEGER NOT NULL,
    event TEXT NOT NULL, channel TEXT NOT NULL, outcome TEXT NOT NULL, said TEXT NOT NULL,
    PRIMARY KEY (book, kind, threshold, fired, event, channel)
) STRICT, WITHOUT ROWID
""",
)
_ALERT = "book, kind, threshold, since, fired, seen, widest, cause, until, ended, ending"

Found = TypeVar("Found")
Told = Mapping[tuple[Change, str], Outcome]
"""What became of each event of an alert on each channel."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of one event on one channel."""

    alert: AlertId
    change: Change
    channel: str
    outcome: Outcome
    said: str = ""


@dataclass(frozen=True, slots=True)
class Kept:
    """An alert as it is kept."""

    alert: Alert
    environment: str
    told: Told = field(default_factory=dict)


def alert_file(lake: Path, table: str) -> Path:
    """Give the file that holds the alerts of a table."""
    return layout.state_folder(lake) / "alerts" / f"{table}.sqlite3"


class AlertLog(Closing):
    """A connection to the alerts of a table; for one thread at a time.

    Its methods let `sqlite3.Error` through where the disk is full or refuses.

    Raises:
        LakeError: the file cannot be opened, or a newer version of this package made it.
    """

    def __init__(self, path: Path) -> None:
        self._db = Database(path, _STEPS)

    def close(self) -> None:
        """Close the connection."""
        self._db.close()

    def write(self, alerts: Iterable[tuple[Alert, str]], deliveries: Iterable[Delivery]) -> None:
        """Commit alerts as they are now, each with its environment, and what became of them."""
        with self._db.transaction():
            self._db.executemany(
                f"INSERT OR REPLACE INTO alert ({_ALERT}, environment) "  # noqa: S608  (names of our own)
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [(*_values(alert), environment) for alert, environment in alerts],
            )
            self._db.executemany(
                "INSERT OR REPLACE INTO delivery VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (*_key(each.alert), each.change.value, each.channel, each.outcome, each.said)
                    for each in deliveries
                ],
            )

    def last_fires(self, book: str) -> dict[tuple[Kind, float | None], int]:
        """Give the last tick at which each alert of a book fired."""
        found = self._db.execute(
            "SELECT kind, threshold, max(fired) FROM alert WHERE book = ? GROUP BY kind, threshold",
            (book,),
        )
        return {(Kind(kind), threshold or None): fired for kind, threshold, fired in found}

    def open_of(self, book: str) -> list[Kept]:
        """Give the alerts of a book that are in force, or of which something waits to be sent."""
        return [
            kept
            for kept in self._kept("WHERE book = ?", (book,))
            if kept.alert.ended is None or Outcome.PENDING in kept.told.values()
        ]

    def in_force(self) -> list[Alert]:
        """Give those in force, oldest first: of a year's hundred thousand alerts a few."""
        found = self._db.execute(
            f"SELECT {_ALERT} FROM alert WHERE ended IS NULL "  # noqa: S608  (texts of our own)
            "ORDER BY fired, book, kind, threshold"
        )
        return [_alert(*row) for row in found]

    def fired(self, first: int, last: int) -> list[Kept]:
        """Give the alerts that fired from one tick to another, both included, oldest first."""
        return self._kept("WHERE fired BETWEEN ? AND ?", (first, last))

    def fired_or_in_force(self, first: int, last: int) -> list[Kept]:
        """Give those, and the ones that were in force at the first tick, oldest first."""
        return self._kept(
            "WHERE fired BETWEEN ? AND ? OR "
            "(fired < ? AND iif(ended IS NULL, seen >= ?, ended > ?))",
            (first, last, first, first, first),
        )

    def all(self) -> list[Kept]:
        """Give every alert, oldest first."""
        return self._kept("", ())

    def _kept(self, condition: str, values: Sequence[object]) -> list[Kept]:
        told: dict[AlertId, dict[tuple[Change, str], Outcome]] = {}
        deliveries = self._db.execute(
            "SELECT book, kind, threshold, fired, event, channel, outcome "  # noqa: S608  (texts of our own)
            f"FROM delivery JOIN alert USING (book, kind, threshold, fired) {condition}",
            values,
        )
        for *key, event, channel, outcome in deliveries:
            told.setdefault(_id(*key), {})[Change(event), channel] = Outcome(outcome)
        alerts = self._db.execute(
            f"SELECT {_ALERT}, environment FROM alert {condition} "  # noqa: S608  (texts of our own)
            "ORDER BY fired, book, kind, threshold",
            values,
        )
        kept = []
        for *row, environment in alerts:
            alert = _alert(*row)
            kept.append(Kept(alert, environment, told.get(alert.id, {})))
        return kept


def read_alerts(
    lake: Path | None,
    table: str,
    within: tuple[int, int] | None = None,
    *,
    with_earlier: bool = False,
) -> list[Kept]:
    """Read what is kept beside a table as it stands now, oldest first; nothing is made or changed.

    Of no lake, there is nothing. `within` is the first and the last tick at which they fired; None
    is all, of which a year may have a hundred thousand. `with_earlier` gives those as well that had
    fired before, and were in force at the first.

    Raises:
        LakeError: it cannot be read, or a newer version of this package made it.
    """
    if within is None:
        return _read(lake, table, AlertLog.all)
    ask = AlertLog.fired_or_in_force if with_earlier else AlertLog.fired
    return _read(lake, table, lambda log: ask(log, *within))


def read_in_force(lake: Path | None, table: str) -> list[Alert]:
    """Read which alerts of a table are in force, likewise.

    Raises:
        LakeError: as `read_alerts`.
    """
    return _read(lake, table, AlertLog.in_force)


def _read(lake: Path | None, table: str, ask: Callable[[AlertLog], list[Found]]) -> list[Found]:
    if lake is None or not (path := alert_file(lake, table)).is_file():
        return []
    with _private_copy(path) as copy:
        try:
            with AlertLog(copy) as log:
                return ask(log)
        except sqlite3.Error as error:
            raise LakeError(f"{path} cannot be read: {error}") from error
        except LakeError as error:
            raise LakeError(str(error).replace(str(copy), str(path))) from error


def _key(alert: AlertId) -> tuple[str, str, float, int]:
    book, kind, threshold, fired = alert
    return (book, kind.value, threshold or 0.0, fired)


def _id(book: str, kind: str, threshold: float, fired: int) -> AlertId:
    return (book, Kind(kind), threshold or None, fired)


def _values(alert: Alert) -> tuple[object, ...]:
    return (
        alert.book,
        alert.kind.value,
        alert.threshold or 0.0,
        alert.since,
        alert.fired,
        alert.seen,
        alert.widest,
        alert.cause,
        alert.until,
        alert.ended,
        alert.ending,
    )


def _alert(
    book: str,
    kind: str,
    threshold: float,
    since: int,
    fired: int,
    seen: int,
    widest: float | None,
    cause: str | None,
    until: int | None,
    ended: int | None,
    ending: str | None,
) -> Alert:
    return Alert(
        book,
        Kind(kind),
        threshold or None,
        since,
        fired,
        seen,
        widest,
        cause,
        until,
        ended,
        None if ending is None else Change(ending),
    )
