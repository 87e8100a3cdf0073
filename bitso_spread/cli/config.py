"""What settings files say, as the values of a command's options.

Top-level keys are for what commands share, and a table for each command has its options, under
their long names: ``batch_size = 600`` in ``[collect]`` is ``collect --batch-size 600``. Values
become the texts that would stand on the command line, and are checked as those are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time
from pathlib import Path
from typing import Any, get_args

import typer
from typer.core import TyperOption

from bitso_spread.cli.config_names import ALWAYS, check_group, check_outside, check_table, key_of
from bitso_spread.errors import UsageError
from bitso_spread.settings_files import SettingsFile, expanded

_PATHS = ("lake", "state", "output", "replay")
"""The options whose relative paths begin at the folder of the file that has them."""


class FileValues(dict[str, Any]):
    """Values of options by the names of their parameters, and where each of them stands."""

    def __init__(self) -> None:
        super().__init__()
        self.places: dict[str, str] = {}
        """Such as ``batch_size in [collect] of /srv/bitso-spread.toml``."""
        self.files: dict[str, Path] = {}


def file_values(context: typer.Context, files: Sequence[SettingsFile]) -> FileValues:
    """Give what files say of the options of the command that is to run; the nearest file first.

    Raises:
        UsageError: a key means nothing, or its value is of the wrong type; the message names the
            file and the key.
    """
    options = {
        key_of(param): param
        for param in context.command.params
        if isinstance(param, TyperOption) and not param.is_eager
    }
    found = FileValues()
    for file in files:
        check_outside(file)
        for key, value, place in _said(context, file, options):
            option = options[key]
            if option.name not in found:
                found[option.name] = _as_typed(option, key, value, place, file.path.parent)
                found.places[option.name] = place
                found.files[option.name] = file.path
    return found


def _said(
    context: typer.Context, file: SettingsFile, options: Mapping[str, TyperOption]
) -> Iterator[tuple[str, object, str]]:
    """Give each key that a file has of these options, its value and its place; own table first."""
    own, where = _own_table(context, file)
    check_table(file.path, where, own, [key for key in options if key not in ALWAYS])
    for written, value in own.items():
        key = written.replace("-", "_")
        if key in options:
            yield key, value, f"{written} in {where} of {file.path}"
    for written, value in file.values.items():
        key = written.replace("-", "_")
        if key in options and _stands_outside(options[key], key):
            yield key, value, f"{written} in {file.path}"


def _stands_outside(option: TyperOption, key: str) -> bool:
    # The same rule as for variables: `watch --lake` chooses what is watched, and has none.
    return key in ALWAYS or option.envvar == f"BITSO_SPREAD_{key.upper()}"


def _own_table(context: typer.Context, file: SettingsFile) -> tuple[Mapping[str, object], str]:
    """Give the table of a command, such as that of ``[service.systemd]``, and its name."""
    table, where = file.values, ""
    at: list[Any] = []
    up: Any = context
    while up is not None and up.parent is not None:
        at.insert(0, up)
        up = up.parent
    for each in at:
        name = each.info_name or ""
        where = f"{where[:-1]}.{name}]" if where else f"[{name}]"
        inner = table.get(name, {})
        if not isinstance(inner, dict):
            raise UsageError(f"{file.path}: {where} must be a table")
        table = inner
        if each is not context:
            check_group(file.path, where, table, each.command)
    return table, where


def _as_typed(option: TyperOption, key: str, value: object, place: str, folder: Path) -> object:
    """Give a value as the command line would have it: a text, a list of texts, or a flag."""
    if option.is_flag:
        if not isinstance(value, bool):
            raise UsageError(f"{place} must be true or false")
        return value
    annotation: Any = option.type_descriptor.annotation
    if not option.multiple:
        return _text(annotation, key, value, place, folder)
    (each,) = get_args(annotation)
    values = value if isinstance(value, list) else [value]
    return [_text(each, key, one, place, folder) for one in values]


def _text(annotation: Any, key: str, value: object, place: str, folder: Path) -> str:
    kinds: dict[Any, tuple[tuple[type, ...], str]] = {
        int: ((int,), "a whole number"),
        float: ((int, float), "a number"),
    }
    texts = ((str, int, float, date, datetime, time), "a text in quotes")
    allowed, words = kinds.get(annotation, texts)
    if isinstance(value, bool) or not isinstance(value, allowed):
        raise UsageError(f"{place} must be {words}")
    if isinstance(value, (date, time)):
        return value.isoformat()
    text = str(value)
    if key in _PATHS and "://" not in text:
        # Wherever the program is started, a file means the same places.
        return str(folder / expanded(text))
    return text
