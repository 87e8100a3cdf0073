"""Where the value of each option came from: said under ``--verbose``, and beside an error."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperOption

from bitso_spread.cli.app import settings
from bitso_spread.cli.config import FileValues
from bitso_spread.cli.logs import say
from bitso_spread.errors import UsageError

_SECRET_PLACES = re.compile(r"(?<=//).*@|(?<=\?).*")


def show(context: typer.Context) -> None:
    """Say it of every option of a command, on stderr, a line each; secrets are masked."""
    files = ", ".join(str(file.path) for file in settings.files)
    for line in (f"settings files: {files or 'none'}", *_lines(context), *_secrets(context)):
        # Asked for, and so said also under --quiet.
        say(line, always=True)


def add_notes(error: Exception, context: typer.Context) -> None:
    """Add to an error where the values come from that it speaks of and nobody has typed.

    Of variables only where the request itself is wrong: elsewhere they are what was meant.
    """
    said, is_wrong = str(error), isinstance(error, UsageError)
    for param in _params(context):
        words = in_words(context, param)
        if not words or not (is_wrong or place(context, param.name)):
            continue
        if _is_meant(said, param, context.params.get(param.name)):
            error.add_note(words)


def in_words(context: typer.Context, param: Any) -> str:
    """Say where a value came from that nobody has typed; nothing of others."""
    if where := place(context, param.name):
        return f"{_name(param)} is set by {where}"
    if _source(context, param) == "ENVIRONMENT":
        return f"{_name(param)} is set by {variable(context, param)}"
    return ""


def is_typed(context: typer.Context, name: str) -> bool:
    """Tell whether a parameter is an argument of the command line."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def set_elsewhere(context: typer.Context, names: Collection[str]) -> Iterator[str]:
    """Say where the values of these parameters came from that nobody has typed."""
    for param in _params(context):
        if param.name in names and (words := in_words(context, param)):
            yield words


def place(context: typer.Context, name: str) -> str | None:
    """Give the place in a settings file that the value of a parameter is from, or None."""
    values = context.default_map
    source = context.get_parameter_source(name)
    if source is None or source.name != "DEFAULT_MAP" or not isinstance(values, FileValues):
        return None
    return values.places[name]


def variable(context: typer.Context, option: Any) -> str:
    """Give the variable that an option's value was read from: the one it shares, or its own."""
    if isinstance(option.envvar, str) and os.environ.get(option.envvar):
        return option.envvar
    return f"{context.auto_envvar_prefix}_{option.name.upper()}"


def _params(context: typer.Context) -> list[Any]:
    return [param for param in context.command.params if not getattr(param, "hidden", False)]


def _name(param: Any) -> str:
    return max(param.opts, key=len) if isinstance(param, TyperOption) else str(param.metavar)


def _source(context: typer.Context, param: Any) -> str:
    source = context.get_parameter_source(param.name)
    return "DEFAULT" if source is None else source.name


def _lines(context: typer.Context) -> Iterator[str]:
    for param in _params(context):
        source = _source(context, param)
        where = "argument" if source == "COMMANDLINE" else "default"
        if source == "ENVIRONMENT":
            where = f"environment {variable(context, param)}"
        elif isinstance(context.default_map, FileValues) and source == "DEFAULT_MAP":
            where = f"file {context.default_map.files[param.name]}"
        value = _shown(param, context.params.get(param.name), is_default=where == "default")
        yield f"{_name(param)} {value} ({where})"


def _shown(param: Any, value: Any, *, is_default: bool) -> str:
    if is_default and isinstance(param.show_default, str):
        return param.show_default
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, (list, tuple)):
        return ", ".join(_masked(str(each)) for each in value)
    text = str(getattr(value, "value", value))
    if param.name == "alert_command":
        # What follows the program may be a token.
        program, *rest = text.split(maxsplit=1)
        return f"{program} …" if rest else program
    return _masked(text)


def _masked(text: str) -> str:
    """Give a text; of a URL not where a secret might stand, though none is taken there."""
    return _SECRET_PLACES.sub("…", text) if "://" in text else text


def _secrets(context: typer.Context) -> Iterator[str]:
    """Tell of what no option holds, without what nobody may see."""
    names = {param.name for param in context.command.params}
    if "alert_command" in names:
        from bitso_spread.alerts.config import VARIABLE, find_webhook

        if webhook := find_webhook(files=settings.files):
            by_variable = VARIABLE in os.environ
            where = f"environment {VARIABLE}" if by_variable else webhook.origin
            yield f"webhook {webhook} ({where})"
    if "rest_url" in names:
        from bitso_spread.exchange.signing import KEY_VARIABLE, SECRET_VARIABLE

        for name in (KEY_VARIABLE, SECRET_VARIABLE):
            if os.environ.get(name):
                yield f"{name} is set, and not shown (environment)"


def _is_meant(said: str, param: Any, value: Any) -> bool:
    """Tell whether an error speaks of a parameter: by its name, or by its very value."""
    if re.search(rf"{re.escape(_name(param))}(?![\w-])", said):
        return True
    values = value if isinstance(value, (list, tuple)) else [value]
    texts = [part for one in values if isinstance(one, (str, Path)) for part in str(one).split(",")]
    if any(_has(said, text.strip()) for text in texts):
        return True
    numbers = [one for one in values if isinstance(one, (int, float)) and not isinstance(one, bool)]
    return _has(said, param.name.replace("_", " ")) and any(_has(said, f"{n:g}") for n in numbers)


def _has(said: str, word: str) -> bool:
    return len(word) > 0 and bool(re.search(rf"(?<![\w.-]){re.escape(word)}(?![\w-])", said))
