"""What another collector left of some books, as work for the recorder of the one that follows.

Whoever takes books over while their seconds pass has no time to write files first: it hands
the other's batches to its own writer, and goes on recording.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from bitso_spread.errors import LakeError
from bitso_spread.lake import layout
from bitso_spread.lake.recorder import Entry
from bitso_spread.lake.state import LakeState


@dataclass(frozen=True, slots=True)
class Inheritance:
    """What is there of books whose locks were just taken."""

    marks: Mapping[str, int]
    """The last tick ever recorded of each book."""
    entry: Entry
    """The batches that are in the journal alone, and the outages that were not ended."""


def inherit(lake: Path, table: str, books: Collection[str]) -> Inheritance:
    """Look what is left of books, whose locks must be held.

    Raises:
        LakeError: the journal cannot be read.
    """
    try:
        with LakeState(layout.state_file(lake, table)) as state:
            marks = state.marks()
            batches = [batch for batch in state.batches() if batch.book in books]
            outages = [
                replace(outage, last_tick=marks.get(outage.book, outage.first_tick))
                for outage in state.outages()
                if outage.last_tick is None and outage.book in books
            ]
    except sqlite3.Error as error:
        raise LakeError(f"cannot read the journal of {lake}: {error}") from error
    return Inheritance(marks, Entry(outages=outages, ended=batches))
