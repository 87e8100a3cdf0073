"""The alerts in force as the live board tells them, of a collection or of a lake."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from bitso_spread.alerts.events import Alert, Kind, span
from bitso_spread.complaint import Complaint
from bitso_spread.errors import LakeError
from bitso_spread.lake.alert_log import alert_file, read_in_force

log = logging.getLogger("bitso_spread")


def told(alerts: Iterable[Alert]) -> dict[str, str]:
    """Say in a few words what there is of each book; of several thresholds the highest."""
    by_book: dict[str, Alert] = {}
    for alert in alerts:
        other = by_book.get(alert.book)
        if other is None or _rank(alert) > _rank(other):
            by_book[alert.book] = alert
    return {book: _told(alert) for book, alert in by_book.items()}


def _rank(alert: Alert) -> tuple[bool, float]:
    return alert.kind is Kind.NO_DATA, alert.threshold or 0.0


def _told(alert: Alert) -> str:
    if alert.kind is Kind.NO_DATA:
        cause = f": {alert.cause}" if alert.cause else ""
        return f"no data for {span(alert.lasted_s)}{cause}"
    widest = "" if alert.widest is None else f", up to {alert.widest:.4f} %"
    return f"above {alert.threshold:g} % for {span(alert.lasted_s)}{widest}"


class KeptAlerts:
    """The alerts in force of a lake, read again when they have changed on the disk."""

    def __init__(self, lake: Path, table: str) -> None:
        self._lake, self._table = lake, table
        self._path = alert_file(lake, table)
        self._stamp: tuple[int, ...] = ()
        self._in_force: tuple[Alert, ...] = ()
        self._complaint = Complaint()

    def look(self) -> tuple[Alert, ...]:
        """Give them; as they were, where they cannot be read now."""
        stamp = self._changed_at()
        if stamp != self._stamp:
            try:
                found = read_in_force(self._lake, self._table)
            except LakeError as error:
                if self._complaint.due(str(error)):
                    log.warning("%s", error)
            else:
                self._in_force = tuple(found)
                self._stamp = stamp
        return self._in_force

    def _changed_at(self) -> tuple[int, ...]:
        stamps = []
        for part in (self._path, self._path.with_name(f"{self._path.name}-wal")):
            # The second is there only while somebody writes.
            with suppress(OSError):
                stamps.append(part.stat().st_mtime_ns)
        return tuple(stamps)
