"""A lake in object storage, as a folder: what is read of it is copied there first, and no more.

Copies are whole objects, checked by their checksums, and are read by the code that reads a disk.
They lie in a temporary folder of their own, which goes when the lake is not used any more.
"""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import weakref
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from itertools import chain
from pathlib import Path

from bitso_spread.cloud.address import Address, parse
from bitso_spread.cloud.errors import AbsentError
from bitso_spread.cloud.objects import Found, ObjectStore, open_store
from bitso_spread.errors import LakeError
from bitso_spread.lake import layout
from bitso_spread.lake.ahead import Ahead
from bitso_spread.lake.bucket_listing import BucketListing
from bitso_spread.lake.copies import Copies
from bitso_spread.lake.datafile import DataFile, GoneError
from bitso_spread.lake.layout import Partition
from bitso_spread.lake.listing import is_place
from bitso_spread.lake.outline import looked_beside, outline
from bitso_spread.lake.place import Pair
from bitso_spread.lake.shown import copies, no_copies
from bitso_spread.waiting import result_of

_log = logging.getLogger("bitso_spread.cloud")

# Objects asked for at a time.
_AT_ONCE = 32
# Compacted days that are fetched before they are asked for: 1.5 MB each.
_DAYS_AT_ONCE = 16
_DAYS_AHEAD = 4


