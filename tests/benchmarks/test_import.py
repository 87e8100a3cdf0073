"""Importing a day of both books, against polars reading each file and writing it again.

In CPU time of all threads: how long a disk takes to sync 288 files has nothing to do with either.
Ours also checks each row, takes each second once, notes a checksum of each file, and syncs it.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest

from bitso_spread.clock import DAY_S
from bitso_spread.lake.importing import import_rows
from bitso_spread.lake.writer import encode_frame
from tests.benchmarks.lakes import BOOKS, files_of, grow
from tests.benchmarks.measure import by_turns, say
from tests.benchmarks.readers import typed

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(300)]


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_an_import_takes_little_more_than_reading_and_writing_each_file(
    tmp_path: Path, form: str
) -> None:
    source, lake, copy = tmp_path / "source", tmp_path / "lake", tmp_path / "copy"
    grow(source, form, [0])
    files = files_of(source, form, BOOKS, [0])

    def imported() -> float:
        shutil.rmtree(lake, ignore_errors=True)
        start = time.process_time()
        done = import_rows([source], lake, file_format=form)
        seconds = time.process_time() - start
        assert (done.files, done.taken) == (len(files), len(BOOKS) * DAY_S)
        return seconds

    def copied() -> float:
        shutil.rmtree(copy, ignore_errors=True)
        start = time.process_time()
        for file in files:
            there = copy / file.relative_to(source)
            there.parent.mkdir(parents=True)
            there.write_bytes(encode_frame(typed(form, [file]).collect(), form))
        return time.process_time() - start

    seen = by_turns(imported, copied, turns=7)
    times = 1 / seen.ratio
    say(
        f"import, {form}: {seen.ours_s / len(files) * 1000:.2f} ms of CPU a file; read and written "
        f"one by one: {seen.alternative_s / len(files) * 1000:.2f} ms; {times:.2f} times as much"
    )
    assert times <= 1.5
