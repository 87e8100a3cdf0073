"""What is in files: a batch of which nothing was known."""

from __future__ import annotations

from typing import Any

import polars as pl

from bitso_spread.lake import layout
from bitso_spread.lake.datafile import DataFile
from bitso_spread.lake.reader import Lake
from bitso_spread.model import State
from tests.faults.matrix import row
from tests.faults.stage import Stage

_BATCH = 3


@row(
    injected="an outage of the feed and of REST, longer than a batch",
    lost="its seconds, which are marked as unknown; the all-unknown file reads back typed",
    takes=20,
)
def all_unknown_batch(stage: Stage) -> None:
    exchange = stage.exchange("btc_mxn")
    plan: dict[str, Any] = {"batch_size": _BATCH, "max_stale_s": 1.0}
    with (
        stage.collect(exchange, "btc_mxn", **plan) as recording,
        stage.collect(exchange, "btc_mxn", table="Other", format="parquet", **plan),
    ):
        recording.wait(2)
        with stage.fault(loses=True):
            exchange.faults.rest_down = exchange.faults.refuse_connections = True
            exchange.faults.drop_connections()
            recording.until(State.UNKNOWN, "btc_mxn")
            recording.wait(3 * _BATCH)
            exchange.faults.rest_down = exchange.faults.refuse_connections = False
            recording.until(State.FRESH, "btc_mxn")
        recording.wait(2)
    stage.check()
    for table in (layout.TABLE, "Other"):
        lake = Lake(stage.lake, table)
        empty = [frame for frame in map(_raw, lake.files()) if frame["bid"].is_null().all()]
        assert max(frame.height for frame in empty) == _BATCH
        rows = lake.read()
        assert [rows.schema[name] for name in ("bid", "ask", "spread")] == [pl.Float64] * 3
        assert rows["bid"].null_count() == rows["spread"].null_count() >= 2 * _BATCH


def _raw(file: DataFile) -> pl.DataFrame:
    return pl.read_parquet(file.path) if file.path.suffix == ".parquet" else pl.read_csv(file.path)
