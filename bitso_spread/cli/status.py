"""``bitso-spread status``: whether the collectors of a lake are well."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bitso_spread.cli.app import RECORD, app
from bitso_spread.cli.logs import warn
from bitso_spread.cli.options import HeldLakeOption, TableOption, lake_address
from bitso_spread.cli.stdout import is_terminal, stdout
from bitso_spread.cloud.address import is_url
from bitso_spread.counting import word
from bitso_spread.lake import layout
from bitso_spread.lake.misnamed import meant

if TYPE_CHECKING:
    from bitso_spread.health import Collector, Health
    from bitso_spread.lake.heartbeat import BookBeat, Heartbeat, PublishBeat, StoreBeat


class Format(StrEnum):
    """The forms that it can leave in."""

    TABLE = "table"
    JSON = "json"


@app.command("status", rich_help_panel=RECORD)
def status(
    lake: HeldLakeOption = ".",
    table: TableOption = layout.TABLE,
    file_format: Annotated[
        Format | None,
        typer.Option(
            "--format",
            envvar="BITSO_SPREAD_STATUS_FORMAT",
            show_default="table on a terminal, json in a pipe",
            help="How to show it.",
        ),
    ] = None,
) -> None:
    """Show how each collector of a lake is, and give 0 if all is well, else 1.

    All is well if somebody records, and no collector's last tick is more
    than 10 seconds later than it should be, nor has rows that its disk does
    not take for 15. Made for the health checks of Docker and systemd: it
    reads one small file a collector, asks nobody, and minds no process
    numbers. A collector that ended in order is not shown; one that was
    killed is, until another one takes its books over. Samples that wait to
    be published are shown, and are no illness.
    With --lake s3://bucket/prefix, recorders on all hosts are shown, by
    what each puts there every 20 seconds. Files that wait for the store
    are counted, and are no reason to be ill.

    Example: bitso-spread status --lake data
    """
    from bitso_spread.health import examine

    health = _examine_store(lake, table) if is_url(lake) else examine(Path(lake), table)
    terminal = is_terminal(sys.stdout)
    if (file_format or (Format.TABLE if terminal else Format.JSON)) is Format.JSON:
        import json

        text = json.dumps(as_json(health)) + "\n"
    else:
        text = "\n".join(line for one in health.collectors for line in _lines(one, health.at))
    if text:
        with stdout() as out:
            out.write(text.encode())
    for line in (*health.complaints, *health.remarks):
        warn(line)
    if not health.collectors and isinstance(health.lake, Path):
        advice = meant(health.lake, table)
        if advice:
            warn(advice)
    if not health.is_well:
        raise typer.Exit(1)


def _examine_store(url: str, table: str) -> Health:
    from bitso_spread.cloud.objects import open_store
    from bitso_spread.cloud.recorders import examine_store

    return examine_store(open_store(str(lake_address(url, table))), table)


def as_json(health: Health) -> dict[str, Any]:
    """Give all of it for a program; times are ISO 8601 in UTC, and ages seconds."""
    return {
        "healthy": health.is_well,
        "complaints": health.complaints,
        "remarks": health.remarks,
        "lake": str(health.lake),
        "table": health.table,
        "at": _time(health.at),
        "collectors": [_collector(one, health.at) for one in health.collectors],
    }


def _collector(one: Collector, now: float) -> dict[str, Any]:
    beat = one.beat
    verdict = {"verdict": one.verdict.value, "reason": one.reason, "file": str(one.path)}
    if beat is None:
        return verdict
    return verdict | {
        "host": beat.host,
        "pid": beat.pid,
        "since": _time(beat.since),
        "seen": _time(beat.at),
        "version": beat.version,
        "environment": beat.environment,
        "interval": beat.interval,
        "ticks": beat.ticks,
        "missed": beat.missed,
        "last_tick": None if beat.last_tick is None else _time(beat.last_tick),
        "last_tick_age": None if beat.last_tick is None else round(now - beat.last_tick, 3),
        "reconnects": beat.reconnects,
        "rejected": dict(beat.rejected),
        "unwritten": {"memory": beat.rows_in_memory, "journal": beat.rows_in_journal},
        "oldest_in_memory": round(beat.oldest_in_memory_s, 3),
        "publishing": None if beat.publishing is None else _publishing(beat.publishing),
        "store": _store(beat.store),
        "books": [_book(book) for book in beat.books],
        "no_tick_yet": _without_tick(beat),
    }


def _store(store: StoreBeat | None) -> dict[str, Any] | None:
    if store is None:
        return None
    return {
        "url": store.url,
        "files_waiting": store.files,
        "since": None if store.since is None else _time(store.since),
        "trouble": store.trouble,
        "no_lease": list(store.unleased),
    }


def _book(book: BookBeat) -> dict[str, Any]:
    return {
        "book": book.book,
        "last_tick": _time(book.last_tick),
        "state": book.state,
        "age": book.age_s,
    }


def _publishing(beat: PublishBeat) -> dict[str, Any]:
    return {
        "to": beat.address,
        "waiting": beat.waiting,
        "since": None if beat.since is None else _time(beat.since),
        "why": beat.why,
    }


def _without_tick(beat: Heartbeat) -> list[str]:
    ticked = {book.book for book in beat.books}
    return [name for name in beat.names if name not in ticked]


def _lines(one: Collector, now: float) -> list[str]:
    beat = one.beat
    if beat is None:
        return [f"{one.verdict.value}: {one.path}", ""]
    simulated = "SIMULATED" if beat.environment == layout.SIMULATED else beat.environment
    rejected, journal = sum(beat.rejected.values()), beat.rows_in_journal
    counts = {"reconnect": beat.reconnects, "rejected frame": rejected}
    said = [f"{beat.ticks} {word(beat.ticks, 'tick')}"]
    said += [f"{beat.missed} missed"] * (beat.missed > 0)
    said += [f"{count} {word(count, what)}" for what, count in counts.items()]
    lines = [
        f"{one.verdict.value}: process {beat.pid} on {beat.host}, {simulated}",
        f"  since {_time(beat.since)}, bitso-spread {beat.version}",
        f"  {', '.join(said)}",
        f"  rows in no file yet: {beat.rows_in_memory} in memory, {journal} in the journal",
    ]
    if (to := beat.publishing) is not None:
        since = "" if to.since is None else f" since {_time(to.since)}"
        why = "" if to.why is None else f": {to.why}"
        samples = f"{to.waiting} {word(to.waiting, 'sample')}"
        lines.append(f"  to be published to {to.address}: {samples}{since}{why}")
    if beat.store is not None:
        since = "" if beat.store.since is None else f" since {_time(beat.store.since)}"
        lines.append(f"  files that are not in {beat.store.url} yet: {beat.store.files}{since}")
    if beat.books:
        width = max(4, *(len(book.book) for book in beat.books))
        lines.append(f"  {'book':<{width}}  last tick             ago s  state    age s")
        for book in beat.books:
            age = "" if book.age_s is None else f"{book.age_s:.1f}"
            ago = f"{now - book.last_tick:.1f}"
            row = f"{_time(book.last_tick)}  {ago:>6}  {book.state:<7}  {age:>5}"
            lines.append(f"  {book.book:<{width}}  {row}")
    if waiting := _without_tick(beat):
        lines.append(f"  no tick yet: {', '.join(waiting)}")
    return [*lines, ""]


def _time(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"
