"""Readers of other makers poll the table all through a collection, and see whole files alone."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from typing_extensions import Buffer

from bitso_spread.collector import Collector, Plan
from bitso_spread.exchange.environment import environment
from bitso_spread.lake.layout import TABLE, state_file
from bitso_spread.lake.state import LakeState
from bitso_spread.sim.server import SimulatedExchange
from tests.lake.foreign import READERS, Rows

TICKS, BATCH = 20, 5
BOOKS = ["btc_mxn", "usd_mxn"]


class SlowFile(io.FileIO):
    """A file that takes what is written in two halves: a reader has time to see the first."""

    def write(self, data: Buffer, /) -> int:
        view = memoryview(data)
        written = super().write(view[: len(view) // 2])
        time.sleep(0.02)
        return written + super().write(view[written:])


def slowly(open_as_ever: Callable[..., Any]) -> Callable[..., Any]:
    def open_slowly(path: Path, mode: str = "r", *arguments: Any, **options: Any) -> Any:
        if "b" in mode and "r" not in mode:
            return SlowFile(path, mode)
        return open_as_ever(path, mode, *arguments, **options)

    return open_slowly


@contextmanager
def polling(reader: str, lakes: dict[str, Path], output: Path) -> Iterator[None]:
    """Have a process poll both tables meanwhile, and once more at the end."""
    tables = [lakes[form] / TABLE for form in ("csv", "parquet")]
    with (
        output.open("w") as out,
        subprocess.Popen(
            [sys.executable, Path(__file__).with_name("foreign.py"), reader, *tables],
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        try:
            yield
            _, errors = process.communicate("end\n", timeout=60)
            assert (process.returncode, errors) == (0, "")
        finally:
            process.kill()


def polls_of(output: Path) -> dict[str, list[Rows]]:
    """Give what a reader saw of each table, in order."""
    seen: dict[str, list[Rows]] = {"csv": [], "parquet": []}
    for line in output.read_text().splitlines():
        form, rows = json.loads(line)
        seen[form].append(rows)
    return seen


def collect(lakes: dict[str, Path]) -> None:
    """Record into both lakes side by side, to the end of the plan."""
    with SimulatedExchange() as exchange, ThreadPoolExecutor(len(lakes)) as pool:
        where = environment("sim", exchange.rest_url, exchange.ws_url)
        plans = [
            Plan(books=BOOKS, lake=lake, format=form, batch_size=BATCH, ticks=TICKS)
            for form, lake in lakes.items()
        ]
        list(pool.map(lambda plan: Collector(where, plan).run(), plans))


@pytest.fixture(scope="module")
def lakes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Record 20 seconds while all three readers look on; what they saw lies beside the lakes."""
    folder = tmp_path_factory.mktemp("lakes")
    lakes = {form: folder / form for form in ("csv", "parquet")}
    with (
        pytest.MonkeyPatch.context() as patch,
        polling("polars", lakes, folder / "polars"),
        polling("duckdb", lakes, folder / "duckdb"),
        polling("pyarrow", lakes, folder / "pyarrow"),
    ):
        # The fixture that keeps tests out of the user's own folder comes after this one.
        patch.setenv("XDG_STATE_HOME", str(folder / "state"))
        patch.setattr(Path, "open", slowly(Path.open))
        collect(lakes)
    return lakes


@pytest.mark.parametrize("form", ["csv", "parquet"])
@pytest.mark.parametrize("reader", READERS)
def test_a_reader_of_another_maker_sees_whole_files_alone(
    lakes: dict[str, Path], reader: str, form: str
) -> None:
    lake = lakes[form]
    with LakeState(state_file(lake, TABLE)) as state:
        written = {str(lake / TABLE / file.path): file.rows for file in state.files()}
    assert sum(written.values()) == TICKS * len(BOOKS)
    assert len(written) >= TICKS // BATCH * len(BOOKS)
    polls = polls_of(lake.with_name(reader))[form]
    assert len(polls) > 20
    # Who sees only the whole table has seen nothing of how it grew.
    assert len({sum(rows.values()) for rows in polls}) > 2
    for earlier, later in pairwise(polls):
        assert earlier.items() <= later.items()
    for rows in polls:
        assert rows.items() <= written.items()
    assert polls[-1] == written
