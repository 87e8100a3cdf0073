"""The options of `collect` that are given to another command, for a recorder elsewhere.

They are read by `collect`'s own parser, so that a wrong one is found here and not on the host.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

import bitso_spread.cli.collect  # noqa: F401  (its options are read as it reads them)
from bitso_spread.cli import origins, precedence
from bitso_spread.cli.app import settings
from bitso_spread.cli.config import FileValues
from bitso_spread.cli.logs import be_quiet, is_quiet, say, warn
from bitso_spread.cli.options import DEFAULT_BOOKS
from bitso_spread.cloud.address import is_url
from bitso_spread.errors import LakeError, UsageError
from bitso_spread.lake import layout

if TYPE_CHECKING:
    from bitso_spread.service.recording import Recording

ENDS = ("--batches", "--duration")
"""By what a collection that a person starts may end, and no service."""


def read_recording(context: typer.Context, leave_out: Sequence[str] = ENDS) -> Recording:
    """Read what is left of the command line as the options of `collect`, and check it.

    What settings files say of `collect` is written out as well, for the host has other files; but
    for what a service, or an image with its one volume, cannot do.

    Raises:
        UsageError: an option makes no sense, or does not for a service.
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
        held = _held_here(params)
        return Recording(
            options=tuple(options),
            table=params["table"],
            simulated=params["environment"] == layout.SIMULATED,
            batch_s=(params["interval"] or int(held.get("interval", 1))) * params["batch_size"],
            held=frozenset(f"--{name}" for name in held),
        )
    except UsageError as error:
        origins.add_notes(error, read)
        raise


def _held_here(params: dict[str, Any]) -> dict[str, str]:
    """Give what the table holds that is meant, where it is on this host, and can be read."""
    from bitso_spread.lake.records import read_identity
    from bitso_spread.plan import OWN

    lake, table = params["lake"], params["table"]
    folder = params["state"] if lake is not None and is_url(lake) else lake
    if folder is None:
        # Of a container it is a volume.
        return {}
    try:
        held = read_identity(layout.state_file(layout.locate(Path(folder), table), table))
    except (LakeError, OSError):
        # What it is, its recorder says.
        return {}
    return {name: held[name] for name in OWN if name in held}


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
