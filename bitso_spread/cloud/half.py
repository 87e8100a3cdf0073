"""The local half of a lake in object storage, by the name that the store knows it by.

The name is random, and lies in the journal. By it a recorder that starts again knows that what
its books' leases name is itself. So does a copy of the folder, be it of a cloned machine or a
backup that was restored: such a copy has to part, and to count as another host from then on.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path

from bitso_spread.lake import layout
from bitso_spread.lake.state import LakeState
from bitso_spread.lake.uploads import Uploads

log = logging.getLogger("bitso_spread.cloud")


class Half:
    """A local half.

    Args:
        name: its name.
        marks: gives the last tick of each book that its journal knows of.
        rename: writes down another name, and gives it.
    """

    def __init__(
        self, name: str, marks: Callable[[], Mapping[str, int]], rename: Callable[[], str]
    ) -> None:
        self.name = name
        self._marks = marks
        self._rename = rename

    def is_behind(self, ticks: Mapping[str, int]) -> bool:
        """Tell whether a half of this name has recorded books up to later ticks than this one."""
        if not any(ticks.values()):
            return False
        marks = self._marks()
        return any(tick > marks.get(book, 0) for book, tick in ticks.items())

    def part(self) -> None:
        """Go on as another one than that of which this is a copy."""
        self.name = self._rename()
        log.error(
            "this state folder is a copy of one that others have recorded with, or was restored "
            "from an older state: it goes on as one of another host, and puts no second that is in "
            "the store already"
        )


def half_of(lake: Path, table: str, url: str) -> Half:
    """Give the local half in a folder, which is made for one store and stays so.

    Raises:
        LakeError: see `bitso_spread.lake.uploads.Uploads.belong_to`.
    """

    def marks() -> Mapping[str, int]:
        with LakeState(layout.state_file(lake, table)) as state:
            return state.marks()

    def rename() -> str:
        with Uploads(lake, table) as uploads:
            return uploads.rename()

    with Uploads(lake, table) as uploads:
        return Half(uploads.belong_to(url), marks, rename)
