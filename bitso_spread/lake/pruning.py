"""Where a condition can hold: a polars expression, asked of partitions' keys alone. Pure.

A partition tells the day, the book and the minute of its batch, and between which instants its
rows lie. Of each part of the condition it is worked out whether it can be true of such a row,
and whether it can be false; what cannot be told can be both. So a partition is only left out
where no row of it can be asked for.
"""

from __future__ import annotations

import io
import json
from collections.abc import Container, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import polars as pl

from bitso_spread.lake.columns import INSTANT, TIME
from bitso_spread.lake.filters import midnight_of
from bitso_spread.lake.layout import Partition

BOOK_KEY = "order_book"

KEYS: Mapping[str, pl.DataType] = {"date": pl.Int32(), BOOK_KEY: pl.String(), "minutes": pl.Int32()}
"""The keys of a partition, as columns: the UTC day such as 20240726, the book, and the batch's
start in minutes from UTC midnight."""

# The instants between which the rows of a partition lie, both included.
_EARLIEST, _LATEST = "earliest", "latest"
_INDEX = "index"
_MOMENT = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TRUE = pl.lit(value=True)
_ORDERED = {"Lt", "LtEq", "Gt", "GtEq"}


class _Can(NamedTuple):
    """Whether a condition can be true, and can be false, of a row of each place."""

    be_true: pl.Expr
    be_false: pl.Expr


_ANYTHING = _Can(_TRUE, _TRUE)


class Condition:
    """A condition on rows, as polars hands it to a source; None is no condition.

    It chooses what of a lake is listed: see `bitso_spread.lake.walk.Choice`.
    """

    def __init__(self, predicate: pl.Expr | None) -> None:
        self._tree = None
        self._names: set[str] = set()
        if predicate is not None:
            self._tree = json.loads(predicate.meta.serialize(format="json"))
            self._names = set(predicate.meta.root_names())

    def days(self, days: Sequence[int], *, over_midnight: bool = True) -> list[int]:
        """Give the days in whose folders a row may lie of which the condition is true.

        Args:
            days: all that there are; without `over_midnight`, those that were chosen with it.
            over_midnight: whether rows may lie on the day after, as those of other writers do.
        """
        if not self._names & {"date", TIME} or not (over_midnight or TIME in self._names):
            return [*days]
        places = [Partition(day, 0, "") for day in days]
        chosen = self._choose(places, {"date"}, over_midnight=over_midnight)
        return [place.date for place in chosen]

    def books(self, day: int, books: Sequence[str]) -> list[str]:
        """Give the books of a day of which a row may be."""
        if not self._names & {BOOK_KEY, "book"}:
            return [*books]
        places = [Partition(day, 0, book) for book in books]
        return [place.book for place in self._choose(places, {"date", BOOK_KEY})]

    def partitions(
        self, partitions: Sequence[Partition], *, over_midnight: bool = True
    ) -> list[Partition]:
        """Give those in which a row may lie.

        Args:
            partitions: of days and books that are chosen.
            over_midnight: whether rows may lie on the day after, as those of other writers do.
        """
        if not self._names & {"minutes", TIME} or not (over_midnight or TIME in self._names):
            return [*partitions]
        return self._choose(partitions, KEYS, over_midnight=over_midnight)

    def minutes(self, minutes: Sequence[int]) -> frozenset[int] | None:
        """Leave it to who reads a compacted day: the condition is asked of each of its rows."""
        del minutes
        return None

    def _choose(
        self,
        partitions: Sequence[Partition],
        known: Container[str],
        *,
        over_midnight: bool = True,
    ) -> list[Partition]:
        """Choose by the keys that are known yet; what the others hold does not matter."""
        if self._tree is None or not partitions:
            return [*partitions]
        names = {name for name in KEYS if name in known}
        places = _places(partitions, over_midnight=over_midnight)
        if BOOK_KEY in names:
            # A row's own book is that of its folder.
            names.add("book")
        try:
            kept = places.filter(_can(self._tree, names).be_true).select(_INDEX).collect()
        except pl.exceptions.PolarsError:
            # It cannot be asked of rows either, and polars will say so when it does.
            return [*partitions]
        return [partitions[index] for index in kept[_INDEX]]


