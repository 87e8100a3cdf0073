"""The checks of a lake that is about to be recorded into; nothing is left behind in it.

What is tried out is tried beside the table, or where the lake would be made: inside a table
there is never anything but whole data files, since one half-written file breaks its readers.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from bitso_spread.clock import DAY_S
from bitso_spread.counting import many
from bitso_spread.doctor.finding import Finding, failed, listed, ms, ok, skipped, warning
from bitso_spread.errors import LakeError
from bitso_spread.exchange.rest_errors import printable
from bitso_spread.lake import layout
from bitso_spread.lake.columns import FIVE
from bitso_spread.lake.journal import Batch
from bitso_spread.lake.locks import BookLocks
from bitso_spread.lake.state import LakeState
from bitso_spread.model import Sample, State

WRITABLE, ROOM, OTHERS = "lake writable", "room on the disk", "other collectors"
STATE = "state writable"

# Measured on files of 600 rows with five columns.
_BYTES_OF_600_ROWS = {"CSV": 42_000, "Parquet": 6_000}
_GIB = 2**30
_FEW_DAYS = 30
# A row is to be durable within its second.
_COMMIT_S = 1.0
_PROBE = "doctor_probe"


def check_lake(lake: Path, table: str, books: Sequence[str]) -> Iterator[Finding]:
    """Look at the lake, absolute, and at the table in it."""
    base = _nearest(lake)
    yield _check_writable(lake, table, base)
    yield check_room(shutil.disk_usage(base).free, len(books) or 1)
    yield _check_others(lake, table, books)


def check_local_half(state: Path, table: str, books: int) -> Iterator[Finding]:
    """Look at the folder, absolute, where rows of so many books wait for object storage."""
    base = _nearest(state)
    yield _check_writable(state, table, base, STATE, "--state")
    yield check_room(shutil.disk_usage(base).free, books, "--state")


def _nearest(folder: Path) -> Path:
    """Give the folder, or the nearest one above it that exists."""
    return next(path for path in (folder, *folder.parents) if os.path.lexists(path))


def _check_writable(
    lake: Path, table: str, base: Path, check: str = WRITABLE, option: str = "--lake"
) -> Finding:
    advice = f"give {option} a folder that this user may write, on a local disk"
    if not base.is_dir():
        return failed(check, f"{base} is not a folder", f"give {option} another folder")
    state = layout.state_folder(lake)
    for folder in (lake / table, layout.locks_folder(lake, table), state):
        if folder.exists() and not os.access(folder, os.W_OK | os.X_OK):
            return failed(check, f"{folder} cannot be written", advice)
    try:
        took_s = _commit(state if state.is_dir() else base)
    except (OSError, sqlite3.Error, LakeError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        detail = f"nothing can be written in {base}: {printable(reason or str(error))}"
        return failed(check, detail, advice)
    there = "" if base == lake else " is not there yet, and can be made"
    detail = f"{lake}{there}; a second's rows are on the disk in {ms(took_s)}"
    if took_s > _COMMIT_S:
        return warning(check, detail, "rows will be durable only that late: use a faster disk")
    return ok(check, detail)


def _commit(folder: Path) -> float:
    """Lock and commit as the recorder does, in a folder that is removed; gives the seconds."""
    with tempfile.TemporaryDirectory(prefix=".bitso-spread-doctor-", dir=folder) as name:
        scratch = Path(name)
        with BookLocks(scratch / "locks") as locks:
            locks.acquire([_PROBE])
        with LakeState(scratch / "journal.sqlite3") as journal:
            batch = Batch(_PROBE, 0, layout.SIMULATED, "csv", FIVE, 1)
            began = time.monotonic()
            journal.record([(batch, Sample.blank(0, _PROBE, State.UNKNOWN))])
            return time.monotonic() - began


def check_room(free: int, books: int, option: str = "--lake") -> Finding:
    """Tell for how long so many books can be recorded into so many free bytes."""
    days = {form: free / (size * DAY_S / 600 * books) for form, size in _BYTES_OF_600_ROWS.items()}
    lasts = " or ".join(f"{many(round(count), 'day')} as {form}" for form, count in days.items())
    of = "one book" if books == 1 else f"{books} books"
    detail = f"{free / _GIB:,.1f} GiB are free: {lasts} of {of}"
    advice = f"make room, or give {option} a folder on another disk; Parquet takes a seventh"
    if days["CSV"] < 1:
        return failed(ROOM, detail, advice)
    return warning(ROOM, detail, advice) if days["CSV"] < _FEW_DAYS else ok(ROOM, detail)


def _check_others(lake: Path, table: str, books: Sequence[str]) -> Finding:
    folder = layout.locks_folder(lake, table)
    try:
        held = _held(folder)
    except (OSError, LakeError) as error:
        return skipped(OTHERS, f"the locks cannot be tried: {printable(str(error))}")
    return judge_others(held, books, "folder")


def judge_others(held: Sequence[str], books: Sequence[str], place: str) -> Finding:
    """Tell what it means that somebody has the first of these books; a lake is a `place`."""
    if mine := [book for book in held if book in books]:
        return failed(
            OTHERS,
            f"another collector records {listed(mine)} in this lake",
            "stop it, choose other books, stand by for it with collect --wait, or give --lake "
            f"another {place}",
        )
    if held:
        return ok(OTHERS, f"another collector records {listed(held)} here, and none of these books")
    return ok(OTHERS, "none records in this lake")


def _held(folder: Path) -> list[str]:
    """Give the books that somebody holds, trying each lock for an instant."""
    held = []
    with BookLocks(folder) as locks:
        # Only locks that are there already: a new one would be left behind.
        for book in sorted(path.stem for path in folder.glob("*.lock")):
            if locks.try_acquire(book):
                locks.release([book])
            else:
                held.append(book)
    return held
