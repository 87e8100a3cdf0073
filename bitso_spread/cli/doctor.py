"""``bitso-spread doctor``: whether the recorder would work on this host."""

from __future__ import annotations

import sys
from collections import Counter
from contextlib import closing
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bitso_spread.cli.app import SET_UP, app
from bitso_spread.cli.logs import say, warn
from bitso_spread.cli.options import (
    DEFAULT_BOOKS,
    BookOption,
    EnvironmentOption,
    LakeOption,
    LocalHalfOption,
    RestUrlOption,
    TableOption,
    WsUrlOption,
    lake_address,
    lake_place,
)
from bitso_spread.cli.publish_option import publish_plan
from bitso_spread.cli.stdout import is_terminal, stdout
from bitso_spread.cli.tables import write_json
from bitso_spread.cloud.address import is_url
from bitso_spread.counting import many
from bitso_spread.lake import layout

if TYPE_CHECKING:
    from bitso_spread.doctor import Finding

_MARKS = {"ok": "ok", "warning": "warn", "failed": "FAIL", "skipped": "skip"}
_COLOURS = {"ok": "green", "warning": "yellow", "failed": "bold red", "skipped": "dim"}
# The longest name of a check that is no book's, so that details stand below each other.
_NAME_WIDTH = 24


class Form(StrEnum):
    """How findings are shown."""

    TEXT = "text"
    JSON = "json"


@app.command("doctor", rich_help_panel=SET_UP)
def doctor(
    book: BookOption = None,
    environment: EnvironmentOption = "production",
    rest_url: RestUrlOption = None,
    ws_url: WsUrlOption = None,
    lake: LakeOption = None,
    state: LocalHalfOption = None,
    table: TableOption = layout.TABLE,
    publish: Annotated[
        str | None,
        typer.Option(
            "--publish",
            metavar="URL",
            show_default="nowhere",
            help="Look for these brokers and their topic as well; nothing is sent.",
        ),
    ] = None,
    format: Annotated[  # noqa: A002  (its environment variable is named after it)
        Form, typer.Option("--format", help="A line a check, or one JSON list at the end.")
    ] = Form.TEXT,
) -> None:
    """Check in half a minute that the recorder would work on this host.

    A line for each check, and below those that went wrong what to do. The
    name, TLS, REST, the clock, the feed, whether both agree, and the lake
    are looked at; six to twelve requests are made for two books, and
    nothing is recorded or left behind. Into object storage one object is
    put, and deleted. The status is 1 if a check failed; a warning is none.

    Example: bitso-spread doctor --book btc_mxn --lake data
    """
    from bitso_spread.cli.exchange import open_environment
    from bitso_spread.doctor import examine

    place = lake_place(lake, environment)
    shown: list[Finding] = []
    try:
        with open_environment(environment, rest_url, ws_url) as exchange:
            findings = examine(
                exchange,
                book or DEFAULT_BOOKS,
                lake=str(lake_address(place, table)) if is_url(place) else Path(place),
                state=state,
                table=table,
                publish=publish_plan(publish),
            )
            if is_terminal(sys.stderr):
                say("this takes 10 to 30 seconds: a keep-alive comes every 20")
            with closing(findings):
                for finding in findings:
                    shown.append(finding)
                    if format is Form.TEXT:
                        _print(finding)
    except KeyboardInterrupt:
        warn("stopped: the other checks were not made")
        _end(shown, format)
        raise
    _end(shown, format)
    if any(finding.outcome == "failed" for finding in shown):
        raise typer.Exit(1)


def _end(shown: list[Finding], form: Form) -> None:
    from dataclasses import asdict

    if form is Form.JSON:
        write_json([asdict(finding) for finding in shown])
        return
    counts = Counter(finding.outcome.value for finding in shown)
    summary = ", ".join(f"{counts[outcome]} {outcome}" for outcome in _MARKS if counts[outcome])
    say(f"{many(len(shown), 'check')}: {summary}")


def _print(finding: Finding) -> None:
    from rich.console import Console
    from rich.text import Text

    outcome = finding.outcome.value
    line = Text.assemble(
        (f"{_MARKS[outcome]:<5}", _COLOURS[outcome]),
        (f"{finding.check:<{_NAME_WIDTH}} ", ""),
        (finding.detail, "dim" if outcome == "skipped" else ""),
    )
    console = Console(file=sys.stdout, highlight=False)
    # To text first, for rich ends the program with status 1 when a pipe is closed.
    with console.capture() as capture:
        console.print(line, soft_wrap=True)
        if finding.advice is not None:
            console.print(Text(f"{'':5}what to do: {finding.advice}"), soft_wrap=True)
    with stdout() as out:
        out.write(capture.get().encode())