def _places(of: Sequence[Partition], *, over_midnight: bool) -> pl.LazyFrame:
    """Give partitions as places; rows that cross midnight are those of other writers alone."""
    length = timedelta(days=2 if over_midnight else 1) - _MOMENT
    midnights = {date: _microseconds(midnight_of(date)) for date in {place.date for place in of}}
    midnight = pl.col(_EARLIEST).cast(INSTANT)
    places = pl.LazyFrame(
        {
            "date": pl.Series([place.date for place in of], dtype=pl.Int32),
            BOOK_KEY: pl.Series([place.book for place in of], dtype=pl.String),
            "minutes": pl.Series([place.minutes for place in of], dtype=pl.Int32),
            # To make a series of datetimes takes ten times as long.
            _EARLIEST: pl.Series([midnights[place.date] for place in of], dtype=pl.Int64),
        }
    )
    return places.with_row_index(_INDEX).select(
        _INDEX,
        *KEYS,
        pl.col(BOOK_KEY).alias("book"),
        (midnight + pl.duration(minutes="minutes", time_unit="us")).alias(_EARLIEST),
        (midnight + length).alias(_LATEST),
    )


def _microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // _MOMENT


def _can(tree: Any, known: set[str]) -> _Can:
    match tree:
        case {"BinaryExpr": {"op": "And" | "LogicalAnd", "left": left, "right": right}}:
            one, other = _can(left, known), _can(right, known)
            return _Can(one.be_true & other.be_true, one.be_false | other.be_false)
        case {"BinaryExpr": {"op": "Or" | "LogicalOr", "left": left, "right": right}}:
            one, other = _can(left, known), _can(right, known)
            return _Can(one.be_true | other.be_true, one.be_false & other.be_false)
        case {"Function": {"function": {"Boolean": "Not"}, "input": [inner]}}:
            can = _can(inner, known)
            return _Can(can.be_false, can.be_true)
    part = _expression(tree)
    names = set(part.meta.root_names())
    if names <= known:
        # Neither, where it is null.
        return _Can(part.fill_null(value=False), (~part).fill_null(value=False))
    if names == {TIME}:
        return _can_in_time(tree)
    return _ANYTHING


def _can_in_time(tree: Any) -> _Can:
    """Work it out for a condition on the instant alone."""
    early, late = (_expression(_asked_of(end, tree)) for end in (_EARLIEST, _LATEST))
    match tree:
        case {"BinaryExpr": {"op": op, "left": left, "right": right}}:
            if {_kind(left), _kind(right)} != {"instant", "constant"}:
                return _ANYTHING
            if op in _ORDERED:
                # Once it turns, it stays: the ends tell what there can be between them.
                return _Can(early | late, ~early | ~late)
            time, value = (left, right) if _kind(left) == "instant" else (right, left)
            between = _between(time, _expression(value), _expression(value))
            if op == "Eq":
                return _Can(between, _TRUE)
            if op == "NotEq":
                return _Can(_TRUE, between)
        case {"Function": {"function": {"Boolean": function}, "input": [time, *values]}}:
            if _kind(time) == "instant" and all(_kind(value) == "constant" for value in values):
                ends = _ends_of(function, [_expression(value) for value in values])
                if ends is not None:
                    return _Can(_between(time, *ends), _TRUE)
    return _ANYTHING


def _between(time: Any, first: pl.Expr, last: pl.Expr) -> pl.Expr:
    """Tell whether an instant of the place may lie between two."""
    early, late = (_expression(_asked_of(end, time)) for end in (_EARLIEST, _LATEST))
    return (late >= first) & (early <= last)


def _ends_of(function: Any, values: list[pl.Expr]) -> tuple[pl.Expr, pl.Expr] | None:
    match function, values:
        case {"IsBetween": _}, [first, last]:
            return first, last
        case {"IsIn": _}, [listed]:
            several = pl.select(listed.alias("several")).to_series()
            if isinstance(several.dtype, pl.List):
                several = several.explode(empty_as_null=False)
            return pl.lit(several.min(), several.dtype), pl.lit(several.max(), several.dtype)
    return None


def _kind(tree: Any) -> str | None:
    """Tell the instant itself, at most in another precision, and what no row changes."""
    match tree:
        case {"Column": name}:
            return "instant" if name == TIME else None
        # As text, the order of instants is another one.
        case {"Cast": {"expr": inner, "dtype": {"Literal": "Date" | {"Datetime": _}}}}:
            return _kind(inner)
        case {"Function": {"input": [inner], "function": {"TemporalExpr": "Date"}}}:
            return _kind(inner)
    return None if _expression(tree).meta.root_names() else "constant"


def _asked_of(end: str, tree: Any) -> Any:
    """Give the expression that asks of one end of a place what this one asks of a row."""
    if tree == {"Column": TIME}:
        return {"Column": end}
    if isinstance(tree, dict):
        return {key: _asked_of(end, value) for key, value in tree.items()}
    return [_asked_of(end, value) for value in tree] if isinstance(tree, list) else tree


def _expression(tree: Any) -> pl.Expr:
    return pl.Expr.deserialize(io.BytesIO(json.dumps(tree).encode()), format="json")