class Mirror:
    """A place in object storage: see `bitso_spread.lake.place.Place`.

    Args:
        store: the lake.
        table: the table that is read.
        state: the local lake of its collector, if it is at hand.
    """

    def __init__(self, store: ObjectStore, table: str, state: Path | None = None) -> None:
        self.store = store
        self.name = str(store.address)
        self.state = state
        self._table = table
        self._daily = layout.daily_table(table)
        self._listing = BucketListing(store, state)
        self.is_far = True
        self.root = _temporary_folder()
        copies(self.root, self.name)
        weakref.finalize(self, _remove, self.root)
        self._copies = Copies(self.root)
        self._ahead = Ahead(store, _DAYS_AT_ONCE)

    def has_table(self, table: str) -> bool:
        """Tell whether there is an object of it, or a collector that is to put one."""
        if self.state is not None and layout.state_file(self.state, table).is_file():
            return True
        self._listing.foresee([table, layout.daily_table(table)])
        return bool(self._days(table) or self._days(layout.daily_table(table)))

    def days_in(self, folder: Path) -> list[tuple[int, str]]:
        """Give the UTC days of a table: one request for a thousand."""
        return sorted((int(day), str(folder / name)) for day, name in self._days(self._key(folder)))

    def books_in(self, day: str) -> list[tuple[str, str]]:
        """Give the books of a day: one request."""
        key = self._key(day)
        if self._is_daily(key):
            names = sorted(self._listing.parts(key))
        else:
            names = self._listing.folders(key)
        return [(book, f"{day}/{name}") for book, name in _values(names, "order_book")]

    def batches_in(self, book: str) -> list[tuple[int, str]]:
        """Give the batches of a book's day: one request for all, with their files."""
        key = self._key(book)
        names = self._listing.parts(key)
        return [(int(text), f"{book}/{name}") for text, name in _values(sorted(names), "minutes")]

    def names_in(self, folder: str) -> set[str]:
        """Give the names of what lies in the folder of a book's day."""
        key = self._key(folder)
        return {_part(found.key, key) for found in self._below(key)}

    def files_in(self, partition: Partition, folder: str) -> Iterator[DataFile]:
        """Give the data files of a partition; its book's day is listed already."""
        key = self._key(folder)
        found = self._listing.parts(_parent(key)).get(_name(key))
        if not found:
            raise GoneError(Path(folder))
        for each in found:
            if _parent(each.key) == key and layout.is_data_file(_name(each.key)):
                path = self.root / each.key
                yield DataFile(partition, path, each.size, etag=each.etag)

    def marks(self, table: str) -> _Everything:
        """Look into every day: its files come with it in the same answer."""
        del table
        return _Everything()

    def bring_days(self, folder: str | None) -> None:
        """Copy the compacted files of a book's day."""
        if folder is None:
            return
        key = self._key(folder)
        found = [each for each in self._below(key) if layout.is_daily_name(_name(each.key))]
        self._copies.keep_only(key, {each.key for each in found})
        wanted = [each for each in found if not self._copies.has(each.key, each.etag)]
        coming = [(each.key, self._ahead.begin(each.key)) for each in wanted]
        for key, answer in coming:
            with suppress(AbsentError):  # compacted anew under another name
                self._copies.put(result_of(answer))
            self._ahead.end(key)

    def is_there(self, file: DataFile) -> bool:
        """Tell whether a file still is there, as far as it was listed last."""
        key = self._key(file.path)
        return any(found.key == key for found in self._listing.objects(_parent(_parent(key))))

    def forget(self, files: Iterable[DataFile]) -> None:
        """List the days of these files anew."""
        days = {(file.partition.date, file.partition.book) for file in files}
        prefixes = [self._table, self._daily]
        for date, book in days:
            path = layout.day_path(date, book)
            prefixes += [f"{self._table}/{part.as_posix()}" for part in (path, path.parent)]
            prefixes.append(f"{self._daily}/{path.parent.as_posix()}")
        self._listing.forget(prefixes)

    def days_ahead(self, done: int) -> int:
        """Look a few days ahead, once it is known that more than one is gone through."""
        return min(done, _DAYS_AHEAD)

    def foresee_days(self, days: Iterable[Pair]) -> None:
        """Begin to list the books of days."""
        for there, made in days:
            self._listing.foresee(
                [self._key(there)] if there else [], [self._key(made)] if made else []
            )

    def foresee_books(self, books: Iterable[Pair]) -> None:
        """Begin to list what books have of a day, and to copy what is compacted."""
        for there, made in books:
            if there is not None:
                self._listing.foresee(flat=[self._key(there)])
            if made is not None and self._listing.is_known(_parent(self._key(made))):
                below = self._below(self._key(made))
                self._ahead.expect(
                    each.key for each in below if not self._copies.has(each.key, each.etag)
                )

    @contextmanager
    def held(self, files: Sequence[DataFile]) -> Iterator[None]:
        """Copy files, and have them for as long as they are read."""
        beside = chain.from_iterable(file.day.beside for file in files if file.day)
        wanted = {self._key(file.path): file for file in chain(files, beside)}
        with self._copies.pinned([*wanted]):
            missing = [key for key, file in wanted.items() if not self._copies.has(key, file.etag)]
            self._copy(missing)
            for key in wanted:
                if not self._copies.is_sound(key):
                    raise self.store.damaged(key)
            yield

    @contextmanager
    def at_hand(self, table: str, date: int, book: str) -> Iterator[bool]:
        """Copy a book's day as it is, and put empty files in the place of debris.

        Gives whether its folders are those that were listed.
        """
        path = layout.day_path(date, book).as_posix()
        day, daily = f"{table}/{path}", f"{layout.daily_table(table)}/{path}"
        for again in (True, False):
            data, others, made = self._all_of(day, daily, date)
            with self._copies.pinned([*data]):
                try:
                    self._copy(
                        [key for key, etag in data.items() if not self._copies.has(key, etag)]
                    )
                except GoneError:
                    # Compacted meanwhile: another list has its rows.
                    if not again:
                        raise
                    self._listing.forget([day, _parent(daily), self._daily])
                    continue
                (self.root / day).mkdir(parents=True, exist_ok=True)
                marked = looked_beside(self.root, table, date, book) if made else nullcontext()
                with outline(self.root, others), marked:
                    yield again
                return

    @contextmanager
    def outlined(self, folder: Path) -> Iterator[None]:
        """Put empty files in the place of what lies in a folder, but for its days or books."""
        key = self._key(folder)
        level = "date" if key == self._table else "order_book"
        found = self._listing.beside(key)
        for name in self._listing.folders(key):
            if not is_place(name, level):
                found += self._listing.objects(f"{key}/{name}")
        (self.root / key).mkdir(parents=True, exist_ok=True)
        with outline(self.root, found):
            yield

    def give_up(self) -> None:
        """Wait for nothing that is under way."""
        self.store.give_up()

    def checksum_of(self, file: DataFile) -> str | None:
        """Give the SHA-256 that is in the object's metadata."""
        return self._copies.checksum_of(self._key(file.path))

    def _all_of(
        self, day: str, daily: str, date: int
    ) -> tuple[dict[str, str | None], list[Found], list[Found]]:
        """Give the data of a book's day, with etags, what is none, and what is compacted."""
        found = self._listing.objects(day)
        made = self._below(daily) if self._is_compacted(date) else []
        data = [each for each in found if self._is_data(each.key, day)]
        others = [each for each in found if each not in data]
        return {each.key: each.etag for each in [*data, *made]}, others, made

    def _days(self, prefix: str) -> list[tuple[str, str]]:
        names = self._listing.folders(prefix)
        return [(day, name) for day, name in _values(names, "date") if is_place(name, "date")]

    def _below(self, key: str) -> list[Found]:
        """Give what lies below the folder of a book's day."""
        if not self._is_daily(key):
            return self._listing.objects(key)
        return [*self._listing.parts(_parent(key)).get(_name(key), ())]

    def _is_compacted(self, date: int) -> bool:
        return str(date) in {day for day, _ in self._days(self._daily)}

    def _is_daily(self, key: str) -> bool:
        return key.partition("/")[0] == self._daily

    def _is_data(self, key: str, day: str) -> bool:
        folder, _, name = key[len(day) + 1 :].partition("/")
        return is_place(folder, "minutes") and "/" not in name and layout.is_data_file(name)

    def _copy(self, keys: Sequence[str]) -> None:
        """Copy objects; those that a collector still has on its disk from there."""
        far = []
        for key in keys:
            near = self._listing.waiting_file(key)
            if near is None or not self._copies.take(key, near):
                far.append(key)
        try:
            for fetched in self.store.fetch_many(far, at_once=_AT_ONCE):
                self._copies.put(fetched)
        except AbsentError as error:
            gone = next((key for key in far if self.store.url_of(key) in str(error)), far[0])
            raise GoneError(self.root / gone) from error

    def _key(self, path: Path | str) -> str:
        return str(path)[len(str(self.root)) + 1 :].replace(os.sep, "/")


