"""``bitso-spread service``: what starts the recorder, printed ready to use.

Each of its commands takes the options of `collect`, and passes on those that it does not know:
they are read by `collect`'s own parser, so that a wrong one is found here and not on the host.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import bitso_spread.cli.collect  # noqa: F401  (its options are read as it reads them)
from bitso_spread.cli import origins, precedence
from bitso_spread.cli.app import SET_UP, app, settings
from bitso_spread.cli.command import Command
from bitso_spread.cli.config import FileValues
from bitso_spread.cli.logs import be_quiet, is_quiet, say, warn
from bitso_spread.cli.options import DEFAULT_BOOKS
from bitso_spread.cli.stdout import stdout
from bitso_spread.cloud.address import is_url
from bitso_spread.errors import UsageError
from bitso_spread.lake import layout
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

# By what a collection that a person starts may end, and no service.
_ENDS = ("--batches", "--duration")
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
    and --columns say otherwise.

    Example: bitso-spread service systemd -b btc_mxn --lake /srv/lake
    """
    from bitso_spread.service import systemd

    recording = _recording(context)
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

    recording = _recording(context, leave_out=(*_ENDS, "--lake", "--state"))
    _print(recording, dockerfile(recording))


@service.command("compose", **_PASSING_ON)
def compose(context: typer.Context) -> None:
    """Print a compose file for the image of `service docker`.

    The lake is a volume, or the folder of the host that --lake names.

    Example: bitso-spread service compose -b all --lake ./data > compose.yaml
    """
    from bitso_spread.service.compose import compose

    recording = _recording(context)
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

    recording = _recording(context, leave_out=(*_ENDS, *_METRICS))
    text = dags(
        recording,
        program=program or _this_program(),
        reports=reports,
        max_missing=max_missing,
    )
    _print(recording, text)


def _recording(context: typer.Context, leave_out: Sequence[str] = _ENDS) -> Recording:
    """Read what is left of the command line as the options of `collect`, and check it.

    What settings files say of `collect` is written out as well, for the host has other files; but
    for what a service, or an image with its one volume, cannot do.
    """
    from bitso_spread.service.recording import Recording

    if context.args == ["-h"]:
        typer.echo(context.get_help())
        raise typer.Exit
    root: Any = context.find_root()
    command = root.command.commands["collect"]
    # Named again, for it may have been named after the command.
    config = [] if settings.config is None else ["--config", settings.config]
    read = command.make_context("collect", [*config, *context.args], parent=root)
    be_quiet(is_quiet() or read.params["quiet"])
    if settings.verbose or read.params["verbose"]:
        origins.show(read)
    outranked = precedence.settle(read)
    typed, _, order = command.make_parser(read).parse_args(list(context.args))
    params = _without_variables(read)
    options = [
        pair
        for option in dict.fromkeys(order)
        for pair in _pairs(option, typed[option.name])
        if not option.hidden
    ]
    settled = [*outranked, *(option.name for option in order)]
    options += _from_files(read, settled, leave_out, params)
    try:
        _check(params)
        return Recording(
            options=tuple(options),
            table=params["table"],
            simulated=params["environment"] == layout.SIMULATED,
            batch_s=params["interval"] * params["batch_size"],
        )
    except UsageError as error:
        origins.add_notes(error, read)
        raise


def _from_files(
    read: Any, settled: Sequence[str], leave_out: Sequence[str], params: dict[str, Any]
) -> list[tuple[str, str | None]]:
    """Give what settings files say of options that are not settled yet, and say so on stderr."""
    pairs: list[tuple[str, str | None]] = []
    written: dict[Path, list[str]] = {}
    values = read.default_map or FileValues()
    for option in read.command.params:
        if option.name in settled or option.hidden or option.name not in values:
            continue
        name = _name(option)
        if name in leave_out and not is_url(str(values[option.name])):
            params[option.name] = option.default
            say(f"{values.places[option.name]} is left out: it is not for this service")
        else:
            pairs += _pairs(option, values[option.name])
            written.setdefault(values.files[option.name], []).append(name)
    for file, names in written.items():
        say(f"written into it, as {file} has them: {', '.join(names)}")
    return pairs


def _without_variables(read: Any) -> dict[str, Any]:
    """Give what `collect` would get without the variables of this shell: the host has others."""
    params = dict(read.params)
    for option in read.command.params:
        source = read.get_parameter_source(option.name)
        if source is not None and source.name == "ENVIRONMENT" and not option.hidden:
            by_file = (read.default_map or {}).get(option.name)
            params[option.name] = (
                option.default if by_file is None else option.process_value(read, by_file)
            )
            name = _name(option)
            warn(f"{name} is set by a variable here, which the service will not see: give {name}")
    return params


def _check(params: dict[str, Any]) -> None:
    """Find what `collect` would find before it asks anybody.

    Raises:
        UsageError: a value makes no sense; the message names it.
    """
    from bitso_spread.cli.alert_options import rules_of
    from bitso_spread.exchange.client import feed_url
    from bitso_spread.exchange.environment import environment
    from bitso_spread.model import WantedBooks
    from bitso_spread.plan import Plan
    from bitso_spread.publish.address import parse_address
    from bitso_spread.service.recording import LAKE

    Plan(
        books=WantedBooks(params["book"] or DEFAULT_BOOKS).names,
        lake=params["lake"] or LAKE,
        state=params["state"],
        table=params["table"],
        format=params["format"],
        columns=params["columns"],
        interval=params["interval"],
        batch_size=params["batch_size"],
        refresh_after_s=params["refresh_after"],
        max_wait_s=params["max_wait"],
        max_stale_s=params["max_stale"],
    )
    if not layout.is_table_name(params["table"]):
        raise UsageError(f"--table {params['table']!r} cannot be the name of a table")
    if params["publish"] not in {None, "none"}:
        parse_address(params["publish"])
    rules_of(params["alert"], params["alert_hold"], params["alert_cooldown"])
    urls = params["rest_url"], params["ws_url"]
    if params["environment"] != layout.SIMULATED or any(urls):
        feed_url(environment(params["environment"], *urls))


def _name(option: Any) -> str:
    return str(max(option.opts, key=len))


def _pairs(option: Any, value: Any) -> list[tuple[str, str | None]]:
    """Give an option as often as it was given; a flag has no value, and is there or not."""
    if option.is_flag:
        return [(_name(option), None)] if value else []
    return [(_name(option), each) for each in (value if isinstance(value, list) else [value])]


def _print(recording: Recording, text: str, *, advises: bool = True) -> None:
    with stdout() as out:
        out.write(text.encode())
    if not advises:
        return
    for name, value in recording.advised:
        say(f"{name} {value} is advised, and taken since {name} was not given")
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
