"""Where the webhook's URL comes from, which is a secret: the environment, or the user's file.

Never from an argument, which every user of a host can read in its list of processes.
"""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from bitso_spread.errors import UsageError
from bitso_spread.exchange.environment import is_loopback

VARIABLE = "BITSO_SPREAD_ALERT_WEBHOOK"
FILE_VARIABLE = "BITSO_SPREAD_CONFIG"


@dataclass(frozen=True, slots=True, repr=False)
class Webhook:
    """The URL that alerts are sent to; shown as its host alone.

    Raises:
        UsageError: it is no URL, or others on the way could read it. The message does not say it.
    """

    url: str
    origin: str = "the webhook"
    """Where it was found, for messages."""

    def __post_init__(self) -> None:
        wrong = UsageError(f"{self.origin} is not a URL such as https://hooks.example.com/…")
        try:
            parts = urlsplit(self.url)
            _ = parts.port
        except ValueError:
            raise wrong from None
        printable = self.url.isascii() and self.url.isprintable() and " " not in self.url
        if parts.scheme not in {"https", "http"} or not parts.hostname or not printable:
            raise wrong
        if parts.scheme == "http" and not self.is_loopback:
            raise UsageError(
                f"{self.origin} is not encrypted, and others on the way could read it: use https"
            )

    @property
    def host(self) -> str:
        """The host, which is all of it that is ever shown."""
        return urlsplit(self.url).hostname or ""

    @property
    def is_loopback(self) -> bool:
        """Whether it is this machine."""
        return is_loopback(self.host)

    def __str__(self) -> str:
        return f"{urlsplit(self.url).scheme}://{self.host}/…"

    def __repr__(self) -> str:
        return f"Webhook({str(self)!r})"


def find_webhook(environ: Mapping[str, str] = os.environ) -> Webhook | None:
    """Give the user's webhook; None if there is none.

    The environment goes before the file, and is an empty text for none.

    Raises:
        UsageError: the file cannot be read, others may read it, or what it says is no URL.
    """
    if (url := environ.get(VARIABLE)) is not None:
        return Webhook(url.strip(), VARIABLE) if url.strip() else None
    path = config_file(environ)
    try:
        text = path.read_text(encoding="utf-8")
        mode = path.stat().st_mode
    except FileNotFoundError:
        if FILE_VARIABLE in environ:
            raise UsageError(f"{FILE_VARIABLE} names {path}, and there is no such file") from None
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from error
    found = _in(text, path)
    if found is not None and os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise UsageError(f"{path} holds a secret, and others may read it: chmod 600 {path}")
    return found


def config_file(environ: Mapping[str, str] = os.environ) -> Path:
    """Give the path of the user's file, whether it is there or not."""
    if named := environ.get(FILE_VARIABLE):
        return _expanded(named)
    home = environ.get("XDG_CONFIG_HOME") or "~/.config"
    return _expanded(home) / "bitso-spread" / "config.toml"


def _expanded(path: str) -> Path:
    try:
        return Path(path).expanduser()
    except RuntimeError:
        # An account without a home, as in some containers, has no such file.
        return Path(path)


def _in(text: str, path: Path) -> Webhook | None:
    try:
        alerts = tomllib.loads(text).get("alerts", {})
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is not TOML: {error}") from None
    url = alerts.get("webhook") if isinstance(alerts, dict) else None
    if url is None or url == "":
        return None
    if not isinstance(url, str):
        raise UsageError(f"{path}: webhook in [alerts] must be a text in quotes")
    return Webhook(url.strip(), f"webhook in {path}")
