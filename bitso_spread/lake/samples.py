"""Rows of a frame as samples: the way back from `bitso_spread.lake.writer.frame_of`."""

from __future__ import annotations

import polars as pl

from bitso_spread.lake.columns import ALL, TIME
from bitso_spread.model import Sample, State

_US = 1_000_000


def samples_of(rows: pl.DataFrame) -> list[Sample]:
    """Give the samples of rows, whose times must be whole seconds, in their order.

    A row of five columns tells no state; its sample says `fresh` where there are prices and
    `unknown` where there are none, which a table of five columns does not store either.
    """
    absent = [pl.lit(None, dtype).alias(name) for name, dtype in ALL.items() if name not in rows]
    state = pl.when(pl.col("bid").is_null()).then(pl.lit(State.UNKNOWN.value))
    values = rows.with_columns(absent).select(
        pl.col(TIME).dt.epoch("us") // _US,
        "book",
        "bid",
        "ask",
        "spread",
        pl.col("state").fill_null(state.otherwise(pl.lit(State.FRESH.value))),
        "bid_amount",
        "ask_amount",
        pl.col("exchange_time").dt.epoch("ms"),
        "age_ms",
        "source",
    )
    return [
        Sample(tick, book, bid, ask, spread, State(state), *rest)
        for tick, book, bid, ask, spread, state, *rest in values.iter_rows()
    ]
