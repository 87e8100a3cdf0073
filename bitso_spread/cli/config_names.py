"""The names that may stand in a settings file, and what to say of those that may not."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from typer.core import TyperGroup, TyperOption

from bitso_spread.errors import UsageError
from bitso_spread.nearest import did_you_mean
from bitso_spread.settings_files import SettingsFile

SHARED = ("lake", "state", "table", "book", "environment", "rest_url", "ws_url", "tz")
"""The keys that serve every command that has the option, as their variables do."""
ALWAYS = ("quiet", "verbose", "debug")
"""The keys of what may stand before or after every command."""

_OUTSIDE = (*SHARED, *ALWAYS)
_NO_OPTIONS = {"[alerts]": ("webhook",)}
"""Keys of a command's table that are no options; bitso_spread.alerts.config reads it."""


def key_of(option: TyperOption) -> str:
    """Give the key of an option: its long name, with underscores."""
    return max(option.opts, key=len).lstrip("-").replace("-", "_")


def check_outside(file: SettingsFile) -> None:
    """Look at what stands in a file itself: the shared keys, and a table for each command.

    Raises:
        UsageError: a name means nothing there.
    """
    from bitso_spread.cli.app import MODULES

    seen = set()
    for written, value in file.values.items():
        key = written.replace("-", "_")
        if key in seen:
            raise UsageError(f"{file.path}: {key} stands there twice, with - and with _")
        seen.add(key)
        if written in MODULES:
            if not isinstance(value, dict):
                raise UsageError(f"{file.path}: {written} is a command: make it a table [{key}]")
        elif isinstance(value, dict) and key not in _OUTSIDE:
            near = did_you_mean(f"[{written}]", [f"[{name}]" for name in MODULES])
            raise UsageError(f"{file.path}: there is no command [{written}]{near}")
        elif key not in _OUTSIDE:
            hint = _belongs(key) or did_you_mean(key, _OUTSIDE)
            raise UsageError(f"{file.path}: there is no setting {written}{hint}")


def check_table(path: Path, where: str, table: Mapping[str, object], keys: Collection[str]) -> None:
    """Look at the keys in the table of a command, which has the options `keys`.

    Raises:
        UsageError: a name means nothing there.
    """
    known = [*keys, *_NO_OPTIONS.get(where, ())]
    seen = set()
    for written in table:
        key = written.replace("-", "_")
        if key in seen:
            raise UsageError(f"{path}: {key} stands in {where} twice, with - and with _")
        seen.add(key)
        if key in ALWAYS:
            raise UsageError(f"{path}: {written} stands in {where}: put it before all tables")
        if key not in known:
            hint = _belongs(key) or did_you_mean(key, known)
            raise UsageError(f"{path}: {where} has no setting {written}{hint}")


def check_group(path: Path, where: str, table: Mapping[str, object], command: Any) -> None:
    """Look at what stands in the table of a command that has commands of its own.

    Raises:
        UsageError: it is not one of these.
    """
    names = [*command.commands] if isinstance(command, TyperGroup) else []
    for name in table:
        if name not in names:
            tables = ", ".join(f"{where[:-1]}.{each}]" for each in names)
            near = did_you_mean(name, names) or f": its settings go under {tables}"
            raise UsageError(f"{path}: {where} has no command {name}{near}")


def _belongs(key: str) -> str:
    """Say whose option a key is that stands in a wrong place; nothing if nobody's."""
    if key == "webhook":
        return "; it goes under [alerts]"
    owners = [f"[{name}]" for name in owners_of(f"--{key.replace('_', '-')}")]
    shown = owners if len(owners) < 4 else [*owners[:2], "…"]
    return f"; it goes under {' or '.join(shown)}" if owners else ""


def owners_of(option: str) -> list[str]:
    """Give the commands that have an option such as ``--batch-size``; each is loaded for it."""
    import typer

    from bitso_spread.cli.app import app, load_commands

    load_commands()
    group = typer.main.get_command(app)
    commands = dict(group.commands) if isinstance(group, TyperGroup) else {}
    for name, command in [*commands.items()]:
        if isinstance(command, TyperGroup):
            commands |= {f"{name}.{inner}": each for inner, each in command.commands.items()}
    return [
        name
        for name, command in commands.items()
        if any(
            option in param.opts and not getattr(param, "hidden", False) for param in command.params
        )
    ]
