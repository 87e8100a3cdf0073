"""What can go wrong with object storage, by what a caller would do about it.

::

    StoreError                  one line that says what failed, and what to do
    ├── UnreachableError        it may work later: no answer, or "slow down"
    ├── RefusedError            it will not: credentials, permissions, no such bucket
    ├── AbsentError             there is no such object
    ├── ExistsError             there is such an object already
    ├── ChangedError            the object is not the one that was meant any more
    └── DamagedError            the object's bytes are not those that were put there
"""

from __future__ import annotations

from typing import ClassVar

from bitso_spread.errors import LakeError


class StoreError(LakeError):
    """Object storage did not do what was asked of it."""

    retryable: ClassVar[bool] = False
    """Whether the same request may well succeed later."""


class UnreachableError(StoreError):
    """There was no answer, or one that says to come back: timeouts, 429, 5xx."""

    retryable = True


class RefusedError(StoreError):
    """It answered, and will not do it until somebody changes something."""


class AbsentError(StoreError):
    """There is no such object."""


class ExistsError(StoreError):
    """An object of that key is there already; it was left as it is."""


class ChangedError(StoreError):
    """The object has changed, or is gone, since it was looked at; it was left as it is."""


class DamagedError(StoreError):
    """An object's bytes do not match the checksum that was put with them."""
