"""What recording costs: a sample, a batch, memory.

The alternative is the predecessor, which makes a Spark data frame of each sample, joins them and
writes a batch through Spark, which is not installed here: what that takes was measured by itself,
with Spark 4.3.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from statistics import median

import pytest

from bitso_spread.lake.columns import FIVE
from bitso_spread.lake.journal import Batch
from bitso_spread.lake.layout import TABLE, state_file
from bitso_spread.lake.state import LakeState
from bitso_spread.lake.writer import BatchWriter
from bitso_spread.model import Quote, Sample, State
from tests.benchmarks.collecting import collecting
from tests.benchmarks.exchange import exchange
from tests.benchmarks.measure import say

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(300)]

# The predecessor's ways under Spark 4.3: a sample of one book, a batch of 600 samples (60 take
# 6.4 s, and each of the many joins makes the next one dearer), and the memory of its processes.
SPARK_SAMPLE_S = 0.240
SPARK_BATCH_S = 64.8
SPARK_RESIDENT_MB = 1_200

FIRST_TICK = 1_789_992_000
ROWS = 600
RECORDED_S = 60


@pytest.fixture
def state(tmp_path: Path) -> Iterator[LakeState]:
    with LakeState(state_file(tmp_path, TABLE)) as state:
        yield state


def test_a_durable_sample_costs_a_small_part_of_a_spark_row(state: LakeState) -> None:
    batch = _batch(FIRST_TICK, "csv")
    sample_s = median(
        _seconds(lambda tick=tick: state.record([(batch, _sample(tick))]))  # type: ignore[misc]
        for tick in range(FIRST_TICK, FIRST_TICK + ROWS)
    )
    times = SPARK_SAMPLE_S / sample_s
    say(
        f"a sample, made and committed with a full sync: {sample_s * 1000:.2f} ms; the "
        f"predecessor: {SPARK_SAMPLE_S * 1000:.0f} ms; {times:,.0f} times cheaper (at least 20)"
    )
    assert times >= 20


@pytest.mark.parametrize("file_format", ["csv", "parquet"])
def test_a_batch_is_written_in_a_small_part_of_the_time(
    tmp_path: Path, state: LakeState, file_format: str
) -> None:
    writer = BatchWriter(tmp_path, TABLE, state)
    batches = [_batch(FIRST_TICK + number * ROWS, file_format) for number in range(10)]
    for batch in batches:
        ticks = range(batch.first_tick, batch.first_tick + ROWS)
        state.record([(batch, _sample(tick)) for tick in ticks])
    # The first one also starts polars.
    first_s, *others_s = [_seconds(lambda batch=batch: writer.write(batch)) for batch in batches]  # type: ignore[misc]
    batch_s = median(others_s)
    times = SPARK_BATCH_S / batch_s
    say(
        f"a batch of {ROWS} rows to {file_format}, synced: {batch_s * 1000:.1f} ms (the first: "
        f"{first_s * 1000:.0f}); the predecessor: {SPARK_BATCH_S} s; {times:,.0f} times cheaper "
        "(at least 100)"
    )
    assert times >= 100


@pytest.mark.skipif(sys.platform != "linux", reason="reads the resident memory from /proc")
def test_the_recorder_of_two_books_stays_small(tmp_path: Path) -> None:
    # Short batches, so that files of both books are written before it is looked at.
    options = ("--duration", "65s", "--batch-size", "20", "--format", "parquet")
    with exchange(12, 17) as running, collecting(running, tmp_path, *options) as recorder:
        time.sleep(RECORDED_S)
        resident_mb = recorder.resident_mb()
        recorder.finish()
    say(
        f"resident memory of collect after {RECORDED_S} s of two books: {resident_mb:.0f} MB "
        f"(under 100); the predecessor: {SPARK_RESIDENT_MB:,} MB"
    )
    assert list(tmp_path.glob(f"{TABLE}/**/*.parquet"))
    assert resident_mb < 100


def _seconds(do: Callable[[], object]) -> float:
    start = time.perf_counter()
    do()
    return time.perf_counter() - start


def _batch(first_tick: int, file_format: str) -> Batch:
    return Batch("btc_mxn", first_tick, "production", file_format, FIVE, 1)


def _sample(tick: int) -> Sample:
    bid = Decimal(1_233_830 + tick % 97 * 10)
    return Sample.of(tick, Quote("btc_mxn", bid, bid + 2_420), State.FRESH)
