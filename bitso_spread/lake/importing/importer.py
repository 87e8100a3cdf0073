"""What others recorded, brought into a lake: the one function that does it, and its order.

1. The sources are read once, in any order, and their rows set down by book and day; the locks of
   their books are taken on the way. Nothing is in the lake yet.
2. What the lake is, is settled or compared; what a crash left in its journal becomes files.
3. Day by day and book by book, rows are sifted. Those of new seconds go into files as a
   collector's do, 600 ticks each, a day's at a time (see `bitso_spread.lake.arrivals`); those that
   are better than the lake's, which only `merge` asks for, take their places (see
   `bitso_spread.lake.replacing`).

Whatever is cut short is completed by importing again: what is there by then is not taken twice.
"""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from bitso_spread.clock import check_interval
from bitso_spread.cloud.address import is_url
from bitso_spread.errors import LakeBusyError, LakeError, LakeIdentityError, UsageError
from bitso_spread.lake import layout
from bitso_spread.lake.arrivals import Arrivals
from bitso_spread.lake.columns import ALL, FULL, SCHEMAS, TIME, check_columns
from bitso_spread.lake.files import OnBad
from bitso_spread.lake.importing.fetching import on_disk
from bitso_spread.lake.importing.filing import files_of
from bitso_spread.lake.importing.outcome import Example, Imported, Reason
from bitso_spread.lake.importing.parsing import PLACE, SOURCE, with_all
from bitso_spread.lake.importing.reading import (
    Numbered,
    column_names,
    grouped,
    is_full,
    read_rows,
    read_together,
)
from bitso_spread.lake.importing.request import Found, Wanted, find
from bitso_spread.lake.importing.sifting import TICK, Rules, Sieve
from bitso_spread.lake.importing.spool import Spool
from bitso_spread.lake.journal import Identity
from bitso_spread.lake.locks import BookLocks
from bitso_spread.lake.reader import Lake
from bitso_spread.lake.replacing import replace_rows
from bitso_spread.lake.shown import shown
from bitso_spread.lake.state import LakeState
from bitso_spread.lake.table import Table
from bitso_spread.lake.writer import frame_of
from bitso_spread.nearest import did_you_mean

BATCH_TICKS = 600
"""Ticks in a file, as a collector has them unless told otherwise."""

