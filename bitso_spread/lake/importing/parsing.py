"""Rows as others wrote them, to rows of this package's types; those that cannot be are refused.

More patient than `bitso_spread.lake.files`, which serves queries: there a file is right or wrong,
here each row is, and is refused with a reason. Nothing is made up: a time without an offset in
CSV is refused, and no time is rounded. Where the rows come from is `reading`'s business, and
whether a row can be true `sifting`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import polars as pl

from bitso_spread.errors import UsageError
from bitso_spread.lake.columns import ALL, INSTANT, TIME
from bitso_spread.lake.importing.outcome import EXAMPLES, Example, Reason
from bitso_spread.model import parse_book

SOURCE = "source_file"
"""The column of the number of the file that a row was read from."""
LINE = "source_line"
"""The column of a row's place there, from 1: its line in CSV, a header included, its row in
Parquet; null in a journal."""
PLACE: Mapping[str, pl.DataType] = {SOURCE: pl.UInt32(), LINE: pl.UInt64()}
"""Both, with their types."""

Refuse = Callable[[Reason, int, int, list[Example]], None]
"""Called with why, the number of the file, how many of its rows, and the first of them."""

_SHOWN = 80
_OWN_TIME = "%Y-%m-%dT%H:%M:%S+00:00"
# Z, +0000, other offsets, fractions of a second.
_ANY_TIME = "%+"


def with_all(rows: pl.DataFrame) -> pl.DataFrame:
    """Give rows all columns that there can be, and their place; what they do not have is null."""
    wanted = {**ALL, **PLACE}
    absent = [pl.lit(None, dtype).alias(name) for name, dtype in wanted.items() if name not in rows]
    return rows.with_columns(absent).select(*wanted)


def conform(raw: pl.DataFrame, refuse: Refuse) -> pl.DataFrame:
    """Give rows the types that they are stored with, and all columns that there can be.

    Every row has a time, which is in UTC and after 1970, and a book's name. 32-bit prices become
    the 64-bit ones that are written in the same way.

    Args:
        raw: texts, or what Parquet has; and the columns of `PLACE`.
        refuse: called with what is refused.
    """
    raw = _as_written(raw)
    texts = {name for name, dtype in raw.schema.items() if dtype == pl.String}
    rows = raw.select(
        *(
            _instant(raw[name]) if dtype == INSTANT else _value(name, dtype, texts)
            for name, dtype in ALL.items()
            if name in raw.columns
        ),
        *PLACE,
    ).with_columns(_book_names(raw["book"]))
    lost = [
        raw[name].is_not_null() & rows[name].is_null()
        for name in rows.columns
        if name not in {TIME, "book"} and rows[name].null_count() > raw[name].null_count()
    ]
    number = pl.select(pl.any_horizontal(lost)).to_series() if lost else None
    checks = (
        (Reason.TIME, rows[TIME].is_null() | (rows[TIME].dt.epoch("us") < 0)),
        (Reason.BOOK, rows["book"].is_null()),
        (Reason.NUMBER, number),
    )
    good = None
    for reason, bad in checks:
        if bad is None or not bad.any():
            continue
        failed = bad if good is None else bad & good
        _refuse_rows(reason, raw.filter(failed), refuse)
        good = ~failed if good is None else good & ~failed
    rows = with_all(rows)
    return rows if good is None else rows.filter(good)


def of_each(rows: pl.DataFrame, names: list[str]) -> list[tuple[int, int, list[Example]]]:
    """Give the number of each file that rows are of, how many there are, and the first of them.

    Args:
        rows: at least one.
        names: the columns that examples show.
    """
    return [
        (
            group[SOURCE][0],
            group.height,
            [
                Example(line, in_brief(",".join("" if v is None else str(v) for v in values)))
                for line, *values in group.select(LINE, *names).head(EXAMPLES).iter_rows()
            ],
        )
        for group in rows.partition_by(SOURCE, maintain_order=True)
    ]


def in_brief(text: str) -> str:
    """Give as much of what a file says as fits on a line of a terminal, and can do it no harm."""
    return "".join(c if c.isprintable() else "?" for c in text.strip())[:_SHOWN]


def _refuse_rows(reason: Reason, rows: pl.DataFrame, refuse: Refuse) -> None:
    if rows.height:
        names = [name for name in rows.columns if name not in PLACE]
        for source, count, examples in of_each(rows, names):
            refuse(reason, source, count, examples)


def _as_written(raw: pl.DataFrame) -> pl.DataFrame:
    """Give texts without blanks, and 32-bit numbers as texts: 18.326 is 18.32600021 in 64 bits."""
    texts = [
        pl.col(name).cast(pl.String).str.strip_chars().replace("", None)
        for name, dtype in raw.schema.items()
        if dtype in {pl.String, pl.Categorical, pl.Enum, pl.Float32}
    ]
    return raw.with_columns(texts)


def _value(name: str, dtype: pl.DataType, texts: set[str]) -> pl.Expr:
    value = pl.col(name)
    if dtype == pl.Int64 and name in texts:
        # Others may write a whole number as 5.0.
        value = value.cast(pl.Float64, strict=False)
    return value.cast(dtype, strict=False)


def _instant(time: pl.Series) -> pl.Series:
    dtype = time.dtype
    if dtype == pl.String:
        own = time.str.to_datetime(_OWN_TIME, time_unit="us", strict=False)
        own = own.dt.replace_time_zone("UTC")
        if own.null_count() == time.null_count():
            return own
        apart = time.str.replace(r"^(\d{4}-\d\d-\d\d) ", "${1}T")
        other = apart.str.to_datetime(_ANY_TIME, time_unit="us", time_zone="UTC", strict=False)
        return own.fill_null(other)
    if not isinstance(dtype, pl.Datetime):
        return pl.Series(time.name, [None], INSTANT).new_from_index(0, len(time))
    # Spark's INT96 comes without a zone and is UTC by its own rules.
    in_utc = (
        time.dt.convert_time_zone("UTC") if dtype.time_zone else time.dt.replace_time_zone("UTC")
    )
    return in_utc.dt.cast_time_unit("us")


def _book_names(books: pl.Series) -> pl.Series:
    names: Mapping[str, str | None] = {
        text: _book_name(text) for text in books.cast(pl.String).unique().drop_nulls()
    }
    if all(text == name for text, name in names.items()):
        return books.cast(pl.String)
    return books.cast(pl.String).replace_strict(names, return_dtype=pl.String)


def _book_name(text: str) -> str | None:
    try:
        return parse_book(text)
    except UsageError:
        return None