class _Everything:
    """Contains whatever it is asked for."""

    def __contains__(self, _: object) -> bool:
        return True


def open_mirror(url: str, table: str, state: Path | str | None = None) -> Mirror:
    """Open a lake in object storage: see `bitso_spread.lake.place.open_place`."""
    address = parse(url)
    # Naming the table's own folder works too.
    if _name(address.prefix) == table:
        address = Address(address.scheme, address.bucket, _parent(address.prefix))
    local = None if state is None else layout.locate(Path(state), table)
    if local is not None and not local.is_dir():
        raise LakeError(f"there is no folder {local}: --state names that of the collector")
    return Mirror(open_store(str(address)), table, local)


def _temporary_folder() -> Path:
    try:
        return Path(tempfile.mkdtemp(prefix="bitso-spread-"))
    except OSError as error:
        raise LakeError(
            f"there is no folder for what is read ({error.strerror}): set TMPDIR to one"
        ) from error


def _remove(folder: Path) -> None:
    no_copies(folder)
    shutil.rmtree(folder, ignore_errors=True)


def _values(names: Iterable[str], key: str) -> Iterator[tuple[str, str]]:
    for name in names:
        if is_place(name, key):
            yield name.partition("=")[2], name


def _part(key: str, prefix: str) -> str:
    """Give the name that follows a prefix in a key."""
    return key[len(prefix) + 1 :].partition("/")[0]


def _parent(key: str) -> str:
    return key.rpartition("/")[0]


def _name(key: str) -> str:
    return key.rpartition("/")[2]
