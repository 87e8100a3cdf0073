"""Where a lake in object storage has its journal, and the files that are not in the store yet."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from bitso_spread.cloud.address import parse
from bitso_spread.user_folders import state_folder

# Of a name that is too long for a file system, or has signs that it may not take.
_LONGEST = 80
_ODD = re.compile(r"[^A-Za-z0-9._-]+")


def local_half(url: str) -> Path:
    """Give the folder that a lake's recorder uses on this host where none is named.

    Raises:
        UsageError: it is no URL of a lake.
    """
    address = str(parse(url))
    name = _ODD.sub("-", address).strip("-")[:_LONGEST]
    # Two URLs may become the same name.
    mark = hashlib.sha256(address.encode()).hexdigest()[:8]
    return state_folder(os.environ) / "lakes" / f"{name}-{mark}"
