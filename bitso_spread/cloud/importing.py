"""What others recorded, brought into a lake in object storage.

The days in question are brought here, under the leases of their books; what imports into a lake on
a disk does its work on them, and what came of it is put back. Whatever is cut short is completed
by importing again, as on a disk.
"""

from __future__ import annotations

import os
import socket
import sqlite3
import time
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bitso_spread import __version__
from bitso_spread.cloud.bench import Bench
from bitso_spread.cloud.claim import claim, held_identity
from bitso_spread.cloud.half import Half, half_of
from bitso_spread.cloud.keeper import LeaseKeeper, Standing
from bitso_spread.cloud.leases import Leases
from bitso_spread.cloud.local_half import local_half
from bitso_spread.cloud.objects import ObjectStore, open_store
from bitso_spread.counting import many
from bitso_spread.errors import LakeBusyError, LakeError
from bitso_spread.lake import importing, layout
from bitso_spread.lake.heartbeat import Heartbeat, Phase
from bitso_spread.lake.importing.outcome import Imported
from bitso_spread.lake.journal import Identity
from bitso_spread.lake.state import LakeState
from bitso_spread.lake.table import Table
from bitso_spread.lake.uploads import Uploads

_POLL_S = 0.05


def import_rows(
    sources: Iterable[Path | str],
    lake: Path | str,
    *,
    state: Path | str | None = None,
    table: str = layout.TABLE,
    **options: Any,
) -> Imported:
    """Bring the rows of files, lakes and folders into a lake in object storage, each second once.

    Args:
        sources: see `bitso_spread.lake.importing.import_rows`, as for all `options`.
        lake: the URL.
        state: the local half of its recorder; by default the user's own.
        table: its table.
        **options: ``file_format``, ``columns``, ``interval``, ``merge`` and so on.

    Raises:
        UsageError, LakeError, LakeIdentityError: as on a disk.
        LakeBusyError: a recorder, on any host, has one of the books, or files of them wait here.
    """
    url = str(lake)
    half = Path(state) if state is not None else local_half(url)
    store = open_store(url)
    with Table(half, table) as local, TemporaryDirectory(prefix="bitso-spread-") as folder:
        bench = Bench(store, table, Path(folder))
        if held := held_identity(store, table):
            with LakeState(layout.state_file(bench.folder, table)) as journal:
                journal.take_over(held, {})
        work = _Import(store, local, bench, url)
        try:
            done = importing.import_rows(
                sources, bench.folder, table=table, prepare=work.prepare, **options
            )
            work.put_back()
        except OSError as error:
            raise LakeError(f"no room to work in {folder}: {error}") from error
        finally:
            work.end()
    return done


class _Import:
    def __init__(self, store: ObjectStore, local: Table, bench: Bench, url: str) -> None:
        self._store = store
        self._local = local
        self._bench = bench
        self._url = url
        self._days: list[tuple[int, str]] = []
        self._keeper: LeaseKeeper | None = None
        self._losses = 0

    def prepare(self, identity: Identity, days: list[tuple[int, str]]) -> None:
        """Take the leases of the books, and bring the days."""
        books = sorted({book for _, book in days})
        self._local.lock(books)
        half = self._check_half(books)
        begun = time.time()
        leases = Leases(
            self._store, self._local.name, half, lambda: _beat(identity, tuple(books), begun)
        )
        self._keeper = LeaseKeeper(leases, lambda: claim(self._store, self._local.name, identity))
        self._keeper.want(books)
        self._keeper.start()
        self._wait(self._keeper, books)
        self._losses = self._keeper.losses
        self._days = days
        for date, book in days:
            self._bench.bring(book, date)

    def put_back(self) -> None:
        """Put what is new or other, and let readers of compacted days know."""
        if not self._days:
            return
        self._check_leases()
        days = {(book, date) for date, book in self._days}
        self._bench.mark_compacted(days)
        self._bench.put_back(self._bench.table, self._check_leases)
        self._bench.put_back(layout.daily_table(self._bench.table), self._check_leases)
        # A day may have been compacted meanwhile.
        self._bench.mark_compacted(days)

    def end(self) -> None:
        """Give the leases back."""
        if self._keeper is not None:
            self._keeper.stop()

    def _check_leases(self) -> None:
        """Check that nobody else can have put anything since the days were brought."""
        books = {book for _, book in self._days}
        keeper = self._keeper
        held = keeper is not None and all(map(keeper.may_put, books))
        if keeper is None or not held or keeper.losses != self._losses:
            raise LakeError(f"the leases in {self._url} were lost meanwhile: import again")

    def _check_half(self, books: list[str]) -> Half:
        try:
            half = half_of(self._local.lake, self._local.name, self._url)
            with Uploads(self._local.lake, self._local.name) as uploads:
                waiting = uploads.waiting(books)
        except sqlite3.Error as error:
            raise LakeError(f"cannot write into {self._local.lake}: {error}") from error
        if waiting:
            files = many(len(waiting), "file", ("waits", "wait"))
            raise LakeBusyError(
                f"of these books, {files} in {self._local.lake} to be in {self._url}: "
                "have bitso-spread collect put them there first"
            )
        return half

    def _wait(self, keeper: LeaseKeeper, books: list[str]) -> None:
        while keeper.standing in {Standing.ASKED, Standing.WATCHED} and keeper.refusal is None:
            time.sleep(_POLL_S)
        if keeper.refusal is not None:
            raise keeper.refusal
        if keeper.standing is Standing.TROUBLE:
            raise LakeError(keeper.trouble or f"{self._url} cannot be asked")
        if keeper.standing is Standing.BUSY:
            raise LakeBusyError(
                f"{keeper.holders} records one of {', '.join(books)} in {self._url}: stop it first"
            )


def _beat(identity: Identity, books: tuple[str, ...], begun: float) -> Heartbeat:
    return Heartbeat(
        at=time.time(),
        host=socket.gethostname(),
        pid=os.getpid(),
        version=__version__,
        environment=identity.environment,
        interval=identity.interval,
        since=begun,
        phase=Phase.STARTING,
        last_tick=None,
        ticks=0,
        books=(),
        names=books,
        reconnects=0,
        rejected={},
        rows_in_memory=0,
        rows_in_journal=0,
    )
