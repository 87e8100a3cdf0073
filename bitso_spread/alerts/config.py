"""Where the webhook's URL comes from, which is a secret: the environment, or a file.

Never from an argument, which every user of a host can read in its list of processes.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from bitso_spread.errors import UsageError
from bitso_spread.exchange.environment import is_loopback
from bitso_spread.settings_files import SettingsFile, read_settings

VARIABLE = "BITSO_SPREAD_ALERT_WEBHOOK"


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
        if not _can_be_asked(self.url, parts.hostname):
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


def _can_be_asked(url: str, host: str) -> bool:
    """Tell whether the HTTP library takes a URL, and a name server its host."""
    import httpx  # noqa: PLC0415  (only where there is a webhook)

    try:
        return bool(httpx.URL(url).host and host.encode("idna"))
    except (httpx.InvalidURL, ValueError):
        return False


def find_webhook(
    environ: Mapping[str, str] = os.environ, files: Sequence[SettingsFile] | None = None
) -> Webhook | None:
    """Give the user's webhook; None if there is none.

    The environment goes before the files, the nearest file before the others, and an empty text
    anywhere is none.

    Args:
        environ: the environment's variables.
        files: what was read already; by default, what `read_settings` finds.

    Raises:
        UsageError: a file cannot be read, others may read it, or what it says is no URL.
    """
    if (url := environ.get(VARIABLE)) is not None:
        return Webhook(url.strip(), VARIABLE) if url.strip() else None
    for file in read_settings(environ=environ) if files is None else files:
        alerts = file.values.get("alerts")
        if isinstance(alerts, dict) and "webhook" in alerts:
            return _in(alerts["webhook"], file.path)
    return None


def _in(url: object, path: Path) -> Webhook | None:
    if not isinstance(url, str):
        raise UsageError(f"{path}: webhook in [alerts] must be a text in quotes")
    return Webhook(url.strip(), f"webhook in {path}") if url.strip() else None
