"""Where a lake lies: on a disk, or in object storage. What is done differently there, and no more.

Both list folders level by level, as `bitso_spread.lake.walk` asks for them, and have files where
polars can read them. `Disk` is a disk; object storage is `bitso_spread.lake.mirror`'s.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Protocol

from bitso_spread.cloud.address import is_url
from bitso_spread.errors import UsageError
from bitso_spread.lake import layout, listing
from bitso_spread.lake.daily import Marks
from bitso_spread.lake.datafile import DataFile, GoneError
from bitso_spread.lake.layout import Partition

Pair = tuple[str | None, str | None]
"""A book's folder on a day: in the table, and in that of the compacted days."""


class Marked(Protocol):
    """Days of books whose compacted files may not cover all that there is."""

    def __contains__(self, day: tuple[int, str], /) -> bool:
        """Tell whether a day, such as 20240726, and a book are among them."""


class Place(Protocol):
    """A lake's root, and how to list and read what is below it.

    Methods that list raise `LakeError` where a folder is gone, or cannot be read.
    """

    @property
    def root(self) -> Path:
        """The folder in which files lie that can be read."""

    @property
    def name(self) -> str:
        """What people call it: its absolute path, or its URL."""

    @property
    def state(self) -> Path | None:
        """The folder of the lake with the journal; None where that is not at hand."""

    @property
    def is_far(self) -> bool:
        """Whether what is read is copied first, so that it is better done in portions."""

    def has_table(self, table: str) -> bool:
        """Tell whether there is such a table, or was to be one."""

    def days_in(self, folder: Path) -> list[tuple[int, str]]:
        """See `bitso_spread.lake.listing`, as for the next ones; of no folder, nothing."""

    def books_in(self, day: str) -> list[tuple[str, str]]:
        """Give the books of a day, each with its folder."""

    def batches_in(self, book: str) -> Iterable[tuple[int, str]]:
        """Give the batches of a book's day, each with its folder."""

    def names_in(self, folder: str) -> set[str]:
        """Give the names of what lies in the folder of a book's day."""

    def files_in(self, partition: Partition, folder: str) -> Iterator[DataFile]:
        """Give the data files of a partition."""

    def marks(self, table: str) -> Marked:
        """Give the days of books whose compacted files may not cover all that there is."""

    def bring_days(self, folder: str | None) -> None:
        """Have the compacted files of a book's day where they can be looked into."""

    def is_there(self, file: DataFile) -> bool:
        """Tell whether a file of a partition still is where it was listed."""

    def forget(self, files: Iterable[DataFile]) -> None:
        """List anew, from now on, what these files are of."""

    def days_ahead(self, done: int) -> int:
        """Tell how many days to foresee, after so many have been gone through."""

    def foresee_days(self, days: Iterable[Pair]) -> None:
        """Take note that the books of these days are listed next."""

    def foresee_books(self, books: Iterable[Pair]) -> None:
        """Take note that what these books have of a day is listed next, and then read."""

    def held(self, files: Sequence[DataFile]) -> AbstractContextManager[None]:
        """Have files, and those beside them, where they can be read, for as long as that takes.

        Raises:
            GoneError: one is gone.
            LakeError: one cannot be had.
        """

    def at_hand(self, table: str, date: int, book: str) -> AbstractContextManager[bool]:
        """Have all there is of a book's day below `root`, as it is, debris too.

        Gives whether its folders are those that were listed.
        """

    def outlined(self, folder: Path) -> AbstractContextManager[None]:
        """Have what lies in a folder below `root`, but for the days or books in it."""

    def give_up(self) -> None:
        """Have threads that wait for something of it end at once, with some error."""

    def checksum_of(self, file: DataFile) -> str | None:
        """Give the SHA-256 that a file was put there with, in hex; None where none is known."""


class Disk:
    """A lake in a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.name = str(root)
        self.state: Path | None = root
        self.is_far = False

    def has_table(self, table: str) -> bool:
        """Tell whether there is a folder of it, or a journal."""
        # A collector makes its journal at once, and the table with its first batch.
        return (
            (self.root / table).is_dir()
            or layout.state_file(self.root, table).is_file()
            or (self.root / layout.daily_table(table)).is_dir()
        )

    def days_in(self, folder: Path) -> list[tuple[int, str]]:
        """Give the UTC days of a table."""
        try:
            return listing.days_in(folder)
        except GoneError:
            return []

    def books_in(self, day: str) -> list[tuple[str, str]]:
        """Give the books of a day."""
        return listing.books_in(day)

    def batches_in(self, book: str) -> Iterator[tuple[int, str]]:
        """Give the batches of a book's day."""
        return listing.batches_in(book)

    def names_in(self, folder: str) -> set[str]:
        """Give the names of what lies in a folder."""
        return listing.names_in(folder)

    def files_in(self, partition: Partition, folder: str) -> Iterator[DataFile]:
        """Give the data files of a partition."""
        return listing.files_in(partition, folder)

    def marks(self, table: str) -> Marks:
        """Give the days that are marked."""
        return Marks(self.root, table)

    def bring_days(self, folder: str | None) -> None:
        """Do nothing: they are there."""

    def is_there(self, file: DataFile) -> bool:
        """Tell whether a file still is there."""
        return file.path.exists()

    def forget(self, files: Iterable[DataFile]) -> None:
        """Do nothing: nothing is remembered."""

    def days_ahead(self, done: int) -> int:
        """Foresee nothing: to list a folder takes no time."""
        del done
        return 0

    def foresee_days(self, days: Iterable[Pair]) -> None:
        """Do nothing."""

    def foresee_books(self, books: Iterable[Pair]) -> None:
        """Do nothing."""

    def held(self, files: Sequence[DataFile]) -> AbstractContextManager[None]:
        """Do nothing: they are there."""
        del files
        return nullcontext()

    def at_hand(self, table: str, date: int, book: str) -> AbstractContextManager[bool]:
        """Do nothing: it is there."""
        del table, date, book
        return nullcontext(enter_result=True)

    def outlined(self, folder: Path) -> AbstractContextManager[None]:
        """Do nothing: it is there."""
        del folder
        return nullcontext()

    def give_up(self) -> None:
        """Do nothing: a disk answers."""

    def checksum_of(self, file: DataFile) -> str | None:
        """Know of none: those of a disk are in the journal."""
        del file
        return None


def open_place(path: Path | str, table: str, state: Path | str | None = None) -> Place:
    """Find where a lake lies: in a folder, or under a URL such as ``s3://bucket/prefix``.

    Args:
        path: the lake, or its table.
        table: the table.
        state: of a lake in object storage, the local folder of its collector.

    Raises:
        UsageError: it is no URL of a lake, or `state` is given with a folder.
        MissingExtraError: it is a URL, and the extra ``cloud`` is not installed.
        LakeError: object storage cannot be asked.
    """
    if is_url(str(path)):
        from bitso_spread.lake.mirror import open_mirror  # noqa: PLC0415

        return open_mirror(str(path), table, state)
    if state is not None:
        raise UsageError("--state goes with a lake in object storage: a folder has its journal")
    return Disk(layout.locate(Path(path), table))
