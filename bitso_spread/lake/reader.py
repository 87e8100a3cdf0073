"""A lake, to be asked: its days, books and files, and their rows in order, summed up or in SQL.

Only what a question names is listed, level by level, and only the files that are left are
opened. `filters` reads the question, `walk` lists what it names, `units` reads the files, and
`layout` knows the paths.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TypedDict, Unpack, cast

import polars as pl

from bitso_spread.errors import LakeError, UnknownBookError, UsageError
from bitso_spread.lake import layout, summary
from bitso_spread.lake.columns import FIVE, FULL, SCHEMAS, check_columns, no_rows
from bitso_spread.lake.datafile import DataFile
from bitso_spread.lake.files import OnBad, columns_of, read_readable
from bitso_spread.lake.filters import Asked, Filters, Question
from bitso_spread.lake.merge import at_least_one, first_rows, in_order
from bitso_spread.lake.misnamed import meant
from bitso_spread.lake.place import open_place
from bitso_spread.lake.pruning import KEYS, Condition
from bitso_spread.lake.records import Records, read_records
from bitso_spread.lake.scan import Source
from bitso_spread.lake.sql import plan
from bitso_spread.lake.units import read_rows
from bitso_spread.lake.walk import Choice, Walk
from bitso_spread.model import State, is_book, resolve_book
from bitso_spread.nearest import MISSPELT, did_you_mean

_log = logging.getLogger("bitso_spread.lake")


# As many as are asked for at a time.
_FAR_FILES = 32

OnEnvironment = Callable[[str], None] | None


class Told(TypedDict, total=False):
    """Whom to tell of what is found while rows are read."""

    on_bad: OnBad
    """Called with what is wrong with a file, which is then passed over; None lets it end the
    reading with a `LakeError`."""
    on_environment: OnEnvironment
    """Called with the environment that rows were recorded from, such as ``production`` or ``sim``,
    when they are read."""


class Asking(Question, Told, total=False):
    """The conditions of a question, and whom to tell."""


def _split(asking: Asking) -> tuple[Question, Told]:
    told = {name: value for name, value in asking.items() if name in Told.__optional_keys__}
    question = {name: value for name, value in asking.items() if name not in told}
    return cast("Question", question), cast("Told", told)


class Lake:
    """A lake, ours or another writer's of the same layout, to be asked.

    It lies in a folder, or in object storage under a URL such as ``s3://bucket/prefix``: see
    `bitso_spread.cloud.connect` for credentials.

    Every method takes the conditions of `Question` by name::

        lake = Lake("spreads")
        lake.read(date="2024-07-26", book="btc_mxn", minutes="180..240")
        lake.read(start="2024-07-25T21:15", end="2024-07-25T21:30", tz="America/Mexico_City")

    Conditions on days, books and minutes choose partitions, whose keys describe the first
    row of a batch; those on instants choose rows. A book is found under the name that was
    written or, where the lake has no such book, the reversed one.

    Raises:
        UsageError: `table` cannot be the name of a folder, or a URL is no lake's.
        MissingExtraError: it is in object storage, and the extra ``cloud`` is not installed.
        LakeError: there is no lake, or object storage cannot be asked.
    """

    def __init__(
        self, path: str | Path, table: str = layout.TABLE, *, state: str | Path | None = None
    ) -> None:
        if not layout.is_table_name(table):
            raise UsageError(f"{table!r} is not the name of a table: write a plain folder name")
        self.table = table
        self.place = open_place(path, table, state)
        """Where it lies."""
        self.root = self.place.root
        """Absolute; the table is a folder in it. Of a lake in object storage, a temporary folder:
        what is read of it is copied there."""
        self._walk = Walk(self.place, table)
        if not self.place.has_table(table):
            near = "" if self.place.is_far else meant(self.root, table)
            advice = near or "name the right one with --lake, or make one with bitso-spread collect"
            raise LakeError(f"there is no lake at {self.name}: it has no folder {table}; {advice}")

    @property
    def name(self) -> str:
        """What people call it: its absolute path, or its URL."""
        return self.place.name

    @property
    def state(self) -> Path | None:
        """The folder of the lake with its collector's journal; None if that is not at hand."""
        return self.place.state

    @property
    def journal(self) -> Path | None:
        """The journal of its collector; None if that is not at hand."""
        return None if self.state is None else layout.state_file(self.state, self.table)

    def dates(self) -> list[int]:
        """Give the UTC days that have a folder, in order, such as 20240726."""
        return self._walk.days()

    def books(self, **question: Unpack[Question]) -> list[str]:
        """Give the books of the days that are asked for, in order."""
        filters = Filters.of(**question)
        wanted, found = self._resolve(filters), self._books_of(filters)
        return sorted(found if wanted is None else found & wanted)

    def books_by_day(self, **question: Unpack[Question]) -> dict[int, set[str]]:
        """Give the books of each UTC day that is asked for and has a folder, by day."""
        return self._books_by_day(self._asked(Filters.of(**question)))

    def misnamed(self, **question: Unpack[Question]) -> dict[int, list[str]]:
        """Give, of each UTC day that has such, the folders called like a book's that are of none.

        As ``order_book=BTC MXN``, of which this gives the part after the sign. No book that can be
        named has their rows: they are read where none is.
        """
        found: dict[int, list[str]] = {}
        for day, names in self._walk.books(Asked(Filters.of(**question))).items():
            if bad := sorted(name for name in names if not is_book(name)):
                found[day] = bad
        return found

    def partitions(self, **question: Unpack[Question]) -> Iterator[layout.Partition]:
        """Give the partitions that are asked for, by their start, then by book.

        Of a day that is compacted, those whose files have been deleted are not among them.
        """
        return (partition for partition, _ in self.folders(**question))

    def folders(self, **question: Unpack[Question]) -> Iterator[tuple[layout.Partition, Path]]:
        """Give the partitions that are asked for, each with its folder."""
        for partition, folder in self._walk.folders(self._asked(Filters.of(**question))):
            yield partition, Path(folder)

    def files(self, **question: Unpack[Question]) -> Iterator[DataFile]:
        """Give the data files that may hold rows that are asked for, by their start.

        Their names tell simulated rows: see `DataFile.environment`. A day that is compacted is
        one file, which says so; `bitso_spread.lake.units.read_rows` reads files of either kind.
        """
        return self._walk.files(self._asked(Filters.of(**question)))

    def where(self, condition: Condition) -> Iterator[DataFile]:
        """Give the data files that may hold rows of which a condition is true.

        They come by day, then by book, then by their start.
        """
        return self._walk.files(condition, by_book=True)

    def scan(self, *, columns: str | None = None, **told: Unpack[Told]) -> pl.LazyFrame:
        """Give all rows as a LazyFrame, which opens the partitions that a query needs.

        To the five columns come those of the partition: ``date`` (20240726), ``order_book`` and
        ``minutes``. Conditions on these, and on ``orderbook_timestamp`` and ``book``, which imply
        them, choose what is listed and opened::

            lake.scan().filter(pl.col("date") == 20240726, pl.col("spread") > 0.5).collect()

        Rows come by day, then by book, then by batch, compacted or not. With a condition and a
        limit, ``collect(engine="streaming")`` opens no further file once it has enough.

        Args:
            columns: ``five`` or ``full``; by default as the latest file has them.
            **told: see `Told`.
        """
        kind = columns or self._latest_columns()
        check_columns(kind)
        return Source(
            self.where,
            self._walk.relist,
            self.place,
            {**SCHEMAS[kind], **KEYS},
            on_bad=told.get("on_bad"),
            on_environment=told.get("on_environment") or _tell_nobody,
        ).frame()

    def asked(self, *, columns: str | None = None, **asking: Unpack[Asking]) -> pl.LazyFrame:
        """Give the rows of `scan` that a question asks for; see `Question` and `Told`.

        Raises:
            UsageError: one of the conditions makes no sense.
        """
        question, told = _split(asking)
        filters = Filters.of(**question)
        rows = self.scan(columns=columns, **told)
        return rows.filter(*filters.conditions(self._resolve(filters)))

    def every(self, length: str, **asking: Unpack[Asking]) -> pl.DataFrame:
        """Sum up each book by spans such as ``10m``: see `bitso_spread.lake.summary.every`."""
        zone = asking.get("tz", "UTC")
        return summary.every(self.asked(**asking), length, zone, give_up=self.place.give_up)

    def stats(
        self, thresholds: Sequence[float] = summary.THRESHOLDS, **asking: Unpack[Asking]
    ) -> pl.DataFrame:
        """Sum up each book over all rows: see `bitso_spread.lake.summary.stats`."""
        return summary.stats(
            self.asked(**asking), thresholds, missed=self._missed, give_up=self.place.give_up
        )

    def sql(self, query: str, *, columns: str | None = None, **told: Unpack[Told]) -> pl.LazyFrame:
        """Give the plan of a SELECT over the table, whose rows `scan` gives; collect it for them.

        ::

            lake.sql("SELECT avg(spread) FROM BitsoSpreadMonitor WHERE date = 20240726").collect()

        Names of books in literals are read as everywhere else, and timestamps without an offset
        are UTC.

        Raises:
            UsageError: it is no SELECT, or names what there is not; the message says where or what.
        """
        return plan(query, self.table, self.scan(columns=columns, **told), self._own_name)

    def stream(
        self, *, columns: str = FIVE, limit: int | None = None, **asking: Unpack[Asking]
    ) -> Iterator[pl.DataFrame]:
        """Give the rows, ordered by time and then book, as frames that follow one another.

        At least one frame comes, which may be empty. The columns are ``orderbook_timestamp``
        (UTC), ``book``, ``bid``, ``ask`` and ``spread``; the last three are null where nothing
        was known. Memory holds a portion of the files, and what overlaps with the next.

        Args:
            columns: ``five``; or ``full`` for those of `bitso_spread.lake.columns` besides, which
                are null where a file does not have them.
            limit: the number of rows after which to stop.
            **asking: see `Question` and `Told`.

        Raises:
            UsageError: one of the conditions makes no sense.
            LakeError: while rows are read, a file is gone, cut short or not what it should be.
        """
        check_columns(columns)
        if limit is not None and limit < 0:
            raise UsageError(f"a limit of {limit} rows makes no sense: give 0 or more")
        question, told = _split(asking)
        filters = Filters.of(**question)
        choice = self._asked(filters)
        read = partial(self._read, filters, choice, columns, told)
        # Each file that is read beyond the limit would be a request.
        most = _FAR_FILES if self.place.is_far and limit is not None else None
        frames = in_order(self._walk.files(choice), read, portion_files=most)
        asked = frames if limit is None else first_rows(frames, limit)
        return at_least_one(asked, no_rows(SCHEMAS[columns]))

    def read(
        self, *, columns: str = FIVE, limit: int | None = None, **asking: Unpack[Asking]
    ) -> pl.DataFrame:
        """Give what `stream` gives as one frame."""
        frames = list(self.stream(columns=columns, limit=limit, **asking))
        return frames[0] if len(frames) == 1 else pl.concat(frames)

    def _read(
        self,
        filters: Filters,
        choice: Choice,
        columns: str,
        told: Told,
        files: Sequence[DataFile],
    ) -> pl.DataFrame:
        def read(several: Sequence[DataFile]) -> pl.DataFrame:
            return read_rows(
                several,
                [*SCHEMAS[columns]],
                relist=lambda files: self._walk.relist(files, choice),
                held=self.place.held,
            )

        by_environment: dict[str, list[DataFile]] = {}
        for file in files:
            by_environment.setdefault(file.environment, []).append(file)
        tell = told.get("on_environment") or _tell_nobody
        frames = []
        for environment, group in by_environment.items():
            rows = filters.keep(read_readable(group, read, told.get("on_bad")))
            if rows.height:
                tell(environment)
            frames.append(rows)
        return frames[0] if len(frames) == 1 else pl.concat(frames)

    def _missed(self) -> pl.DataFrame:
        """Give the spans that the recorder was stopped for, from the first to the last second."""
        records = read_records(self.journal) or Records()
        spans = [
            (book, outage.first_tick, outage.last_tick)
            for book, outages in records.outages.items()
            for outage in outages
            if outage.cause.startswith(State.MISSED)
        ]
        schema = {"book": pl.String, "first": pl.Int64, "last": pl.Int64}
        return pl.DataFrame(spans, schema=schema, orient="row")

    def _own_name(self, book: str) -> str:
        return resolve_book(book, self._books_of(Filters()))

    def _latest_columns(self) -> str:
        for file in self._walk.latest():
            if file.day is not None and file.day.cover is not None:
                return file.day.cover.columns
            # What is wrong with a file is told when its rows are asked for.
            with suppress(LakeError), self.place.held([file]):
                return FULL if {*SCHEMAS[FULL]} <= {*columns_of(file)} else FIVE
        return FIVE

    def _asked(self, filters: Filters) -> Asked:
        return Asked(filters, self._resolve(filters))

    def _resolve(self, filters: Filters) -> frozenset[str] | None:
        """Give the lake's own names of the books that are asked for; None is every book."""
        if not filters.books:
            return None
        available = self._books_of(filters)
        if not available.issuperset(filters.books):
            available |= self._books_of(Filters())
        found, missing = set(), []
        for name in filters.books:
            try:
                found.add(resolve_book(name, available))
            except UnknownBookError:
                missing.append(name)
        if found and missing:
            near = did_you_mean(missing[0], available, least=MISSPELT)
            _log.warning("the lake %s has no book %s%s", self.name, ", ".join(missing), near)
        return frozenset(found)

    def _books_of(self, filters: Filters) -> set[str]:
        return set().union(*self._books_by_day(Asked(filters)).values())

    def _books_by_day(self, choice: Choice) -> dict[int, set[str]]:
        found = self._walk.books(choice)
        return {day: {name for name in names if is_book(name)} for day, names in found.items()}


def _tell_nobody(_environment: str) -> None:
    """Take note of nothing."""
