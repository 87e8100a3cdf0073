"""Exact quantiles of spreads that are too many to be kept: what matters of them is read again.

They come in portions, and are counted in bins that rise with the spread. The few bins in which the
quantiles lie are then looked at whole.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping

import polars as pl

QUANTILES = {"median": 0.5, "p95": 0.95, "p99": 0.99}
"""By their names, which of the spreads in order."""

_SPREAD = pl.col("spread")
_KNOWN = _SPREAD.is_not_null()
# Counts of portions are summed up when there are so many.
_MOST_PARTS = 64
# So many spreads are kept: a few days of a book, which take 80 MB to sort.
_MOST_KEPT = 500_000
# A float's sign, exponent and upper 12 bits of fraction: values within 1/4096 of each other.
_BIN_BITS = 40
_BIN = "bin"
_SIGN = 1 << 63
_NO_SPREADS = pl.DataFrame(schema={"book": pl.String, "spread": pl.Float64})


class Spreads:
    """The known spreads of each book: all of them, or, of too many, how many are in each bin."""

    def __init__(self) -> None:
        self._spreads: list[pl.DataFrame] | None = []
        self._count = 0
        self._bins: list[pl.DataFrame] = []

    def add(self, part: pl.DataFrame) -> None:
        """Take in the rows of a portion, with ``book`` and ``spread``."""
        known = part.filter(_KNOWN).select("book", "spread")
        self._count += known.height
        if self._spreads is not None:
            self._spreads.append(known)
            if self._count <= _MOST_KEPT:
                return
            known, self._spreads = pl.concat(self._spreads), None
        self._bins.append(known.group_by("book", _bin()).len())
        if len(self._bins) == _MOST_PARTS:
            self._bins = [self._binned()]

    def quantiles(
        self, again: Callable[[], Iterator[pl.DataFrame]], known: Mapping[str, int]
    ) -> pl.DataFrame:
        """Give the quantiles of each book, a column for each of `QUANTILES`.

        Args:
            again: gives book and spread of the same rows once more, where there are too many.
            known: of which books how many spreads are known.
        """
        if self._spreads is None:
            spreads = self._of_ranks(again, known)
        else:
            kept = pl.concat([*self._spreads, _NO_SPREADS]).sort("book", "spread")
            spreads = kept.with_columns(pl.int_range(pl.len()).over("book").alias("rank"))
        wanted = pl.DataFrame(
            [
                (book, name, rank, (count - 1) * share % 1)
                for book, count in known.items()
                for name, share in QUANTILES.items()
                for rank in _ranks(count, share)[:1]
            ],
            schema={"book": pl.String, "name": pl.String, "rank": pl.Int64, "on": pl.Float64},
            orient="row",
        )
        low = wanted.join(spreads, on=["book", "rank"], how="left")
        both = low.with_columns(pl.col("rank") + 1).join(
            spreads, on=["book", "rank"], how="left", suffix="_above"
        )
        value = pl.col("spread") + (
            (pl.col("spread_above") - pl.col("spread")) * pl.col("on")
        ).fill_null(0)
        empty = pl.DataFrame(schema={"book": pl.String, **dict.fromkeys(QUANTILES, pl.Float64)})
        found = both.select("book", "name", value.alias("value")).pivot(
            "name", index="book", values="value"
        )
        return pl.concat([empty, found], how="diagonal")

    def _of_ranks(
        self, again: Callable[[], Iterator[pl.DataFrame]], known: Mapping[str, int]
    ) -> pl.DataFrame:
        """Read again, and give the spreads of the bins that the quantiles lie in, ranked."""
        ranks = pl.DataFrame(
            sorted(
                {
                    (book, rank)
                    for book, count in known.items()
                    for share in QUANTILES.values()
                    for rank in _ranks(count, share)
                }
            ),
            schema={"book": pl.String, "rank": pl.Int64},
            orient="row",
        )
        bins = self._binned().sort("book", _BIN)
        bins = bins.with_columns(
            (pl.col("len").cum_sum().over("book") - pl.col("len")).alias("rank")
        )
        # The bin of a rank is the last that begins at or below it.
        needed = ranks.sort("rank").join_asof(
            bins.sort("rank").rename({"rank": "from"}),
            left_on="rank",
            right_on="from",
            by="book",
            check_sortedness=False,
        )
        needed = needed.select("book", _BIN, "from").unique()
        parts = [
            part.filter(_KNOWN).with_columns(_bin()).join(needed, on=["book", _BIN])
            for part in again()
        ]
        within = pl.int_range(pl.len()).over("book", _BIN)
        return (
            pl.concat(parts)
            .sort("book", "spread")
            .select("book", "spread", (pl.col("from") + within).alias("rank"))
        )

    def _binned(self) -> pl.DataFrame:
        return pl.concat(self._bins).group_by("book", _BIN).agg(pl.col("len").sum())


def _ranks(count: int, share: float) -> list[int]:
    """Give the places, from 0, of the two spreads between which a quantile lies."""
    place = (count - 1) * share
    return sorted({math.floor(place), math.ceil(place)}) if count else []


def _bin() -> pl.Expr:
    """Give a number that rises with the spread, the same for spreads that are close."""
    bits = _SPREAD.reinterpret(dtype=pl.UInt64)
    ordered = pl.when(bits >= _SIGN).then(~bits).otherwise(bits | _SIGN)
    return (ordered // (1 << _BIN_BITS)).alias(_BIN)
