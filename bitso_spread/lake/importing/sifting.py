"""Which rows of a book's day go into the lake: each by itself, against each other, and the lake's.

Pure: frames in, frames out. A row is *known* if it has prices. Of two rows of one second the
better is the one that is known, `fresh` before `quiet` before `held`; a known row that does not
tell its state counts as fresh, since a recorder of five columns has seen what it wrote. Where
neither is better, what was there first stands: the lake's row, then the first source's.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from bitso_spread.lake.checks import KNOWN, judged
from bitso_spread.lake.columns import ALL, COLUMNS, FULL, TIME
from bitso_spread.lake.datafile import DataFile
from bitso_spread.lake.files import FILE
from bitso_spread.lake.findings import Kind
from bitso_spread.lake.importing.outcome import LISTED, Disagreement, Imported, Reason
from bitso_spread.lake.importing.parsing import SOURCE, of_each
from bitso_spread.lake.layout import Partition
from bitso_spread.lake.records import day_of
from bitso_spread.lake.shown import shown
from bitso_spread.model import State

TICK = "tick"
"""Seconds since the epoch."""

_RANK = "rank"
_BLANK = 3
_RANKS = {State.FRESH: 0, State.QUIET: 1, State.HELD: 2}
_SECOND_US = 1_000_000


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds for all rows of an import."""

    interval: int
    """Seconds between ticks."""
    columns: str
    """Of the table: ``five`` or ``full``."""
    now: float
    """Seconds since the epoch: no row may be later."""
    merge: bool
    """Whether the better of two rows of a second is taken, or neither."""


@dataclass(frozen=True, slots=True)
class Sifted:
    """The rows of a book's day that go into the lake; by tick, once each."""

    new: pl.DataFrame
    """Those of seconds that the lake does not have."""
    better: pl.DataFrame
    """Those that are to take the place of the lake's, with what that says in ``bid_held`` and
    ``ask_held``; whether they could, `Sieve.replaced` is told."""


