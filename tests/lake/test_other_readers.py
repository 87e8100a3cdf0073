"""The table as other readers see it: the README's own lines, on lakes of both formats."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from bitso_spread.lake.columns import FULL, SCHEMA, SCHEMAS
from bitso_spread.lake.pruning import KEYS
from bitso_spread.lake.reader import Lake
from tests.lake.support import put_batch

README = (Path(__file__).parents[2] / "README.md").read_text()
START = datetime(2024, 7, 25, tzinfo=UTC)
# What a reader has found goes to a file: two of them in one process have crashed on threads.
KEEP = """
import polars
frame = rows if isinstance(rows, polars.DataFrame) else polars.from_arrow(rows)
frame.write_parquet("found.parquet")
"""


def lines_of(reader: str) -> str:
    (lines,) = [
        str(block)
        for block in re.findall(r"```python\n(.*?)```", README, re.DOTALL)
        if f"import {reader}" in block and "data/BitsoSpreadMonitor" in block
    ]
    return lines


def lake(root: Path, form: str, columns: str) -> None:
    """Two days of two books; of the first batches and of the last nothing is known."""
    for day in range(2):
        for minutes in (0, 10):
            for book in ("btc_mxn", "usd_mxn"):
                start = START + timedelta(days=day, minutes=minutes)
                known = (day, minutes) not in {(0, 0), (1, 10)}
                put_batch(root, book, start, form, columns, known=known)


@pytest.mark.parametrize("columns", ["five", "full"])
@pytest.mark.parametrize(
    ("reader", "form"),
    [
        ("polars", "parquet"),
        ("duckdb", "csv"),
        ("duckdb", "parquet"),
        ("pyarrow", "csv"),
        ("pyarrow", "parquet"),
    ],
)
def test_the_lines_of_the_readme_give_the_same_rows(
    reader: str, form: str, columns: str, tmp_path: Path
) -> None:
    lines = lines_of(reader)
    if (reader, form) == ("duckdb", "parquet"):
        lines = lines.replace("read_csv", "read_parquet").replace("*.csv", "*.parquet")
        lines = lines.replace("columns = {five}, ", "")
    if (reader, form) == ("pyarrow", "csv"):
        lines = lines.replace('format="parquet"', 'format="csv"')
    if (reader, form, columns) == ("duckdb", "csv", "full"):
        # DuckDB takes the columns of a CSV file by their order, and has to be told of all.
        types = ["DOUBLE", "DOUBLE", "TIMESTAMPTZ", "BIGINT", "VARCHAR", "VARCHAR"]
        names = [*SCHEMAS[FULL]][5:]
        more = "".join(f", {name}: '{kind}'" for name, kind in zip(names, types, strict=True))
        lines = lines.replace("spread: 'DOUBLE'}", f"spread: 'DOUBLE'{more}}}")
    lake(tmp_path / "data", form, columns)
    subprocess.run([sys.executable, "-c", lines + KEEP], cwd=tmp_path, check=True, timeout=60)
    found = pl.read_parquet(tmp_path / "found.parquet")
    assert found["date"].dtype.is_integer()
    assert found["minutes"].dtype.is_integer()
    expected = Lake(tmp_path / "data").scan(columns="five").collect()
    assert expected.height == 80
    assert expected["bid"].null_count() == 40 + 12
    ours, theirs = (
        frame.select(
            *SCHEMA, *(pl.col(name).cast(dtype) for name, dtype in KEYS.items())
        ).with_columns(pl.col("orderbook_timestamp").dt.convert_time_zone("UTC"))
        for frame in (expected, found)
    )
    order = ["orderbook_timestamp", "book"]
    assert theirs.sort(order).equals(ours.sort(order))
