"""CSV files of a lake to rows, worked out by Spark: with a header or without, told file by file.

Each file is read as one text, because only a whole one shows whether it was cut short, and which
columns its header names: Spark's own reader takes a header, and its order, for all files or for
none. What is accepted is what `bitso_spread.lake.files` accepts; which files there are is
`bitso_spread.spark`'s business.
"""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812  (its users call it so)

from bitso_spread.lake.columns import COLUMNS, TIME

VALUE = "value"
"""The column in which Spark gives the text of a file."""

_PATH, _TEXT, _NAMES, _LINE, _FIELDS = "_path", "_text", "_names", "_line", "_fields"
_PLACE = "_place_"
_END = "\n"
_OWN_TIME = ("+00:00", 25)
# Without an offset an instant would be what the session's time zone makes of it.
_WITH_OFFSET = r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)$"


def rows_of(files: DataFrame, types: Mapping[str, str], keys: list[str]) -> DataFrame:
    """Give the rows of files, of which none is read yet.

    A file that is cut short or not what it should be ends the query with an error that names it.

    Args:
        files: one row a file, with its text in `VALUE`.
        types: the columns, with Spark's names of their types; those that a file does not have are
            null.
        keys: columns of `files` that each row of a file takes over.
    """
    text = F.col(VALUE)
    # Nothing that a lake holds needs quotes, and other writers may use them all the same.
    plain = F.when(
        text.contains('"') | text.contains("\r"), F.translate(text, '"\r', "")
    ).otherwise(text)
    whole = files.select(*keys, F.col("_metadata.file_path").alias(_PATH), plain.alias(_TEXT))
    first = F.transform(F.split(F.substring_index(_TEXT, _END, 1), ","), F.trim)
    named = whole.select("*", first.alias(_NAMES))
    has_header = F.array_contains(_NAMES, TIME)
    five = F.array(*(F.lit(name) for name in COLUMNS))
    places = [
        F.array_position(F.when(has_header, F.col(_NAMES)).otherwise(five), F.lit(name))
        .cast("int")
        .alias(_PLACE + name)
        for name in types
    ]
    lines = named.select(*keys, _PATH, *places, F.explode(_lines(has_header)).alias(_LINE))
    fields = lines.withColumn(_FIELDS, F.split(_LINE, ","))
    values = [_value(name, kind).alias(name) for name, kind in types.items()]
    return fields.select(*values, *keys)


def _lines(has_header: Column) -> Column:
    """Give the lines of a file that are rows; what is wrong with it is found before any is read."""
    text, names = F.col(_TEXT), F.col(_NAMES)
    lines = F.split(text, _END)
    header = F.when(has_header, 1).otherwise(0)
    count = F.size(lines) - 1
    width = F.when(has_header, F.size(names)).otherwise(len(COLUMNS))
    commas = F.length(text) - F.length(F.replace(text, F.lit(","), F.lit("")))
    missing = F.array_except(F.array(*(F.lit(name) for name in COLUMNS)), names)
    return (
        F.when(text == "", F.array().cast("array<string>"))
        .when(~text.endswith(_END), _error(F.lit("cut short: its last line has no end")))
        .when(
            has_header & (F.size(missing) > 0),
            _error(F.concat(F.lit("it has no column "), F.array_join(missing, ", "))),
        )
        .when(
            commas != count * (width - 1),
            _error(F.concat(F.lit("not every line has "), width.cast("string"), F.lit(" fields"))),
        )
        .otherwise(F.slice(lines, header + 1, count - header))
    )


def _value(name: str, kind: str) -> Column:
    place = F.col(_PLACE + name)
    field = F.get(F.col(_FIELDS), place - 1)
    wrong = _error(F.concat(F.lit(f"{name} is not a {kind}: "), F.coalesce(field, F.lit(""))))
    value = F.coalesce(_parsed(field, kind), wrong.cast(kind))
    if name == TIME:
        return value
    return F.when((place == 0) | (field == ""), F.lit(None)).otherwise(value)


def _parsed(field: Column, kind: str) -> Column:
    if kind != "timestamp":
        return field.try_cast(kind)
    end, length = _OWN_TIME
    instant = field.try_cast(kind)
    return F.when((F.length(field) == length) & field.endswith(end), instant).when(
        field.rlike(_WITH_OFFSET), instant
    )


def _error(what: Column) -> Column:
    hint = "; move it out of the lake to go on without it"
    return F.raise_error(
        F.concat(F.col(_PATH), F.lit(" cannot be read: "), what, F.lit(hint)),
    )
