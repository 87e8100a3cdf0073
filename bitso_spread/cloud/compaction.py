"""Finished days of a lake in object storage, compacted as `bitso_spread.lake.compaction` does.

A day at a time is brought here. The order of steps is the same: the marks of late files are
listed, then the files; the new file is put where none was, or in place of just the one that was
brought, and read back; the marks go; files are only deleted once the object that says so was
read back and compared.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Unpack

from bitso_spread.cloud.bench import Bench
from bitso_spread.cloud.objects import ObjectStore, open_store
from bitso_spread.errors import LakeError
from bitso_spread.lake import layout
from bitso_spread.lake.compaction import CompactedDay, Compactor, OnDay, is_finished
from bitso_spread.lake.filters import Question
from bitso_spread.lake.reader import Lake


def compact(
    lake: Lake,
    *,
    prune: bool = False,
    on_day: OnDay = lambda *_: None,
    today: date | None = None,
    **question: Unpack[Question],
) -> list[CompactedDay]:
    """Compact the finished days that a question names: see `bitso_spread.lake.compaction.compact`.

    Raises:
        UsageError: one of the conditions makes no sense.
        LakeError: the days cannot be listed.
    """
    store = open_store(lake.name)
    days = lake.books_by_day(**question)
    asked = [(book, day) for day in days if is_finished(day, today) for book in sorted(days[day])]
    found = []
    for done, (book, day) in enumerate(asked, start=1):
        try:
            one = compact_day(store, lake.table, book, day, prune=prune, today=today)
        except (LakeError, OSError) as error:
            on_day(done, len(asked), error if isinstance(error, LakeError) else _of_disk(error))
        else:
            found.append(one)
            on_day(done, len(asked), one)
    return found


def compact_day(
    store: ObjectStore,
    table: str,
    book: str,
    day: int,
    *,
    prune: bool = False,
    today: date | None = None,
) -> CompactedDay:
    """Compact a book's day, such as 20240725, or make it anew where files have come since.

    Raises:
        UsageError: the day is not finished.
        LakeError: an object of it cannot be read, or has changed meanwhile; what there was is
            there.
    """
    with TemporaryDirectory(prefix="bitso-spread-") as folder:
        bench = Bench(store, table, Path(folder))
        marks = bench.marks(book, day)
        bench.bring(book, day)
        # What is a lake has the table, though all its files may be in the other one.
        (bench.folder / table).mkdir(exist_ok=True)
        daily = layout.daily_table(table)
        with Compactor(Lake(bench.folder, table), today) as compactor:
            made = compactor.day(book, day)
            bench.put_back(daily)
            for mark in marks:
                store.delete(mark)
            if not prune:
                return made
            pruned = compactor.day(book, day, prune=True)
            bench.put_back(daily)
            return replace(pruned, outcome=made.outcome, deleted=bench.delete_what_is_gone())


def _of_disk(error: OSError) -> LakeError:
    return LakeError(f"no room to work in {error.filename or 'the temporary folder'}: {error}")
