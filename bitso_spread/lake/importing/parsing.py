"""The rows of a file that others made: CSV with or without a header, and Parquet, in portions.

More patient than `bitso_spread.lake.files`, which serves queries: there a file is right or wrong,
here each row is, and is refused with a reason. Nothing is made up: a time without an offset in
CSV is refused, and no time is rounded. Whether a row can be true is `sifting`'s business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

import polars as pl

from bitso_spread.errors import LakeError, UsageError
from bitso_spread.lake import layout
from bitso_spread.lake.columns import ALL, COLUMNS, FULL, INSTANT, SCHEMAS, TIME
from bitso_spread.lake.files import UNREADABLE, first_line
from bitso_spread.lake.importing.outcome import Reason
from bitso_spread.lake.shown import shown
from bitso_spread.model import parse_book

Refuse = Callable[[Reason, int, str], None]
"""Called with why, how many rows, and what the first of them says."""

# 300,000 lines of CSV, which take 60 MB as rows. Parquet comes in as many rows.
_BLOCK_BYTES = 16_000_000
_BLOCK_ROWS = 300_000
_SHOWN = 80
_OWN_TIME = "%Y-%m-%dT%H:%M:%S+00:00"
# Z, +0000, other offsets, fractions of a second.
_ANY_TIME = "%+"


def column_names(path: Path) -> tuple[str, ...]:
    """Give the names of a file's columns; the five where a CSV file has no header.

    Raises:
        LakeError: it cannot be read, or lacks one of the five.
    """
    try:
        if _is_parquet(path):
            names = tuple(pl.read_parquet_schema(path)) if path.stat().st_size else COLUMNS
        else:
            with path.open("rb") as lines:
                names = _names_in(lines.readline())
    except (*UNREADABLE, OSError) as error:
        raise _unreadable(path, error) from error
    missing = [name for name in COLUMNS if name not in names]
    if missing:
        raise LakeError(f"{shown(path)} cannot be imported: it has no column {', '.join(missing)}")
    if len(set(names)) < len(names):
        raise LakeError(f"{shown(path)} cannot be imported: two of its columns have the same name")
    return names


def is_full(names: Sequence[str]) -> bool:
    """Tell whether a file of these columns has the full ones."""
    return set(SCHEMAS[FULL]) <= set(names)


def with_all(rows: pl.DataFrame) -> pl.DataFrame:
    """Give rows all columns that there can be, those that they do not have as null."""
    absent = [pl.lit(None, dtype).alias(name) for name, dtype in ALL.items() if name not in rows]
    return rows.with_columns(absent).select(*ALL)


def read_rows(path: Path, refuse: Refuse) -> Iterator[pl.DataFrame]:
    """Give a file's rows with all columns there can be, those that it does not have as null.

    Every row has a time, which is in UTC and after 1970, and a book's name. 32-bit prices become
    the 64-bit ones that are written in the same way. An empty file has no rows.

    Raises:
        LakeError: the file, or the rest of it, cannot be read.
    """
    names = column_names(path)
    try:
        frames = _parquet(path, names) if _is_parquet(path) else _csv(path, names, refuse)
        for frame in frames:
            yield _conform(path, frame, refuse)
    except (*UNREADABLE, OSError) as error:
        raise _unreadable(path, error) from error


def _is_parquet(path: Path) -> bool:
    return path.suffix == layout.SUFFIXES["parquet"]


def _parquet(path: Path, names: Sequence[str]) -> Iterator[pl.DataFrame]:
    if path.stat().st_size:
        wanted = [name for name in ALL if name in names]
        rows = pl.scan_parquet(path, glob=False, hive_partitioning=False).select(wanted)
        yield from rows.collect_batches(chunk_size=_BLOCK_ROWS, maintain_order=True)


def _csv(path: Path, names: Sequence[str], refuse: Refuse) -> Iterator[pl.DataFrame]:
    commas = len(names) - 1
    with path.open("rb") as file:
        if TIME.encode() not in file.readline():
            file.seek(0)
        for block in _blocks(file, lambda rest: refuse(Reason.CUT, 1, _shown(path, rest))):
            # None of these columns can hold a comma or a quote of its own.
            lines = block.replace(b'"', b"").replace(b"\r", b"").split(b"\n")
            good = [line for line in lines if line.count(b",") == commas]
            if wrong := [line for line in lines if line.count(b",") != commas and line.strip()]:
                refuse(Reason.FIELDS, len(wrong), _shown(path, wrong[0]))
            if good:
                yield pl.read_csv(
                    b"\n".join(good) + b"\n",
                    has_header=False,
                    schema=dict.fromkeys(names, pl.String()),
                    columns=[place for place, name in enumerate(names) if name in ALL],
                    quote_char=None,
                    encoding="utf8-lossy",
                )


def _blocks(file: IO[bytes], cut: Callable[[bytes], None]) -> Iterator[bytes]:
    """Give whole lines, as many as a portion has; what follows the last of them is `cut`."""
    rest = b""
    while data := file.read(_BLOCK_BYTES):
        end = data.rfind(b"\n") + 1
        if end:
            yield rest + data[:end]
            rest = data[end:]
        elif len(rest) > _BLOCK_BYTES:
            raise OSError("it has no lines")
        else:
            rest += data
    if rest.strip():
        cut(rest)


def _names_in(line: bytes) -> tuple[str, ...]:
    text = line.decode("utf-8-sig", errors="replace").strip()
    names = tuple(name.strip().strip('"') for name in text.split(","))
    return names if TIME in names else COLUMNS


def _conform(path: Path, raw: pl.DataFrame, refuse: Refuse) -> pl.DataFrame:
    raw = _as_written(raw)
    texts = {name for name, dtype in raw.schema.items() if dtype == pl.String}
    rows = raw.select(
        _instant(name, raw.schema[name]) if dtype == INSTANT else _value(name, dtype, texts)
        for name, dtype in ALL.items()
        if name in raw.columns
    ).with_columns(_book_names(raw["book"]))
    lost = [
        raw[name].is_not_null() & rows[name].is_null()
        for name in rows.columns
        if name not in {TIME, "book"}
    ]
    checks = (
        (Reason.TIME, rows[TIME].is_null() | (rows[TIME].dt.epoch("us") < 0)),
        (Reason.BOOK, rows["book"].is_null()),
        (Reason.NUMBER, pl.select(pl.any_horizontal(lost)).to_series()),
    )
    good = pl.repeat(True, rows.height, dtype=pl.Boolean, eager=True)
    for reason, bad in checks:
        failed = bad.fill_null(value=True) & good
        if failed.any():
            line = raw.filter(failed).row(0)
            refuse(reason, int(failed.sum()), f"{shown(path)}: {_in_brief(line)}")
            good &= ~failed
    return with_all(rows).filter(good)


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


def _instant(name: str, dtype: pl.DataType) -> pl.Expr:
    time = pl.col(name)
    if dtype == pl.String:
        own = time.str.to_datetime(_OWN_TIME, time_unit="us", strict=False)
        apart = time.str.replace(r"^(\d{4}-\d\d-\d\d) ", "${1}T")
        other = apart.str.to_datetime(_ANY_TIME, time_unit="us", time_zone="UTC", strict=False)
        return pl.coalesce(own.dt.replace_time_zone("UTC"), other)
    if not isinstance(dtype, pl.Datetime):
        return pl.lit(None, INSTANT).alias(name)
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


def _shown(path: Path, line: bytes) -> str:
    return f"{shown(path)}: {_printable(line.decode(errors='replace'))}"


def _in_brief(values: tuple[object, ...]) -> str:
    return _printable(",".join("" if value is None else str(value) for value in values))


def _printable(text: str) -> str:
    # What is in a file may be anything, and goes to a terminal.
    return "".join(c if c.isprintable() else "?" for c in text.strip())[:_SHOWN]


def _unreadable(path: Path, error: BaseException) -> LakeError:
    said = error.strerror if isinstance(error, OSError) else None
    return LakeError(f"{shown(path)} cannot be read: {said or first_line(error)}")
