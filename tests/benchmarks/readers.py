"""Readers of a lake, each in a process of its own, to be timed by turns and compared.

``python -m tests.benchmarks.readers READER LAKE FORM`` takes a question from each line of stdin,
and answers with the seconds that it took, the most memory that the process has had, and what was
found. By that readers can be told to agree, which is not timed. What one reads from exact files
is told which they are, and does not pay for that.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import polars as pl

from bitso_spread.lake.columns import COLUMNS, TIME
from bitso_spread.lake.layout import TABLE
from bitso_spread.lake.pruning import KEYS
from bitso_spread.lake.reader import Lake
from tests.benchmarks.lakes import BOOKS, daily_files, date_of, files_of, moment_of
from tests.benchmarks.one_line import FORM, TEXTS

BOOK = BOOKS[0]


@dataclass(frozen=True, slots=True)
class Question:
    """Of one book, all rows of some days; or of both books, the mean spread of each and day."""

    first: int
    """The first day, numbered from 0."""
    last: int
    means: bool = False

    @property
    def days(self) -> range:
        """The days."""
        return range(self.first, self.last + 1)

    @property
    def dates(self) -> tuple[int, int]:
        """The first and last day as numbers such as 20250101."""
        return date_of(self.first), date_of(self.last)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a reader found, and what it took."""

    seconds: float
    peak_mb: float
    """The most resident memory that the reader's process has had, in millions of bytes."""
    rows: int
    """Rows that were given, or that went into the means."""
    spread: float
    """The mean of all known spreads."""


class Reader:
    """A reader that runs elsewhere."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ask(self, question: Question) -> Answer:
        """Wait for an answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asdict(question)) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "the reader fell: see above"
        return Answer(**json.loads(line))