_LOCK = "import"
_DAY = timedelta(days=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

OnProgress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""

Prepare = Callable[[Identity, list[tuple[int, str]]], None]
"""Called once all is read, and before anything is written, with what the table is to hold, and the
days, such as 20240725, and books of which there are rows."""


def import_rows(
    sources: Iterable[Path | str],
    lake: Path | str,
    *,
    table: str = layout.TABLE,
    file_format: str | None = None,
    columns: str | None = None,
    interval: int | None = None,
    environment: str | None = None,
    merge: bool = False,
    on_bad: OnBad = None,
    on_progress: OnProgress = lambda *_: None,
    prepare: Prepare = lambda *_: None,
    now: Callable[[], float] = time.time,
) -> Imported:
    """Bring the rows of files, lakes and folders of any shape into a lake, each second once.

    ::

        from bitso_spread.lake.importing import import_rows

        import_rows(["other-lake", "old.csv"], "data", merge=True).taken

    Prices and spreads are taken as they are, spreads of 32-bit arithmetic too. A row that cannot
    be true, or whose second is told otherwise, is refused, and counted with the reason. With
    `merge` the better of two rows of a second is taken: the known one, `fresh` before `quiet`
    before `held`, and else what was there first.

    Args:
        sources: files, ``.csv`` or ``.parquet``, folders of them, and URLs of such in object
            storage; the first one's rows win where none is better.
        lake: the lake's folder, which is made if it is not there.
        table: its table.
        file_format: ``csv`` or ``parquet``; by default the lake's own, for a new one ``csv``.
        columns: ``five`` or ``full``; by default the lake's own, for a new one ``full`` if all
            sources have them.
        interval: seconds between ticks; by default the lake's own, for a new one that of the
            lakes that are imported, or 1.
        environment: what files were recorded from that do not tell it, as those of this package
            do by their names, and Parquet that ``query`` wrote: ``production``, ``stage``, ``sim``
            or another host's name; by default production. A file that tells otherwise is refused.
        merge: whether to choose among the rows of a second, where there is more than one.
        on_bad: called with what is wrong with a file, the rest of which is then passed over, or
            with a folder; without it, such a one ends the import before anything is in the lake.
        on_progress: called as it goes on, first with bytes read, then with days of books written.
        prepare: see `Prepare`.
        now: the time, in seconds since the epoch; later rows are refused.

    Raises:
        UsageError: an option makes no sense.
        LakeError: a source cannot be read, or the lake cannot be written.
        LakeIdentityError: the sources and the lake never mix, such as simulated rows with others.
        LakeBusyError: a collector, or another import, is at work on one of the books.
    """
    if file_format is not None and file_format not in layout.SUFFIXES:
        near = did_you_mean(file_format, layout.SUFFIXES)
        raise UsageError(f"--format {file_format!r}: choose csv or parquet{near}")
    if columns is not None:
        check_columns(columns)
    if interval is not None:
        check_interval(interval)
    sources = list(sources)
    if any(is_url(str(source)) for source in sources):
        with on_disk(sources) as paths:
            return import_rows(
                paths,
                lake,
                table=table,
                file_format=file_format,
                columns=columns,
                interval=interval,
                environment=environment,
                merge=merge,
                on_bad=on_bad,
                on_progress=on_progress,
                prepare=prepare,
                now=now,
            )
    found = find(sources, on_bad, environment)
    with Table(Path(lake), table) as target, _alone(target) as folder:
        state = LakeState(layout.state_file(target.lake, target.name))
        try:
            wanted = Wanted(found, file_format, columns, interval)
            outcome = Imported(
                found.environment, unreadable=found.unreadable, unlisted=found.unlisted
            )
            work = _Import(target, state, outcome, found, on_progress)
            if held := state.identity():
                _check_environment(held, found)
                target.claim(wanted.identity(held, full=False))
            spool = Spool(folder)
            full = work.read(spool, on_bad)
            full &= work.read_journals(spool)
            if spool.days():
                identity = wanted.identity(held, full=full)
                if identity.columns == FULL and not full:
                    raise LakeIdentityError(
                        f"the table {target.name} in {target.lake} is to hold full columns, and "
                        "not all sources have them: import into a lake of five columns"
                    )
                prepare(identity, [(_date(day), book) for day, book in spool.days()])
                work.write(spool, identity, now(), merge=merge)
            return work.outcome
        except (OSError, sqlite3.Error) as error:
            raise LakeError(
                f"cannot write into {target.lake}: {error}; import again once it can be written"
            ) from error
        finally:
            state.close()


def _check_environment(held: dict[str, str], found: Found) -> None:
    """Check that the table holds what the sources were recorded from, which nobody asks for."""
    if held.get("environment", found.environment) != found.environment:
        source = "source holds" if len(found.files) + len(found.journals) == 1 else "sources hold"
        raise LakeIdentityError(
            f"this table holds environment {held['environment']}, and the {source} environment "
            f"{found.environment}: they never mix; give --lake another folder, or --table another "
            "name"
        )


def _date(day: int) -> int:
    return int(f"{_EPOCH + day * _DAY:%Y%m%d}")


@contextmanager
def _alone(target: Table) -> Iterator[Path]:
    """Give a folder for rows that are not in the lake yet; one import at a time has it."""
    folder = layout.importing_folder(target.lake, target.name)
    with BookLocks(folder) as lock:
        if not lock.try_acquire(_LOCK):
            raise LakeBusyError(
                f"another import is at work on {target.lake}: wait until it has ended"
            )
        rows = folder / "rows"
        # What an import that was killed has left.
        shutil.rmtree(rows, ignore_errors=True)
        try:
            yield rows
        finally:
            shutil.rmtree(rows, ignore_errors=True)


class _Import:
    def __init__(
        self,
        target: Table,
        state: LakeState,
        outcome: Imported,
        found: Found,
        on_progress: OnProgress,
    ) -> None:
        self._target = target
        self._state = state
        self.outcome = outcome
        self._found = found
        self._on_progress = on_progress
        self._paths = [file.path for file in found.files]
        # By the numbers that the rows of files bear.
        self._silent = pl.Series([path in found.silent for path in self._paths], dtype=pl.Boolean)

    def read(self, spool: Spool, on_bad: OnBad) -> bool:
        """Set down the rows of all files, and tell whether all of these have the full columns."""
        full = True
        files = self._found.files
        size, done = sum(file.size for file in files), 0
        for group in grouped(files):
            self._on_progress("read", done, size)
            together = read_together(group, self._refuse)
            if together is not None:
                self._set_down_of_files(together[0], spool)
                full &= together[1]
            else:
                for file in group:
                    full &= self._read_one(file, spool, on_bad)
            self.outcome.files += len(group)
            done += sum(file.size for file in group)
        self._on_progress("read", done, size)
        return full

    def _read_one(self, file: Numbered, spool: Spool, on_bad: OnBad) -> bool:
        full = True
        try:
            full = is_full(column_names(file.path)) or not file.size
            for rows in read_rows(file, self._refuse):
                self._set_down_of_files(rows, spool)
        except LakeBusyError:
            raise
        except LakeError as error:
            if on_bad is None:
                raise
            self.outcome.unreadable.append(str(error))
            on_bad(error)
        return full

    def read_journals(self, spool: Spool) -> bool:
        """Set down the rows of journals, and tell whether all of them have the full columns."""
        journals = self._found.journals
        for journal in journals:
            self._paths.append(journal.path)
            for batch, samples in journal.batches.items():
                number = pl.lit(len(self._paths) - 1, PLACE[SOURCE]).alias(SOURCE)
                rows = frame_of(samples, batch.columns).with_columns(number)
                self.outcome.journaled += rows.height
                self._set_down(with_all(rows), spool)
        return all(batch.columns == FULL for journal in journals for batch in journal.batches)

    def write(self, spool: Spool, identity: Identity, now: float, *, merge: bool) -> None:
        """Bring what was set down into the lake."""
        target = self._target
        target.claim(identity)
        target.recover(lambda *_: None)
        rules = Rules(identity.interval, identity.columns, now, merge)
        sieve = Sieve(rules, self._paths, self.outcome)
        days = spool.days()
        for done, (day, book) in enumerate(days):
            self._on_progress("write", done, len(days))
            rows = spool.rows((day, book))
            sifted = sieve.sift(rows, self._stored(day, book, identity.columns))
            self._replace(sifted.better, sieve, identity.interval)
            if sifted.new.height:
                self._record(sifted.new, book, identity)
        self._on_progress("write", len(days), len(days))

    def _refuse(self, reason: Reason, source: int, rows: int, examples: list[Example]) -> None:
        self.outcome.read += rows
        self.outcome.refuse(reason, shown(self._paths[source]), rows, examples)

    def _set_down_of_files(self, rows: pl.DataFrame, spool: Spool) -> None:
        if self._found.silent:
            self.outcome.unlabelled += int(self._silent[rows[SOURCE]].sum())
        self._set_down(rows, spool)

    def _set_down(self, rows: pl.DataFrame, spool: Spool) -> None:
        self.outcome.read += rows.height
        self._target.lock(sorted(set(rows["book"].unique()) - self._target.books))
        spool.add(rows)

    def _stored(self, day: int, book: str, columns: str) -> pl.DataFrame:
        start = _EPOCH + day * _DAY
        lake = Lake(self._target.lake, self._target.name)
        if book not in lake.books(start=start, end=start + _DAY):
            return pl.DataFrame(schema=dict(SCHEMAS[columns]))
        return lake.read(columns=columns, book=book, start=start, end=start + _DAY)

    def _replace(self, better: pl.DataFrame, sieve: Sieve, interval: int) -> None:
        if better.is_empty():
            return
        rows = better.select(*ALL)
        left = replace_rows(self._target.lake, self._target.name, self._state, rows, interval)
        sieve.replaced(better, left)
        self._take(better.join(left, on=TIME, how="anti"))

    def _record(self, new: pl.DataFrame, book: str, identity: Identity) -> None:
        """Make files of rows of one book and day."""
        files = files_of(new, book, identity, BATCH_TICKS * identity.interval)
        Arrivals(self._target.lake, self._target.name, self._state).bring(files)
        self.outcome.taken += new.height
        self._take(new)

    def _take(self, rows: pl.DataFrame) -> None:
        if rows.height:
            book, ticks = rows["book"][0], rows[TICK]
            self.outcome.take(book, rows.height, ticks[0], ticks[-1])
