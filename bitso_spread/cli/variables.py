"""Variables of the environment that look like ours and are not: told, for they are ignored."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

import typer
from typer.core import TyperOption

from bitso_spread.cli.app import MODULES
from bitso_spread.cli.config_names import ALWAYS, SHARED
from bitso_spread.cli.logs import say
from bitso_spread.nearest import did_you_mean

_PREFIX = "BITSO_SPREAD_"
# What serves every command that has a use for it; the last two are no options.
_EVERYWHERE = (*SHARED, *ALWAYS, "config", "alert_webhook", "publish_properties")


def tell_unknown(context: typer.Context, environ: Mapping[str, str] = os.environ) -> None:
    """Say of each that means nothing to this command, nor may to another, what is near it."""
    ours = [name for name in environ if name.startswith(_PREFIX)]
    if not ours:
        return
    known = {f"{_PREFIX}{name.upper()}" for name in _EVERYWHERE} | set(_own(context))
    for name in sorted(ours):
        if name not in known and not _is_another_s(name, context):
            near = did_you_mean(name, known, least=0.85) or _other_command(name)
            say(f"the variable {name} means nothing, and is left out{near}")


def _own(context: typer.Context) -> Iterator[str]:
    """Give the variables of a command's own options."""
    for param in context.command.params:
        if isinstance(param, TyperOption):
            yield f"{context.auto_envvar_prefix}_{str(param.name).upper()}"
            names: Any = param.envvar or ()
            yield from (names,) if isinstance(names, str) else names


def _is_another_s(name: str, context: typer.Context) -> bool:
    """Tell whether it begins as those of another command do, whose options are not looked at."""
    if name.startswith(f"{context.auto_envvar_prefix}_"):
        return False
    return any(name.startswith(f"{_PREFIX}{command.upper()}_") for command in MODULES)


def _other_command(name: str) -> str:
    word, _, option = name.removeprefix(_PREFIX).partition("_")
    commands = [f"{_PREFIX}{command.upper()}_{option}" for command in MODULES]
    return did_you_mean(f"{_PREFIX}{word}_{option}", commands, least=0.9) if option else ""
