"""What became of the rows of an import: how many were taken, and why the others were not. Values.

Each row that was read is counted once: `Imported.read` is the sum of all that became of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

# As many as a person reads through; how many there were is counted all the same.
LISTED = 1000
EXAMPLES = 3
"""How many rows of a file are shown for each reason why such are refused."""


class Reason(StrEnum):
    """Why a row is refused; said after the number of such rows."""

    FIELDS = "with more or fewer fields than there are columns"
    CUT = "in a last line without an end, which may be cut short"
    TIME = "with a timestamp that cannot be read, or that does not give its offset"
    BOOK = "with a name that no book has"
    NUMBER = "with something that is no number where one belongs"
    OFF_GRID = "between the seconds, or off the grid of the interval"
    FUTURE = "of the future"
    IMPOSSIBLE = "without a part, or with a price that cannot be"
    CROSSED = "with a bid that is not below the ask"
    SPREAD = "with a spread that does not follow from bid and ask"
    STATE = "with a state that there is not, or that contradicts the prices"
    DIFFER = "of seconds that the sources tell in two ways (--merge takes the better row)"
    OVERLAP = "of seconds that the lake tells otherwise (--merge takes the better row)"
    FIXED = (
        "that are better than the lake's, which are another writer's or in a compacted and pruned "
        "day (with --merge, a new lake takes the better of both)"
    )


@dataclass(frozen=True, slots=True)
class Example:
    """A row that was refused."""

    line: int | None
    """Where it is, from 1: its line in CSV, a header included, its row in Parquet; None in a
    journal."""
    text: str
    """What it says, as far as that fits on a line."""


@dataclass(slots=True)
class OfFile:
    """Rows of one file that were refused for one reason."""

    rows: int = 0
    examples: list[Example] = field(default_factory=list)
    """The first `EXAMPLES` of them that were come upon; of the first `LISTED` files only."""


@dataclass(slots=True)
class Refused:
    """Rows that were refused for one reason."""

    rows: int = 0
    files: dict[str, OfFile] = field(default_factory=dict)
    """Those of each file, by its path or URL, in the order in which they were come upon."""

    @property
    def first(self) -> str:
        """Where the first of them is, and what it says."""
        path, of_file = next(iter(self.files.items()))
        return told(path, of_file.examples[0])


def told(path: str, example: Example) -> str:
    """Say where a row is, and what it says."""
    if example.line is None:
        return f"{path}: {example.text}"
    unit = "row" if path.endswith(".parquet") else "line"
    return f"{path}, {unit} {example.line}: {example.text}"


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A second of which two known rows have other prices."""

    book: str
    tick: int
    """Seconds since the epoch."""
    kept: tuple[float, float]
    """Best bid and best ask of the row that stands."""
    other: tuple[float, float]
    """Those of the row that does not."""
    source: str
    """The file that was being imported; the other row is the lake's, or an earlier file's."""


@dataclass(slots=True)
class Span:
    """Rows of a book that were taken."""

    rows: int
    first: int
    """The first tick, in seconds since the epoch."""
    last: int

    def extend(self, rows: int, first: int, last: int) -> None:
        """Take in more of them."""
        self.rows += rows
        self.first, self.last = min(self.first, first), max(self.last, last)


@dataclass(slots=True)
class Imported:
    """What an import has done."""

    environment: str
    """What the rows were recorded from: ``production``, ``sim``, another host's name."""
    unlabelled: int = 0
    """Rows of files that do not tell what they were recorded from, and of which nobody has said it:
    they count as production."""
    files: int = 0
    """Data files that were read."""
    journaled: int = 0
    """Rows that were read from the journals of sources, which are in no file of theirs yet."""
    unreadable: list[str] = field(default_factory=list)
    """What is wrong with each file that was passed over, wholly or from some row on."""
    unlisted: list[str] = field(default_factory=list)
    """What is wrong with each folder that was passed over."""
    read: int = 0
    """Rows that were read."""
    taken: int = 0
    """Rows of seconds that the lake did not have."""
    replaced: int = 0
    """Rows that stand now where the lake had a worse one."""
    there: int = 0
    """Rows that the lake has already, with the same prices."""
    repeated: int = 0
    """Rows that the sources have more than once, with the same prices."""
    outranked: int = 0
    """Rows of seconds of which another row, with other prices, is no worse."""
    refused: dict[Reason, Refused] = field(default_factory=dict)
    disagreements: int = 0
    """Seconds of which two known rows had other prices."""
    examples: list[Disagreement] = field(default_factory=list)
    """The first `LISTED` of them."""
    books: dict[str, Span] = field(default_factory=dict)
    """The rows of each book that were taken or put in the place of worse ones."""

    @property
    def refusals(self) -> int:
        """How many rows were refused."""
        return sum(refused.rows for refused in self.refused.values())

    def refuse(self, reason: Reason, path: str, rows: int, examples: list[Example]) -> None:
        """Count rows of a file that are refused, and note the first of them."""
        refused = self.refused.setdefault(reason, Refused())
        refused.rows += rows
        of_file = refused.files.setdefault(path, OfFile())
        of_file.rows += rows
        if len(refused.files) <= LISTED:
            of_file.examples += examples[: EXAMPLES - len(of_file.examples)]

    def differ(self, rows: int, examples: list[Disagreement]) -> None:
        """Count seconds of which two known rows had other prices."""
        self.disagreements += rows
        self.examples += examples[: LISTED - len(self.examples)]

    def take(self, book: str, rows: int, first: int, last: int) -> None:
        """Count rows of a book that are in the lake now."""
        self.books.setdefault(book, Span(0, first, last)).extend(rows, first, last)
