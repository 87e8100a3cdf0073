"""Rows summed up: by spans of time, and over all. They stream: a year takes no year's memory.

Portions of the rows are summed up one by one, and the sums together. Where the rows come from is
the business of `reader` and `scan`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

import polars as pl

from bitso_spread.errors import UsageError
from bitso_spread.lake.columns import INSTANT, TIME
from bitso_spread.lake.filters import check_zone
from bitso_spread.lake.quantiles import QUANTILES, Spreads
from bitso_spread.model import State
from bitso_spread.waiting import hearing

THRESHOLDS = (0.1, 0.5, 1.0)
"""Spreads, in percent, above which the share of time is told."""

_SPREAD = pl.col("spread")
_KNOWN = _SPREAD.is_not_null()
_EVERY = re.compile(r"[1-9]\d{0,5}[smhd]", re.ASCII)
# Sums of portions are summed up when there are so many.
_MOST_PARTS = 64


def check_every(length: str) -> None:
    """Check the length of a span of time.

    Raises:
        UsageError: it is not like ``1m``, ``10m``, ``1h`` or ``1d``.
    """
    if not _EVERY.fullmatch(length):
        raise UsageError(f"--every {length!r}: write it as 30s, 1m, 10m, 1h or 1d")


def check_thresholds(thresholds: Sequence[float]) -> None:
    """Check spreads above which the share of time is to be told.

    Raises:
        UsageError: one of them is no spread in percent.
    """
    for limit in thresholds:
        if not 0 <= limit < 100:
            raise UsageError(f"--threshold {limit:g}: give a spread in percent, such as 0.5")


def every(
    rows: pl.LazyFrame,
    length: str,
    tz: str = "UTC",
    *,
    give_up: Callable[[], None] = lambda: None,
) -> pl.DataFrame:
    """Sum up each book by spans of time; a row for each in which there are rows.

    The columns: ``orderbook_timestamp`` (the start of the span, UTC), ``book``, ``count`` (rows),
    ``known`` (of these), ``mean``, ``min``, ``max``, ``first`` and ``last`` of the known spreads,
    in percent, and ``mid``, halfway between the last known bid and ask. Ordered by time and book.

    Args:
        rows: with the five columns, in any order.
        length: ``1m``, ``10m``, ``1h``, ``1d`` and the like.
        tz: the zone whose clocks cut the spans: ``1d`` runs from midnight to midnight there.
        give_up: called on Ctrl-C: whoever reads the rows waits for nothing any more.

    Raises:
        UsageError: the length or the zone is none.
    """
    check_every(length)
    check_zone(tz)
    start = pl.col(TIME).dt.convert_time_zone(tz).dt.truncate(length)
    # Halfway between two decimals of Bitso's: what binary arithmetic adds behind them is no price.
    mid = ((pl.col("bid") + pl.col("ask")) / 2).round_sig_figs(15)
    known_at = pl.col(TIME).filter(_KNOWN)
    at_first, at_last = (_KNOWN & (pl.col(TIME) == at) for at in (known_at.min(), known_at.max()))
    mids = mid.filter(at_last)
    # Of a second that is there twice, the narrower row: whatever order the rows come in.
    sums = [
        pl.len().cast(pl.Int64).alias("count"),
        *_sums(),
        _SPREAD.filter(at_first).min().alias("first"),
        known_at.min().alias("first_at"),
        _SPREAD.filter(at_last).min().alias("last"),
        mids.sort_by(_SPREAD.filter(at_last), mids).first().alias("mid"),
        known_at.max().alias("last_at"),
    ]
    latest = pl.col("last", "mid").sort_by(
        "last_at", "last", "mid", descending=[True, False, False], nulls_last=True
    )
    again = [
        pl.col("count").sum(),
        *_sums_again(),
        pl.col("first").sort_by("first_at", "first", nulls_last=True).first(),
        pl.col("first_at").min(),
        latest.first(),
        pl.col("last_at").max(),
    ]
    parts = (
        part.with_columns(start.dt.convert_time_zone("UTC").alias("start"))
        .group_by("start", "book")
        .agg(sums)
        for part in _parts(rows, [TIME, "book", "bid", "ask", "spread"], give_up)
    )
    summed = _summed(parts, ["start", "book"], again)
    return summed.sort("start", "book").select(
        pl.col("start").cast(INSTANT).alias(TIME),
        "book",
        "count",
        "known",
        _mean(),
        *("min", "max", "first", "last", "mid"),
    )


def stats(
    rows: pl.LazyFrame,
    thresholds: Sequence[float] = THRESHOLDS,
    *,
    missed: Callable[[], pl.DataFrame] | None = None,
    give_up: Callable[[], None] = lambda: None,
) -> pl.DataFrame:
    """Sum up each book over all rows; a row for each book, in order.

    The columns: ``book``, ``rows``, ``known``, ``unknown`` and ``missed`` (of the rows without
    prices; missed are those that the recorder was stopped for), ``mean``, ``median``, ``p95``,
    ``p99``, ``min`` and ``max`` of the known spreads, in percent, and for each threshold
    ``above_0.5`` and the like: in what share of the known seconds, in percent, the spread was
    above it. Quantiles are exact, and interpolated between two spreads.

    Args:
        rows: with the five columns, in any order, and perhaps ``state``. They may be read twice.
        thresholds: in percent.
        missed: gives the spans that were missed, ``book``, ``first`` and ``last``, where there are
            rows without prices and without a ``state``.
        give_up: called on Ctrl-C: whoever reads the rows waits for nothing any more.

    Raises:
        UsageError: a threshold is no spread in percent.
    """
    check_thresholds(thresholds)
    names = ["book", TIME, "spread"]
    if "state" in rows.collect_schema().names():
        names.append("state")
        missed = None
    spans = _Once(missed)
    above = [_SPREAD.gt(limit).sum().cast(pl.Int64).alias(_above(limit)) for limit in thresholds]
    sums = [
        pl.len().cast(pl.Int64).alias("rows"),
        pl.col("missed").sum().cast(pl.Int64),
        *above,
        *_sums(),
    ]
    again = [pl.col("rows", "missed", *map(_above, thresholds)).sum(), *_sums_again()]
    kept = Spreads()

    def parts() -> Iterator[pl.DataFrame]:
        for part in _parts(rows, names, give_up):
            kept.add(part)
            yield _with_missed(part, spans).group_by("book").agg(sums)

    summed = _summed(parts(), ["book"], again).sort("book")
    quantiles = kept.quantiles(
        lambda: _parts(rows, ["book", "spread"], give_up),
        dict(summed.select("book", "known").iter_rows()),
    )
    share = [_per_known(pl.col(_above(limit)) * 100) for limit in thresholds]
    return summed.join(quantiles, on="book", how="left").select(
        "book",
        "rows",
        "known",
        (pl.col("rows") - pl.col("known") - pl.col("missed")).alias("unknown"),
        "missed",
        _mean(),
        *QUANTILES,
        *("min", "max"),
        *share,
    )


def _above(limit: float) -> str:
    return f"above_{limit:g}"


def _sums() -> list[pl.Expr]:
    return [
        _SPREAD.count().cast(pl.Int64).alias("known"),
        _SPREAD.sum().alias("sum"),
        _SPREAD.min().alias("min"),
        _SPREAD.max().alias("max"),
    ]


def _sums_again() -> list[pl.Expr]:
    return [pl.col("known", "sum").sum(), pl.col("min").min(), pl.col("max").max()]


def _mean() -> pl.Expr:
    return _per_known(pl.col("sum")).alias("mean")


def _per_known(total: pl.Expr) -> pl.Expr:
    return pl.when(pl.col("known") > 0).then(total / pl.col("known"))


def _parts(
    rows: pl.LazyFrame, names: Sequence[str], give_up: Callable[[], None]
) -> Iterator[pl.DataFrame]:
    wanted = rows.select(names)
    # Where there are no rows, there are still columns.
    yield pl.DataFrame(schema=wanted.collect_schema())
    # Another writer's spread may be no number: it is above each threshold, and has no mean.
    spread = pl.when(_SPREAD.is_finite()).then(_SPREAD)
    # Whole portions of the scan: their order does not matter here.
    parts = wanted.collect_batches(maintain_order=False, lazy=True)
    for part in hearing(parts, give_up):
        yield part.with_columns(spread.alias("spread"))


def _summed(
    parts: Iterator[pl.DataFrame], keys: Sequence[str], again: Sequence[pl.Expr]
) -> pl.DataFrame:
    held: list[pl.DataFrame] = []
    for part in parts:
        held.append(part)
        if len(held) == _MOST_PARTS:
            held = [pl.concat(held).group_by(keys).agg(again)]
    return pl.concat(held).group_by(keys).agg(again)


class _Once:
    """Spans that are only looked up if a row asks for them, and then once."""

    def __init__(self, look_up: Callable[[], pl.DataFrame] | None) -> None:
        self._look_up = look_up
        self._spans: pl.DataFrame | None = None

    @property
    def spans(self) -> pl.DataFrame | None:
        if self._spans is None and self._look_up is not None:
            self._spans = self._look_up().sort("first")
        return self._spans


def _with_missed(part: pl.DataFrame, spans: _Once) -> pl.DataFrame:
    blank = _SPREAD.is_null()
    if "state" in part.columns:
        missed = blank & (pl.col("state") == State.MISSED).fill_null(value=False)
        return part.with_columns(missed.alias("missed"))
    if part["spread"].null_count() == 0 or spans.spans is None:
        return part.with_columns(pl.lit(value=False).alias("missed"))
    tick = pl.col(TIME).dt.epoch("s")
    rows = part.with_columns(tick.alias("tick")).sort("tick")
    found = rows.join_asof(
        spans.spans, left_on="tick", right_on="first", by="book", check_sortedness=False
    )
    inside = (pl.col("tick") <= pl.col("last")).fill_null(value=False)
    return found.with_columns((blank & inside).alias("missed"))
