"""The errors that callers can act on.

::

    BitsoSpreadError            one line that says what failed, on what, what to do
    ├── UsageError              the request itself is wrong (exit status 2)
    ├── UnknownBookError        the exchange, or the lake, has no such book
    ├── MissingExtraError       an optional part is not installed
    ├── ExchangeError           Bitso, or the way to it (see bitso_spread.exchange.rest)
    └── LakeError               the lake, or a file in it
        ├── LakeBusyError       another collector holds a book of this lake
        ├── LakeIdentityError   the lake was made for something else
        └── StoreError          object storage (see bitso_spread.cloud.errors)
"""

from __future__ import annotations


class BitsoSpreadError(Exception):
    """Base of every error this package raises on purpose; its text is one line for a person."""


class UsageError(BitsoSpreadError):
    """What was asked for makes no sense, whatever the state of the world."""


class UnknownBookError(BitsoSpreadError):
    """A book that the exchange, or the lake, does not have."""


class MissingExtraError(BitsoSpreadError):
    """An optional dependency is missing."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(
            f"{what} needs the extra {extra!r}: pip install 'bitso-spread[{extra}]'",
        )


class ExchangeError(BitsoSpreadError):
    """The exchange could not be reached, or did not give what was asked for."""


class LakeError(BitsoSpreadError):
    """The lake, or a file in it, is not as it must be."""


class LakeBusyError(LakeError):
    """Another process writes this book of this lake."""


class LakeIdentityError(LakeError):
    """The lake holds another environment, format, set of columns or interval.

    Args:
        message: says which.
        differing: the fields of `bitso_spread.lake.journal.Identity` that differ, if it is known.
    """

    def __init__(self, message: str, differing: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.differing = frozenset(differing)