class Sieve:
    """Sifts one day of a book after another, and counts in `outcome` what is left out."""

    def __init__(self, rules: Rules, files: list[Path], outcome: Imported) -> None:
        self._rules = rules
        self._files = files
        self._outcome = outcome

    def sift(self, rows: pl.DataFrame, stored: pl.DataFrame) -> Sifted:
        """Choose among the rows of a book's day, given those of the lake.

        Args:
            rows: all columns there can be, and their `PLACE`.
            stored: the lake's, with the columns of the table.
        """
        sound = self._sound(_ranked(rows))
        once = self._once(sound)
        return self._against(once, stored)

    def replaced(self, better: pl.DataFrame, left: pl.DataFrame) -> None:
        """Count the better rows of a day, of which those that are `left` found no place."""
        refused = better.join(left, on=TIME, how="semi")
        placed = better.join(left, on=TIME, how="anti")
        self._outcome.replaced += placed.height
        self._refuse(Reason.FIXED, refused)
        for rows, kept, other in ((refused, "_held", ""), (placed, "", "_held")):
            self._disagree(rows.filter(~_agrees("_held")), kept=kept, other=other)

    def _sound(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Leave out rows that cannot be true."""
        first = rows.row(0, named=True)
        place = Partition(day_of(first[TICK]), 0, first["book"])
        whole = rows.with_columns(pl.lit(0, pl.UInt32).alias(FILE))
        # What is found replaces the column of spreads.
        found = judged(whole, [DataFile(place, Path(), 0)], self._rules.interval)
        state = pl.col("state")
        known = [str(name) for name in _RANKS]
        there_is = state.is_in([str(name) for name in State])
        told = there_is & (state.is_in(known) == pl.col(KNOWN))
        checks = {
            Reason.OFF_GRID: pl.col(Kind.OFF_GRID),
            Reason.FUTURE: pl.col(TICK) > self._rules.now,
            Reason.IMPOSSIBLE: pl.col(Kind.IMPOSSIBLE),
            Reason.CROSSED: pl.col(Kind.CROSSED),
            Reason.SPREAD: pl.col(Kind.SPREAD),
            Reason.STATE: ~told.fill_null(value=self._rules.columns != FULL),
        }
        for reason, check in checks.items():
            failed = found.select(check.fill_null(value=False)).to_series()
            if failed.any():
                self._refuse(reason, rows.filter(failed))
                rows, found = rows.filter(~failed), found.filter(~failed)
        return rows

    def _once(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Leave one row of each second, by tick."""
        rows = rows.sort(TICK, _RANK, maintain_order=True)
        if rows[TICK].n_unique() == rows.height:
            return rows
        rows = rows.with_columns(
            *(pl.col(name).first().over(TICK).alias(f"{name}_kept") for name in ("bid", "ask")),
            (pl.int_range(pl.len()).over(TICK) > 0).alias("later"),
        ).with_columns(_agrees("_kept").alias("agrees"))
        later = rows.filter("later")
        differing = later.filter(~pl.col("agrees"))
        if not self._rules.merge:
            unclear = pl.col(TICK).is_in(differing[TICK].implode())
            self._refuse(Reason.DIFFER, rows.filter(unclear))
            self._outcome.repeated += later.filter(~unclear).height
            return rows.filter(~pl.col("later"), ~unclear)
        self._outcome.repeated += later.height - differing.height
        self._outcome.outranked += differing.height
        self._disagree(differing, kept="_kept", other="")
        return rows.filter(~pl.col("later"))

    def _against(self, rows: pl.DataFrame, stored: pl.DataFrame) -> Sifted:
        """Compare with what the lake has of the same seconds."""
        held = (
            _ranked(stored)
            .sort(TICK, _RANK)
            .unique(TICK, keep="first")
            .select(TICK, *(pl.col(name).alias(f"{name}_held") for name in ("bid", "ask", _RANK)))
        )
        rows = rows.join(held, on=TICK, how="left", maintain_order="left")
        is_new = pl.col(f"{_RANK}_held").is_null()
        new, both = rows.filter(is_new), rows.filter(~is_new)
        agreeing = both.filter(_agrees("_held"))
        differing = both.filter(~_agrees("_held"))
        is_better = pl.col(_RANK) < pl.col(f"{_RANK}_held")
        if not self._rules.merge:
            self._outcome.there += agreeing.height
            self._refuse(Reason.OVERLAP, differing)
            return Sifted(_rows(new), both.clear())
        self._outcome.there += agreeing.filter(~is_better).height
        self._outcome.outranked += differing.filter(~is_better).height
        self._disagree(differing.filter(~is_better), kept="_held", other="")
        return Sifted(_rows(new), both.filter(is_better))

    def _refuse(self, reason: Reason, rows: pl.DataFrame) -> None:
        if rows.height:
            for source, count, examples in of_each(rows, [*COLUMNS]):
                self._outcome.refuse(reason, shown(self._files[source]), count, examples)

    def _disagree(self, rows: pl.DataFrame, *, kept: str, other: str) -> None:
        both = rows.filter(pl.col(f"bid{kept}").is_not_null(), pl.col(f"bid{other}").is_not_null())
        examples = [
            Disagreement(
                row["book"],
                row[TICK],
                (row[f"bid{kept}"], row[f"ask{kept}"]),
                (row[f"bid{other}"], row[f"ask{other}"]),
                shown(self._files[row[SOURCE]]),
            )
            for row in both.head(LISTED).iter_rows(named=True)
        ]
        self._outcome.differ(both.height, examples)


def _ranked(rows: pl.DataFrame) -> pl.DataFrame:
    """Add the tick, and how good a row is: the lower, the better."""
    rank = pl.lit(0)
    if "state" in rows.columns:
        ranks = {str(state): rank for state, rank in _RANKS.items()}
        rank = pl.col("state").replace_strict(ranks, default=0, return_dtype=pl.Int64)
    return rows.with_columns(
        (pl.col(TIME).dt.epoch("us") // _SECOND_US).alias(TICK),
        pl.when(pl.col("bid").is_null()).then(_BLANK).otherwise(rank).alias(_RANK),
    )


def _agrees(suffix: str) -> pl.Expr:
    return pl.all_horizontal(
        pl.col(name).eq_missing(pl.col(f"{name}{suffix}")) for name in ("bid", "ask")
    )


def _rows(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.select(*ALL, TICK)
