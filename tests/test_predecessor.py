"""The predecessor's own data: what its figures were, to the last bit."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from bitso_spread.lake.reader import Lake

FLOAT32 = pl.Float32


@pytest.mark.parametrize("book", ["btc_mxn", "usd_mxn"])
def test_its_spreads_are_ours_worked_out_in_32_bit_steps(book: str, shared: Path) -> None:
    rows = Lake(shared / "lake-2024-07-26").read(book=[book])
    bid, ask = pl.col("bid").cast(FLOAT32), pl.col("ask").cast(FLOAT32)
    in_32_bits = rows.select((ask - bid) * pl.lit(100, FLOAT32) / ask).to_series()
    assert rows.height == 600
    # Its text has as many digits as tell one 32-bit number from the next.
    assert in_32_bits.to_list() == rows["spread"].cast(FLOAT32).to_list()
    in_64_bits = rows.select((pl.col("ask") - pl.col("bid")) * 100 / pl.col("ask")).to_series()
    assert in_64_bits.to_list() != rows["spread"].to_list()
