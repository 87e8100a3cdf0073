"""The ``Authorization`` header of a signed request, with a nonce of version 2.

Source: docs.bitso.com, create-signed-requests and nonce-v2-rollout. Market data is public;
whether to sign at all is bitso_spread.exchange.rest's decision.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from bitso_spread.errors import UsageError
from bitso_spread.exchange.environment import Environment

KEY_VARIABLE = "BITSO_API_KEY"
SECRET_VARIABLE = "BITSO_API_SECRET"  # noqa: S105  (the name of a variable, not a secret)

SALTS = 10**6
"""How many salts there are: six digits, as Bitso recommends."""

_MS_DIGITS = 13
# What may stand in a header without ending it, and without splitting its three parts.
_PLAIN = re.compile(r"[!-9;-~]+")


@dataclass(frozen=True, slots=True)
class Credentials:
    """An API key and its secret; neither shows in a repr, a message or a log."""

    key: str = field(repr=False)
    secret: str = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse what cannot stand in a header, since the error of that would print it."""
        for name, value in ((KEY_VARIABLE, self.key), (SECRET_VARIABLE, self.secret)):
            if not _PLAIN.fullmatch(value):
                raise UsageError(f"{name} has characters that no API key or secret has")

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Credentials | None:
        """Read them from `BITSO_API_KEY` and `BITSO_API_SECRET`; None where neither is set.

        Raises:
            UsageError: only one of the two is set, or one cannot be a key.
        """
        key = environ.get(KEY_VARIABLE, "").strip()
        secret = environ.get(SECRET_VARIABLE, "").strip()
        if key and secret:
            return cls(key, secret)
        if not key and not secret:
            return None
        given, missing = (KEY_VARIABLE, SECRET_VARIABLE) if key else (SECRET_VARIABLE, KEY_VARIABLE)
        raise UsageError(f"{given} is set but {missing} is not: set both, or unset both")


def refuse_open_way(environment: Environment, environ: Mapping[str, str]) -> None:
    """Refuse credentials together with a URL that others on the way could read along.

    The feed carries none; its URL is held to the same rule, so that a slip in either is noticed.

    Raises:
        UsageError: both are there, or only one of `BITSO_API_KEY` and `BITSO_API_SECRET` is.
    """
    for option, url in environment.open_urls.items():
        if Credentials.from_environ(environ) is not None:
            raise UsageError(
                f"{option} {url} is not encrypted and {KEY_VARIABLE} is set: others on the way "
                f"could read the key; use {'https' if url.startswith('http') else 'wss'}, "
                f"or unset {KEY_VARIABLE} and {SECRET_VARIABLE}"
            )


def nonce(now_ms: int, salt: int) -> str:
    """Give a nonce of version 2: 13 digits of epoch milliseconds, then 6 digits of salt."""
    digits = f"{now_ms:0{_MS_DIGITS}d}"
    if len(digits) != _MS_DIGITS or not 0 <= salt < SALTS:
        raise ValueError(f"no nonce of {now_ms} ms and salt {salt}")
    return f"{digits}{salt:06d}"


def authorization(
    credentials: Credentials,
    method: str,
    path_with_query: str,
    body: str = "",
    *,
    now_ms: int,
    salt: int,
) -> str:
    """Give the header's value: ``Bitso <key>:<nonce>:<signature>``.

    The signature is the hex HMAC-SHA256 of nonce, method, path and body, joined by nothing.
    `path_with_query` is as it is sent, query included and ``/v3`` or ``/api/v3`` too.
    """
    number = nonce(now_ms, salt)
    message = f"{number}{method.upper()}{path_with_query}{body}"
    digest = hmac.new(credentials.secret.encode(), message.encode(), hashlib.sha256)
    return f"Bitso {credentials.key}:{number}:{digest.hexdigest()}"
