"""The files that hold settings: where they are looked for, and what may stand in them.

Nearest first: the one that is named (``--config``, `BITSO_SPREAD_CONFIG`), or else
``bitso-spread.toml`` in the working directory; then the user's own. What their keys mean is told
by bitso_spread.cli.config, and the webhook's by bitso_spread.alerts.config.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bitso_spread.errors import UsageError

VARIABLE = "BITSO_SPREAD_CONFIG"
NAME = "bitso-spread.toml"

# Each of them with the only place where it is taken from.
_SECRETS = {"api_key": "BITSO_API_KEY", "api_secret": "BITSO_API_SECRET"}


@dataclass(frozen=True, slots=True)
class SettingsFile:
    """What one file says."""

    path: Path
    """Absolute."""
    values: Mapping[str, object] = field(repr=False)
    """As TOML has them; the webhook's URL may be among them."""


def read_settings(
    named: str | None = None, environ: Mapping[str, str] = os.environ
) -> tuple[SettingsFile, ...]:
    """Read the files that there are, the nearest first.

    Args:
        named: the path of a file that must be there; instead of it, `BITSO_SPREAD_CONFIG`.
        environ: the environment's variables.

    Raises:
        UsageError: a file cannot be read or is no TOML, or a secret in it is not safe there; the
            message names the file, and repeats nothing of a value.
    """
    files: list[SettingsFile | None] = []
    if named := named or environ.get(VARIABLE):
        path = expanded(named).absolute()
        found = _read(path)
        if found is None:
            raise UsageError(f"{path} is to hold the settings, and there is no such file")
        files.append(found)
    elif Path(NAME).is_file():
        # By its relative name first: a working directory that was deleted has no absolute one.
        files.append(_read(Path(NAME).absolute(), is_found_here=True))
    files.append(_read(users_own(environ)))
    return tuple(found for found in files if found is not None)


def users_own(environ: Mapping[str, str] = os.environ) -> Path:
    """Give the path of the user's own file, whether it is there or not."""
    home = environ.get("XDG_CONFIG_HOME") or "~/.config"
    return expanded(home) / "bitso-spread" / "config.toml"


def expanded(path: str) -> Path:
    """Give a path that may begin with ``~``."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        # An account without a home, as in some containers, has no such file.
        return Path(path)


def _read(path: Path, *, is_found_here: bool = False) -> SettingsFile | None:
    try:
        with path.open("rb") as file:
            about, data = os.fstat(file.fileno()), file.read()
        text = data.decode()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from error
    # Whoever can write here must not choose the program that --alert-command runs.
    if is_found_here and not _is_ours(about):
        raise UsageError(
            f"{path} belongs to another user, or others may write it: to use it, name it with "
            "--config"
        )
    import tomllib  # noqa: PLC0415  (most have no file, and pay nothing for it)

    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is not TOML: {error}") from None
    _check_secrets(path, values, about)
    return SettingsFile(path, values)


def _is_ours(about: os.stat_result) -> bool:
    if os.name != "posix":
        return True
    return about.st_uid in {0, os.geteuid()} and not about.st_mode & stat.S_IWOTH


def _check_secrets(path: Path, values: Mapping[str, object], about: os.stat_result) -> None:
    for key in _keys(values):
        variable = _SECRETS.get(key.lower().replace("-", "_").removeprefix("bitso_"))
        if variable is not None:
            raise UsageError(
                f"{path}: {key} is a secret that no file may hold: set {variable} in the "
                "environment"
            )
    alerts = values.get("alerts")
    holds_webhook = isinstance(alerts, dict) and alerts.get("webhook", "") != ""
    is_open = about.st_mode & (stat.S_IRWXG | stat.S_IRWXO)
    if holds_webhook and os.name == "posix" and is_open:
        raise UsageError(f"{path} holds a secret, and others may read it: chmod 600 {path}")


def _keys(values: Mapping[str, object]) -> Iterator[str]:
    for key, value in values.items():
        yield key
        if isinstance(value, dict):
            yield from _keys(value)
