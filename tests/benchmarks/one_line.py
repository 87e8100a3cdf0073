"""A Typer command of one line that hands polars the exact files: what a query cannot be without.

``python -m tests.benchmarks.one_line FILE...`` gives the bytes that ``bitso-spread query`` gives:
the times have been instants, and prices numbers.
"""

import sys

import polars as pl
import typer

TIME = "orderbook_timestamp"
FORM = "%Y-%m-%dT%H:%M:%S+00:00"
TEXTS = {TIME: pl.String, "book": pl.String, "bid": pl.Float64, "ask": pl.Float64}


def main(files: list[str]) -> None:
    """Give the rows of files of one format."""
    if files[0].endswith("csv"):
        rows = pl.scan_csv(files, schema={**TEXTS, "spread": pl.Float64}).with_columns(
            pl.col(TIME).str.to_datetime(FORM, time_unit="us").dt.replace_time_zone("UTC")
        )
    else:
        rows = pl.scan_parquet(files)
    rows.sink_csv(sys.stdout.buffer, datetime_format=FORM)


if __name__ == "__main__":
    typer.run(main)
