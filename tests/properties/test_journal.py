"""A recorder that is killed at any step, any number of times: each row is in the table once.

Rows are recorded, batches written and leftovers recovered in any order, and a kill may come
before or after any step of each, also while an earlier kill is being recovered from.
"""

from __future__ import annotations

import io
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bitso_spread.lake import layout, writer
from bitso_spread.lake.database import Database
from bitso_spread.lake.journal import Batch
from bitso_spread.lake.layout import TABLE, Partition, file_name, state_file
from bitso_spread.lake.state import LakeState
from bitso_spread.lake.table import Table
from bitso_spread.lake.writer import BatchWriter, encode
from bitso_spread.model import Sample
from tests.lake.support import NOON, a_batch, a_row, table_files, table_rows
from tests.properties.support import histories

BOOKS = ["btc_mxn", "usd_mxn"]
STEPS: list[tuple[object, str]] = [
    (os, "fsync"),
    (Path, "mkdir"),
    (Path, "open"),
    (Path, "hardlink_to"),
    (Path, "unlink"),
    (writer, "encode"),
    (Database, "execute"),
    (Database, "executemany"),
    (LakeState, "record"),
    (LakeState, "stage"),
    (LakeState, "finish"),
]

Kill = tuple[int, bool] | None
"""At which step the kill comes, and whether before it or after; None for none."""
# To record takes 5 steps, and to write 30 or so: a later kill is none.
numbers = st.integers(1, 6) | st.integers(1, 34)
kills: st.SearchStrategy[Kill] = st.none() | st.tuples(numbers, st.booleans())
books = st.sampled_from(BOOKS)


class KilledError(BaseException):
    """Ends what is under way, and nobody handles it: as near to a kill as one process gets."""


@contextmanager
def killed(kill: Kill) -> Iterator[None]:
    taken = 0

    def watch(step: Callable[..., Any]) -> Callable[..., Any]:
        def watching(*arguments: Any, **options: Any) -> Any:
            nonlocal taken
            taken += 1
            mine = kill is not None and taken == kill[0]
            if mine and kill is not None and kill[1]:
                raise KilledError
            result = step(*arguments, **options)
            if mine:
                if isinstance(result, io.IOBase):
                    result.close()
                raise KilledError
            return result

        return watching

    with pytest.MonkeyPatch.context() as patch:
        for owner, name in STEPS:
            patch.setattr(owner, name, watch(getattr(owner, name)))
        yield


class Recording(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.lake = Path(self.folder.name)
        self.committed: Counter[tuple[int, str, float | None]] = Counter()
        self.open: dict[str, Batch] = {}
        self.ended: list[Batch] = []
        self.next = NOON
        self.squatters: set[Path] = set()
        self.table: Table | None = None
        self.state: LakeState | None = None

    @initialize(form=st.sampled_from(["csv", "parquet"]))
    def begin(self, form: str) -> None:
        self.form = form
        self.start(None)

    def start(self, kill: Kill) -> None:
        """Start a process, which may be killed before it has recovered what the last one left."""
        while True:
            self.table = Table(self.lake)
            self.state = LakeState(state_file(self.lake, TABLE))
            self.table.lock(BOOKS)
            try:
                with killed(kill):
                    self.table.recover(lambda *_: None)
                return
            except KilledError:
                self.end()
                kill = None

    def end(self) -> None:
        """All that was in the process's memory is gone."""
        assert self.table is not None
        assert self.state is not None
        self.state.close()
        self.table.close()
        self.open.clear()
        self.ended.clear()

    def attempt(self, act: Callable[[LakeState], object], kill: Kill, again: Kill) -> bool:
        assert self.state is not None
        try:
            with killed(kill):
                act(self.state)
        except KilledError:
            self.end()
            self.readers_see_whole_files_with_rows_that_were_committed_and_none_twice()
            self.start(again)
            return False
        return True

    def marks_now(self) -> Counter[str]:
        assert self.state is not None
        return Counter(self.state.marks())

    @rule(book=books, count=st.integers(1, 3), kill=kills, again=kills)
    def records(self, book: str, count: int, kill: Kill, again: Kill) -> None:
        batch = self.open.setdefault(book, a_batch(book, self.next, format=self.form))
        rows: list[tuple[Batch, Sample]] = [
            (batch, a_row(self.next + i, book)) for i in range(count)
        ]
        self.next += count
        if self.attempt(lambda state: state.record(rows), kill, again):
            assert self.marks_now()[book] == rows[-1][1].tick
        # A tick is recorded if, and only if, its mark is: so no later one comes a second time.
        if self.marks_now()[book] >= rows[-1][1].tick:
            self.committed.update((row.tick, row.book, row.bid) for _, row in rows)

    @rule(book=books)
    def a_batch_ends(self, book: str) -> None:
        if (batch := self.open.pop(book, None)) is not None:
            self.ended.append(batch)

    @precondition(lambda self: self.ended)
    @rule(kill=kills, again=kills)
    def a_batch_is_written(self, kill: Kill, again: Kill) -> None:
        batch = self.ended[0]
        if self.attempt(
            lambda state: BatchWriter(self.lake, TABLE, state).write(batch), kill, again
        ):
            self.ended.pop(0)

    @precondition(lambda self: self.ended)
    @rule()
    def someone_takes_its_name(self) -> None:
        batch = self.ended[-1]
        folder = self.lake / TABLE / Partition.of(batch.book, batch.first_tick).path
        path = folder / file_name(batch.environment, batch.book, batch.first_tick, batch.format)
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encode([], self.form))
            self.squatters.add(path)

    @rule(kill=kills)
    def the_process_is_killed_between_two_steps(self, kill: Kill) -> None:
        self.end()
        self.start(kill)

    @invariant()
    def readers_see_whole_files_with_rows_that_were_committed_and_none_twice(self) -> None:
        found = table_rows(self.lake)
        assert found <= self.committed
        assert set(found.values()) <= {1}

    def teardown(self) -> None:
        try:
            self.end()
            self.start(None)
            self.end()
            assert table_rows(self.lake) == self.committed
            with LakeState(state_file(self.lake, TABLE)) as state:
                assert state.batches() == []
                noted = {self.lake / TABLE / file.path: file.rows for file in state.files()}
            assert sum(noted.values()) == self.committed.total()
            assert set(noted) == set(table_files(self.lake)) - self.squatters
            assert all(path.read_bytes() == encode([], self.form) for path in self.squatters)
            staging = layout.staging_folder(self.lake, TABLE)
            assert not staging.exists() or list(staging.iterdir()) == []
        finally:
            self.folder.cleanup()


TestRecording = Recording.TestCase
TestRecording.settings = histories(60, steps=25)
