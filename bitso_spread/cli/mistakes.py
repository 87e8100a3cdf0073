"""What Typer finds wrong with a command line, in one line that names the nearest right thing."""

from __future__ import annotations

import re
from typing import Any

from typer.core import TyperGroup, TyperOption
from typer.exceptions import TyperException

from bitso_spread.nearest import did_you_mean

_NOISE = re.compile(r"Value error, | \(env var: '[^']*'\)")
_CHOICE = re.compile(r"'(?P<given>.*)' is not one of (?P<choices>'.*')\.?", re.DOTALL)


def in_words(error: TyperException) -> str:
    """Say what is wrong, what was probably meant, and where the value is from if it was not typed.

    Typer's own classes of errors are private; what they tell is looked for by name.
    """
    said = _NOISE.sub("", error.format_message()).rstrip(".")
    context: Any = getattr(error, "ctx", None)
    if (option := getattr(error, "option_name", None)) and hasattr(error, "possibilities"):
        return f"{error.message}{_other_option(option, context)}"
    if match := _CHOICE.search(error.message):
        choices = re.findall(r"'([^']*)'", match["choices"])
        said += did_you_mean(match["given"], choices)
    param = getattr(error, "param", None)
    if context is not None and param is not None:
        from bitso_spread.cli.origins import in_words as origin_in_words

        if where := origin_in_words(context, param):
            said += f" ({where})"
    return said


def _other_option(given: str, context: Any) -> str:
    if context is None:
        return ""
    command = context.command
    names = [
        name
        for param in command.params
        if isinstance(param, TyperOption)
        for name in (*param.opts, *param.secondary_opts)
    ]
    if near := did_you_mean(given, names):
        return near
    if isinstance(command, TyperGroup) and context.parent is None:
        from bitso_spread.cli.config_names import owners_of

        owners = owners_of(given)
        return f"; it goes after the command, such as {owners[0]}" if owners else ""
    return ""
