"""What can go wrong with a REST request, and how a reply that is an error is read.

::

    ExchangeError
    ├── TransportError             no reply: DNS, TLS, refused, reset, timed out
    ├── HttpError                  a reply, but no data
    │   ├── BitsoError             with Bitso's code and message
    │   │   └── UnknownOrderBookError   also an UnknownBookError
    │   └── Throttled              too many requests; nobody asks for a minute
    ├── BudgetExhausted            not asked, since the request limit leaves no room yet
    └── BadReplyError              status 200, but not what this request gives

Source of codes and bodies: docs.bitso.com (error pages), and recorded replies.
"""

from __future__ import annotations

from typing import Any

import msgspec

from bitso_spread.errors import ExchangeError, UnknownBookError

# 420 is Bitso's documented one; 429 and 418 are what the rest of the world uses.
THROTTLING_STATUSES = frozenset({418, 420, 429})

_THROTTLING_CATEGORY = "08"
_AUTHORISATION_CATEGORY = "02"
# order_book says "0301", and so did ticker in 2018; ticker says 20, a number, today.
_UNKNOWN_BOOK_CODES = frozenset({"0301", "301", "20"})
_TEXT_LIMIT = 200


class TransportError(ExchangeError):
    """The exchange could not be reached, or the connection broke before its reply was whole."""


class HttpError(ExchangeError):
    """The exchange answered with a status, or an error, instead of data."""

    def __init__(self, message: str, status: int, *, is_passing: bool = False) -> None:
        super().__init__(message)
        self.status = status
        self.is_passing = is_passing
        """Whether the same request may succeed soon."""


class BitsoError(HttpError):
    """Bitso's own error, with its code as text: ``0301`` and the number 20 are both seen."""

    def __init__(
        self,
        message: str,
        status: int,
        code: str,
        *,
        is_passing: bool = False,
    ) -> None:
        super().__init__(message, status, is_passing=is_passing)
        self.code = code


class UnknownOrderBookError(BitsoError, UnknownBookError):
    """Bitso has no such book."""


class Throttled(HttpError):  # noqa: N818  (it names what happened, as the field does)
    """Too many requests from this address; the budget is silent for `silence_s` seconds."""

    def __init__(self, message: str, status: int, silence_s: float) -> None:
        super().__init__(message, status)
        self.silence_s = silence_s


class BudgetExhausted(ExchangeError):  # noqa: N818  (it names a state, not a fault)
    """Not asked: the request limit leaves no room for another `wait_s` seconds."""

    def __init__(self, message: str, wait_s: float) -> None:
        super().__init__(message)
        self.wait_s = wait_s


class BadReplyError(ExchangeError):
    """A reply with status 200 that is not JSON, or not the JSON that was asked for."""


class _Envelope(msgspec.Struct):
    success: Any = None
    error: Any = None


class _Detail(msgspec.Struct):
    code: str | int | None = None
    message: str | None = None


def throttled(host: str, status: int, silence_s: float) -> Throttled:
    """Make the error of a reply that says: too many requests."""
    return Throttled(
        f"{host} says too many requests (HTTP {status}): "
        f"nothing is asked for {silence_s:.0f} s; try again then",
        status,
        silence_s,
    )


def is_throttling(status: int, body: bytes) -> bool:
    """Tell whether a reply says that there were too many requests."""
    if status in THROTTLING_STATUSES:
        return True
    code, _ = _code_and_message(body)
    return code.startswith(_THROTTLING_CATEGORY)


def is_error(status: int, body: bytes) -> bool:
    """Tell an error from data; a few errors come without ``success``, or with status 200."""
    if status != 200:
        return True
    envelope = _envelope(body)
    return envelope is not None and (envelope.success is False or envelope.error is not None)


def error_of(host: str, status: int, body: bytes) -> HttpError:
    """Make the error that a reply stands for, whatever form its body has.

    Bitso's code comes as text or as a number, with or without ``success`` and ``details``, or
    the whole error as one text; a body can also be empty, or a web page.
    """
    if 300 <= status < 400:
        return HttpError(f"{host} sends elsewhere (HTTP {status}): check --rest-url", status)
    code, text = _code_and_message(body)
    if not code and not text:
        what = "a body that is not Bitso's" if body.strip() else "an empty body"
        return HttpError(
            f"{host} answered HTTP {status} with {what}; try again later, or check --rest-url",
            status,
            is_passing=_is_passing(status, body),
        )
    said = f"{host} says: {text or 'an error without a message'}"
    said += f" (code {code}, HTTP {status})" if code else f" (HTTP {status})"
    if code in _UNKNOWN_BOOK_CODES:
        return UnknownOrderBookError(f"{said}; bitso-spread books lists them", status, code)
    if code.startswith(_AUTHORISATION_CATEGORY):
        said += "; check BITSO_API_KEY and BITSO_API_SECRET, or unset both: no book needs them"
    return BitsoError(said, status, code, is_passing=_is_passing(status, body))


def printable(text: str) -> str:
    """Make one short line of a foreign text, so that it cannot steer a terminal."""
    line = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(line.split())[:_TEXT_LIMIT]


def _is_passing(status: int, body: bytes) -> bool:
    # Faults of the server, and the web page with status 403 by which Cloudflare, in front of
    # Bitso, turns requests away. What Bitso itself refuses stays wrong however often it is asked.
    is_page = bool(body.strip()) and _envelope(body) is None
    return status >= 500 or (status == 403 and is_page)


def _envelope(body: bytes) -> _Envelope | None:
    try:
        return msgspec.json.decode(body, type=_Envelope)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _code_and_message(body: bytes) -> tuple[str, str]:
    envelope = _envelope(body)
    if envelope is None or envelope.error is None:
        return "", ""
    if isinstance(envelope.error, str):
        return "", printable(envelope.error)
    try:
        detail = msgspec.convert(envelope.error, _Detail)
    except msgspec.ValidationError:
        return "", printable(str(envelope.error))
    code = "" if detail.code is None else printable(str(detail.code))
    return code, printable(detail.message or "")
