"""What tests of several commands share."""

from __future__ import annotations

import csv
import io
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace

from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from bitso_spread.cli.app import app, load_commands
from bitso_spread.sim.market import Depth
from bitso_spread.sim.server import SimulatedExchange
from bitso_spread.sim.synthetic import SyntheticMarket

Run = Callable[..., tuple[int, str, str]]
"""Runs a command in this process, and gives its exit status, stdout and stderr."""
Start = Callable[..., subprocess.Popen[str]]
"""Starts a command as a process of its own."""


class CrossedMarket(SyntheticMarket):
    """A market whose usd_mxn has its sides swapped."""

    def depth(self, book: str, now_ms: int) -> Depth:
        depth = super().depth(book, now_ms)
        if book == "usd_mxn":
            return replace(depth, bids=depth.asks, asks=depth.bids)
        return depth


def commands() -> dict[str, TyperCommand | TyperGroup]:
    """Give all commands by their names, such as ``query`` and ``service systemd``."""
    load_commands()
    program = get_command(app)
    assert isinstance(program, TyperGroup)
    return dict(_below(program))


def _below(group: TyperGroup, prefix: str = "") -> Iterator[tuple[str, TyperCommand | TyperGroup]]:
    for name, command in group.commands.items():
        assert isinstance(command, TyperCommand | TyperGroup)
        yield f"{prefix}{name}", command
        if isinstance(command, TyperGroup):
            yield from _below(command, f"{prefix}{name} ")


def here(exchange: SimulatedExchange) -> list[str]:
    """Give the options that lead to a simulated exchange."""
    return ["-e", "sim", "--rest-url", exchange.rest_url, "--ws-url", exchange.ws_url]


def rows(out: str) -> list[dict[str, str]]:
    """Read the CSV that a command printed."""
    return list(csv.DictReader(io.StringIO(out)))
