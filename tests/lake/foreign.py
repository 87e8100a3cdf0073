"""A reader of another maker that polls tables until it is told to end; a process of its own.

Usage: foreign.py READER CSV_TABLE PARQUET_TABLE. It prints each poll of a table as one line of
JSON, how many rows it found in each file; an error ends it with a traceback. A line on stdin tells
it to poll each table once more, and to end.
"""

from __future__ import annotations

import json
import os
import select
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

Rows = dict[str, int]
"""How many rows a reader found in each file."""


def by_polars(root: Path, file_format: str) -> Rows:
    import polars as pl

    if file_format == "csv":
        prices = dict.fromkeys(["bid", "ask", "spread"], pl.Float64)
        schema = {"orderbook_timestamp": pl.String, "book": pl.String, **prices}
        frame = pl.scan_csv(root, schema=schema, include_file_paths="file").collect()
    else:
        scan = pl.scan_parquet(root, hive_partitioning=True, include_file_paths="file")
        frame = scan.collect()
    assert frame.filter(pl.col("bid") >= pl.col("ask")).is_empty()
    return Counter(frame["file"])


def by_duckdb(root: Path, file_format: str) -> Rows:
    import duckdb

    glob = f"{root}/*/*/*/*.{file_format}"
    options = "hive_partitioning = true, filename = true"
    found = duckdb.execute(
        f"SELECT filename, order_book, book, bid, ask FROM read_{file_format}(?, {options})",
        [glob],
    ).fetchall()
    assert all(key == book and (bid is None or bid < ask) for _, key, book, bid, ask in found)
    return Counter(str(row[0]) for row in found)


def by_pyarrow(root: Path, file_format: str) -> Rows:
    import pyarrow.dataset as ds  # type: ignore[import-untyped]  # it ships no types

    dataset = ds.dataset(root, format=file_format, partitioning="hive")
    columns = ["__filename", *dataset.schema.names]
    rows = dataset.to_table(columns=columns).to_pylist()
    assert all(row["book"] == row["order_book"] for row in rows)
    assert all(row["bid"] is None or row["bid"] < row["ask"] for row in rows)
    return Counter(str(row["__filename"]) for row in rows)


READERS: dict[str, Callable[[Path, str], Rows]] = {
    "polars": by_polars,
    "duckdb": by_duckdb,
    "pyarrow": by_pyarrow,
}


def main(reader: str, *roots: str) -> None:
    """Poll in a tight loop, each table from its first file on."""
    os.nice(5)  # the recorder is not to wait for its readers
    tables = [(root, form) for root, form in zip(map(Path, roots), ["csv", "parquet"], strict=True)]
    ending = False
    while not ending:
        ending = bool(select.select([sys.stdin], [], [], 0)[0])
        for root, form in tables:
            if ending or any(root.rglob(f"*.{form}")):
                print(json.dumps([form, READERS[reader](root, form)]), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
