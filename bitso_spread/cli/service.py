"""``bitso-spread service``: what starts the recorder, printed ready to use.

Each of its commands takes the options of `collect`, and passes on those that it does not know: see
`bitso_spread.cli.passed_on`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bitso_spread.cli.app import SET_UP, app, settings
from bitso_spread.cli.command import Command
from bitso_spread.cli.logs import say, warn
from bitso_spread.cli.passed_on import ENDS, read_recording
from bitso_spread.cli.stdout import stdout
from bitso_spread.service.units import Unit

if TYPE_CHECKING:
    from bitso_spread.service.recording import Recording

service = typer.Typer(no_args_is_help=True, rich_markup_mode="rich")
app.add_typer(service, name="service", rich_help_panel=SET_UP)

_PASSING_ON: dict[str, Any] = {
    "cls": Command,
    "context_settings": {
        "allow_extra_args": True,
        "ignore_unknown_options": True,
        # Not -h, which would be found in -beth_mxn.
        "help_option_names": ["--help"],
    },
    "options_metavar": "[OPTIONS] [OPTIONS OF collect]",
}

# Runs of a DAG overlap, and a port has room for one.
_METRICS = ("--metrics-port", "--metrics-host")

ProgramOption = Annotated[
    str | None,
    typer.Option(
        metavar="PATH",
        show_default="the one that runs now",
        help="Where bitso-spread is on that host.",
    ),
]


@service.callback()
def root() -> None:
    """Print a systemd unit, a Dockerfile, a compose file or an Airflow DAG for the recorder.

    Each takes the options of collect and prints to stdout.

    Example: bitso-spread service systemd -b all --lake /srv/lake > bitso-spread.service
    """


@service.command("systemd", **_PASSING_ON)
def systemd(
    context: typer.Context,
    unit: Annotated[
        Unit,
        typer.Option("--unit", help="The recorder, the check of its health, or that one's timer."),
    ] = Unit.RECORDER,
    user: Annotated[
        str, typer.Option("--user", metavar="NAME", help="The account that runs it; not root.")
    ] = "bitso-spread",
    program: ProgramOption = None,
) -> None:
    """Print a unit for systemd.

    The lake is /var/lib/bitso-spread/lake unless --lake names another,
    absolute one. Parquet with the full columns is taken unless --format
    and --columns say otherwise, or --lake has the table already.

    Example: bitso-spread service systemd -b btc_mxn --lake /srv/lake
    """
    from bitso_spread.service import systemd

    recording = read_recording(context)
    program = program or _this_program()
    text = systemd.unit(unit, recording, program=program, user=user)
    # The other units tell nobody what to record.
    _print(recording, text, advises=unit is Unit.RECORDER)


@service.command("docker", **_PASSING_ON)
def docker(context: typer.Context) -> None:
    """Print a Dockerfile, with the command that runs its image in its first lines.

    The lake is the image's only volume, /lake.

    Example: bitso-spread service docker -b all > Dockerfile
    """
    from bitso_spread.service.docker import dockerfile

    recording = read_recording(context, leave_out=(*ENDS, "--lake", "--state"))
    _print(recording, dockerfile(recording))


@service.command("compose", **_PASSING_ON)
def compose(context: typer.Context) -> None:
    """Print a compose file for the image of `service docker`.

    The lake is a volume, or the folder of the host that --lake names.

    Example: bitso-spread service compose -b all --lake ./data > compose.yaml
    """
    from bitso_spread.service.compose import compose

    recording = read_recording(context)
    _print(recording, compose(recording))


@service.command("airflow", **_PASSING_ON)
def airflow(
    context: typer.Context,
    reports: Annotated[
        str,
        typer.Option("--reports", metavar="DIR", help="The worker's folder for daily reports."),
    ] = "/var/lib/bitso-spread/reports",
    max_missing: Annotated[
        int,
        typer.Option(
            min=0, metavar="N", help="Seconds of a day that may not be known until verify fails."
        ),
    ] = 0,
    program: ProgramOption = None,
) -> None:
    """Print two Airflow DAGs: a batch every ten minutes, and each day's keeping.

    The second one compacts, verifies and reports yesterday. A standing
    service records better than the first one does.

    Example: bitso-spread service airflow -b all --lake /srv/lake
    """
    from bitso_spread.service.airflow import dags

    recording = read_recording(context, leave_out=(*ENDS, *_METRICS))
    text = dags(
        recording,
        program=program or _this_program(),
        reports=reports,
        max_missing=max_missing,
    )
    _print(recording, text)


def _print(recording: Recording, text: str, *, advises: bool = True) -> None:
    with stdout() as out:
        out.write(text.encode())
    if not advises:
        return
    for name, value in recording.advised:
        say(f"{name} {value} is advised, and taken since {name} was not given")
    if recording.left_to_table:
        options = " and ".join(recording.left_to_table)
        say(f"{options}: not given, and left to the table, which is there already")
    _tell_of_secrets(recording)


def _tell_of_secrets(recording: Recording) -> None:
    """Say which secrets that a collection would find here are not in what was printed.

    Raises:
        UsageError: the webhook that is set makes no sense.
    """
    from bitso_spread.alerts.config import VARIABLE, find_webhook
    from bitso_spread.publish.properties import VARIABLE as PROPERTIES

    webhook = find_webhook(files=settings.files)
    if webhook is not None:
        _tell_of_secret(webhook.origin, VARIABLE)
    if recording.publishes and os.environ.get(PROPERTIES):
        _tell_of_secret(PROPERTIES, PROPERTIES)


def _tell_of_secret(found: str, variable: str) -> None:
    warn(
        f"{found} is not written into it, for it is no place for secrets: set {variable} where "
        "its first lines say"
    )


def _this_program() -> str:
    """Give the path of the program that runs now, as it was installed."""
    return str(Path(sys.executable).parent / "bitso-spread")
