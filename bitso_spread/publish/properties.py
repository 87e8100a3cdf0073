"""How a cluster is reached beyond its address: TLS, a user, a password.

Secrets, and therefore never an argument: a file of librdkafka's own properties, ``name=value`` on
each line, as kcat and Confluent's clients read them. The environment names it.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bitso_spread.errors import UsageError

VARIABLE = "BITSO_SPREAD_PUBLISH_PROPERTIES"

# What "at least once, and in order per book" rests on, and what --publish says.
_OURS = re.compile(
    r"bootstrap\.servers|metadata\.broker\.list|(request\.required\.)?acks|enable\.idempotence"
    r"|enable\.gapless\.guarantee|(message|delivery)\.timeout\.ms|partitioner|transactional\.id"
    r"|(message\.send\.max\.)?retries|max\.in\.flight(\.requests\.per\.connection)?"
    r"|queue\.buffering\.max\.messages|batch\.num\.messages|test\..*|.*_cb"
)
_SECRET = re.compile(r"password|secret|\.pem|jaas|oauthbearer\.config", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Properties:
    """librdkafka's properties by name; shown without their values."""

    values: Mapping[str, str] = field(default_factory=dict, repr=False)
    origin: str = ""
    """The file that they are from, for messages."""

    def masked(self, text: str) -> str:
        """Give a text without the values of those that are secret."""
        for name, value in self.values.items():
            if _SECRET.search(name) and value:
                text = text.replace(value, "***")
        return text


def find_properties(environ: Mapping[str, str] = os.environ) -> Properties:
    """Give the user's properties; none where no file is named.

    Raises:
        UsageError: the file cannot be read, others may read it though it holds a secret, a line
            is none, or it sets what is not its own to say. No message says a value.
    """
    named = environ.get(VARIABLE, "").strip()
    if not named:
        return Properties()
    path = Path(named)
    try:
        text = path.read_text(encoding="utf-8")
        mode = path.stat().st_mode
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise UsageError(f"{VARIABLE} names {path}, which cannot be read: {reason}") from None
    values = dict(_parse(text, path))
    is_secret = any(map(_SECRET.search, values))
    if is_secret and os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise UsageError(f"{path} holds a secret, and others may read it: chmod 600 {path}")
    return Properties(values, str(path))


def _parse(text: str, path: Path) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, equals, value = (part.strip() for part in line.partition("="))
        if not equals or not re.fullmatch(r"[a-z0-9._]+", name):
            raise UsageError(f"{path}, line {number}: write a property as security.protocol=SSL")
        if _OURS.fullmatch(name):
            raise UsageError(f"{path}, line {number}: {name} is for --publish alone to say")
        yield name, value
