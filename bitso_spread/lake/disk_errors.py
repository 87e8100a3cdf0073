"""What the disk says, where polars passes it on as an error of its own.

polars 2 gives a write that a full disk refuses as ``ComputeError: parquet: File out of
specification: underlying IO error: No space left on device (os error 28)``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

from bitso_spread.lake.files import UNREADABLE

# As Rust ends the text of an error of the system.
_OS_ERROR = re.compile(r"\(os error (\d+)\)")


def os_error_in(error: BaseException) -> OSError | None:
    """Give the error of the system that an error of polars tells of; None if it tells of none."""
    found = _OS_ERROR.search(str(error))
    if found is None:
        return None
    number = int(found[1])
    return OSError(number, os.strerror(number))


@contextmanager
def as_os_errors() -> Iterator[None]:
    """Raise what polars says of the disk as Python does.

    Raises:
        OSError: the disk is full or refuses.
    """
    try:
        yield
    except UNREADABLE as error:
        of_system = os_error_in(error)
        if of_system is None:
            raise
        raise of_system from error
