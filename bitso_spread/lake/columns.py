"""The columns of a table: the five that every table has, and the full ones.

What they are called and of which type they are; how they are written is `writer`'s business,
and how they are read `files`'s.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import polars as pl

from bitso_spread.errors import UsageError
from bitso_spread.nearest import did_you_mean

TIME = "orderbook_timestamp"
INSTANT = pl.Datetime("us", "UTC")

FIVE = "five"
"""``orderbook_timestamp``, ``book``, ``bid``, ``ask``, ``spread``."""
FULL = "full"
"""The five, and what there is to say of how they came to be known."""

SCHEMA: Mapping[str, pl.DataType] = {
    TIME: INSTANT,
    "book": pl.String(),
    "bid": pl.Float64(),
    "ask": pl.Float64(),
    "spread": pl.Float64(),
}
"""The five columns."""

SCHEMAS: Mapping[str, Mapping[str, pl.DataType]] = {
    FIVE: SCHEMA,
    FULL: {
        **SCHEMA,
        "bid_amount": pl.Float64(),
        "ask_amount": pl.Float64(),
        "exchange_time": INSTANT,
        "age_ms": pl.Int64(),
        "state": pl.String(),
        "source": pl.String(),
    },
}
"""The columns of each kind of table, in order, by the name of the kind."""


ALL = SCHEMAS[FULL]
"""Every column that there can be."""
COLUMNS = tuple(SCHEMA)
"""The names of the five."""


def check_columns(kind: str) -> None:
    """Check the name of a kind of table.

    Raises:
        UsageError: there is none of that name.
    """
    if kind not in SCHEMAS:
        near = did_you_mean(kind, SCHEMAS)
        raise UsageError(f"--columns {kind!r}: choose {' or '.join(SCHEMAS)}{near}")


def no_rows(names: Iterable[str] = COLUMNS) -> pl.DataFrame:
    """Give a frame of these columns without a row."""
    return pl.DataFrame(schema={name: ALL[name] for name in names})