@contextmanager
def reading(reader: str, lake: Path, form: str) -> Iterator[Reader]:
    """Run a reader of `READERS` until the end of the block."""
    command = [sys.executable, "-m", "tests.benchmarks.readers", reader, str(lake), form]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        try:
            yield Reader(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()


Ask = Callable[[], Any]
"""Asks a question. Gives a table: the rows, or the mean `spread` of each book and day, of `known`
spreads in `n` rows."""


def _lake_read(lake: Path, _form: str, question: Question) -> Ask:
    first, last = question.dates
    return lambda: Lake(lake).read(date=f"{first}..{last}", book=BOOK)


def _lake_scan(lake: Path, _form: str, question: Question) -> Ask:
    return lambda: _asked(Lake(lake).scan(columns="five"), question)


def _polars_files(lake: Path, form: str, question: Question) -> Ask:
    books = BOOKS if question.means else [BOOK]
    files = files_of(lake, form, books, question.days)
    if question.means:
        return lambda: _means(typed(form, files, keys=True))
    return lambda: typed(form, files).select(COLUMNS).collect()


def _polars_files_keys(lake: Path, form: str, question: Question) -> Ask:
    files = files_of(lake, form, [BOOK], question.days)
    return lambda: typed(form, files, keys=True).select(*COLUMNS, *KEYS).collect()


def _polars_root(lake: Path, form: str, question: Question) -> Ask:
    root = lake / TABLE
    if form == "parquet":
        keys = dict(KEYS)
        return lambda: _asked(
            pl.scan_parquet(root, hive_partitioning=True, hive_schema=keys), question
        )
    # polars reads no keys of CSV: the columns of the rows must do.
    if question.means:
        day = pl.col(TIME).str.head(10).alias("date")
        return lambda: _means(_texts(root).with_columns(day, order_book="book"))
    days = [f"{moment_of(day):%Y-%m-%d}" for day in question.days]
    asked = pl.col("book").eq(BOOK) & pl.col(TIME).str.head(10).is_in(days)
    return lambda: _texts(root).filter(asked).with_columns(_instant()).collect()


def _duckdb(lake: Path, form: str, question: Question) -> Ask:
    import duckdb

    columns = ""
    if form == "csv":
        types = {TIME: "TIMESTAMPTZ", "book": "VARCHAR"} | dict.fromkeys(COLUMNS[2:], "DOUBLE")
        columns = f"columns = {json.dumps(types)}, "
    source = (
        f"read_{form}('{lake}/{TABLE}/*/*/*/*.{form}', {columns}hive_partitioning = true, "
        "hive_types = {date: INTEGER, order_book: VARCHAR, minutes: INTEGER})"
    )
    return lambda: _arrow(duckdb.from_query(_sql(source, question)))


def _pyarrow(lake: Path, form: str, question: Question) -> Ask:
    import pyarrow as pa  # type: ignore[import-untyped]  # it ships no types
    import pyarrow.dataset as ds  # type: ignore[import-untyped]

    keys = [("date", pa.int32()), ("order_book", pa.string()), ("minutes", pa.int32())]
    five = [(TIME, pa.timestamp("us", "UTC")), ("book", pa.string())]
    five += [(name, pa.float64()) for name in COLUMNS[2:]]
    hive = ds.partitioning(pa.schema(keys), flavor="hive")
    first, last = question.dates
    days = (ds.field("date") >= first) & (ds.field("date") <= last)

    def ask() -> Any:
        table = ds.dataset(lake / TABLE, pa.schema(five + keys), format=form, partitioning=hive)
        if not question.means:
            return table.to_table(filter=days & (ds.field("order_book") == BOOK))
        rows = table.to_table(columns=["date", "order_book", "spread"], filter=days)
        sums = [("spread", "mean"), ("spread", "count"), ([], "count_all")]
        means = rows.group_by(["date", "order_book"]).aggregate(sums)
        names = {"spread_mean": "spread", "spread_count": "known", "count_all": "n"}
        return means.rename_columns([names.get(name, name) for name in means.column_names])

    return ask


def _daily_polars(lake: Path, _form: str, question: Question) -> Ask:
    books = BOOKS if question.means else [BOOK]
    files = daily_files(lake, books, question.days)
    keys = {name: dtype for name, dtype in KEYS.items() if name != "minutes"}

    def ask() -> Any:
        rows = pl.scan_parquet(files, hive_partitioning=True, hive_schema=keys)
        return _means(rows) if question.means else rows.select(COLUMNS).collect()

    return ask


def _daily_duckdb(lake: Path, _form: str, question: Question) -> Ask:
    import duckdb

    books = BOOKS if question.means else [BOOK]
    files = [str(path) for path in daily_files(lake, books, question.days)]
    source = (
        f"read_parquet({files}, hive_partitioning = true, "
        "hive_types = {date: INTEGER, order_book: VARCHAR})"
    )
    return lambda: _arrow(duckdb.from_query(_sql(source, question)))


READERS: dict[str, Callable[[Path, str, Question], Ask]] = {
    "Lake.read": _lake_read,
    "Lake.scan": _lake_scan,
    "polars, exact files": _polars_files,
    "polars, exact files and keys": _polars_files_keys,
    "polars from the root": _polars_root,
    "DuckDB glob": _duckdb,
    "pyarrow dataset": _pyarrow,
    "a file a day, polars": _daily_polars,
    "a file a day, DuckDB": _daily_duckdb,
}
"""Each gives what asks a question of a lake of some form."""


def _texts(files: Path | list[Path], file_column: str | None = None) -> pl.LazyFrame:
    schema = {**TEXTS, "spread": pl.Float64}
    return pl.scan_csv(files, schema=schema, include_file_paths=file_column)


def _instant() -> pl.Expr:
    return pl.col(TIME).str.to_datetime(FORM, time_unit="us").dt.replace_time_zone("UTC")


def typed(form: str, files: list[Path], *, keys: bool = False) -> pl.LazyFrame:
    """Give the rows of files with their types, and with the keys of their partitions."""
    if form == "parquet":
        return pl.scan_parquet(
            files, hive_partitioning=keys, hive_schema=dict(KEYS) if keys else None
        )
    rows = _texts(files, "file" if keys else None).with_columns(_instant())
    if not keys:
        return rows
    return rows.with_columns(
        pl.col("file").str.extract(f"{key}=([^/]+)").cast(dtype).alias(key)
        for key, dtype in KEYS.items()
    )


def _asked(rows: pl.LazyFrame, question: Question) -> pl.DataFrame:
    first, last = question.dates
    asked = rows.filter(pl.col("date") >= first, pl.col("date") <= last)
    if question.means:
        return _means(asked)
    return asked.filter(pl.col("order_book") == BOOK).collect()


def _means(rows: pl.LazyFrame) -> pl.DataFrame:
    sums = [pl.len().alias("n"), pl.col("spread").mean(), pl.col("spread").count().alias("known")]
    return rows.group_by("date", "order_book").agg(sums).collect(engine="streaming")


def _sql(source: str, question: Question) -> str:
    first, last = question.dates
    days = f"date BETWEEN {first} AND {last}"
    if not question.means:
        return f"FROM {source} WHERE {days} AND order_book = '{BOOK}'"
    sums = "count(*) AS n, avg(spread) AS spread, count(spread) AS known"
    return f"SELECT date, order_book, {sums} FROM {source} WHERE {days} GROUP BY date, order_book"


def _told(found: Any, question: Question) -> tuple[int, float]:
    """Give how many rows a table tells of, and the mean of their known spreads."""
    names = ["n", "known", "spread"] if question.means else ["spread"]
    table = found.select(names)
    columns = table.to_dict() if isinstance(table, pl.DataFrame) else table.to_pydict()
    spreads = [spread for spread in columns["spread"] if spread is not None]
    if not question.means:
        return len(columns["spread"]), fmean(spreads)
    return sum(columns["n"]), fmean(spreads, [known for known in columns["known"] if known])


def _peak_mb() -> float:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) * 1024 / 1e6


def _arrow(found: Any) -> Any:
    # It is None for what is no query.
    return found.to_arrow_table()


def main(reader: str, lake: str, form: str) -> None:
    """Answer until stdin ends."""
    for line in sys.stdin:
        question = Question(**json.loads(line))
        ask = READERS[reader](Path(lake), form, question)
        start = time.perf_counter()
        found = ask()
        seconds, peak_mb = time.perf_counter() - start, _peak_mb()
        answer = Answer(seconds, peak_mb, *_told(found, question))
        print(json.dumps(asdict(answer)), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
