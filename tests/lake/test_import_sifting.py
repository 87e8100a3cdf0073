"""Which of several rows of a second stands: held against a rule of a few lines, on any rows."""

from __future__ import annotations

from pathlib import Path

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from bitso_spread.lake.columns import FULL
from bitso_spread.lake.importing.outcome import Imported
from bitso_spread.lake.importing.parsing import SOURCE, with_all
from bitso_spread.lake.importing.sifting import Rules, Sieve
from bitso_spread.lake.samples import samples_of
from bitso_spread.lake.writer import frame_of
from bitso_spread.model import Sample, State
from tests.lake.import_support import NOW, blank, priced
from tests.lake.support import NOON

ORDER = [State.FRESH, State.QUIET, State.HELD]
FILES = [Path("one.csv"), Path("two.csv")]


def a_sample(tick: int, bid: int, state: State) -> Sample:
    return priced(NOON + tick, 100.0 + bid, state) if state in ORDER else blank(NOON + tick, state)


SAMPLES = st.builds(a_sample, st.integers(0, 4), st.integers(0, 1), st.sampled_from(State))
SOURCES = st.lists(st.tuples(SAMPLES, st.integers(0, 1)), min_size=1, max_size=8)
STORED = st.lists(SAMPLES, max_size=5, unique_by=lambda row: row.tick)


def rank(row: Sample) -> int:
    return ORDER.index(row.state) if row.state in ORDER else len(ORDER)


def prices(row: Sample | None) -> tuple[float | None, float | None] | None:
    return None if row is None else (row.bid, row.ask)


def sifted(
    rows: list[tuple[Sample, int]], stored: list[Sample], *, merge: bool
) -> tuple[dict[int, Sample], dict[int, Sample], Imported]:
    """The rows that are new, and those that are better, by their tick; and the counts."""
    frame = with_all(frame_of([row for row, _ in rows], FULL))
    numbers = pl.Series(SOURCE, [number for _, number in rows], pl.UInt32)
    outcome = Imported("production")
    sieve = Sieve(Rules(1, FULL, NOW, merge), FILES, outcome)
    found = sieve.sift(frame.with_columns(numbers), frame_of(stored, FULL))
    sieve.replaced(found.better, found.better.clear())
    new, better = samples_of(found.new), samples_of(found.better)
    outcome.taken += len(new)
    assert len({row.tick for row in new + better}) == len(new + better)
    assert [row.tick for row in new] == sorted(row.tick for row in new)
    return {row.tick: row for row in new}, {row.tick: row for row in better}, outcome


def accounted(outcome: Imported) -> int:
    return sum(
        (
            outcome.taken,
            outcome.replaced,
            outcome.there,
            outcome.repeated,
            outcome.outranked,
            outcome.refusals,
        )
    )


@settings(max_examples=150, deadline=None)
@given(SOURCES, STORED)
def test_with_merge_the_best_row_of_a_second_stands_and_of_equals_the_first(
    rows: list[tuple[Sample, int]], stored: list[Sample]
) -> None:
    new, better, outcome = sifted(rows, stored, merge=True)
    held = {row.tick: row for row in stored}
    assert accounted(outcome) == len(rows)
    differing = 0
    for tick in {row.tick for row, _ in rows}:
        offered = [row for row, _ in rows if row.tick == tick]
        best = min(offered, key=rank)
        stands = min([held[tick], best], key=rank) if tick in held else best
        assert new.get(tick) == (None if tick in held else best)
        assert better.get(tick) == (best if tick in held and stands is best else None)
        differing += sum(
            row.bid is not None and best.bid is not None and prices(row) != prices(best)
            for row in offered
        )
        if tick in held and held[tick].bid is not None and best.bid is not None:
            differing += prices(held[tick]) != prices(best)
    assert outcome.disagreements == differing == len(outcome.examples)


@settings(max_examples=150, deadline=None)
@given(SOURCES, STORED)
def test_without_merge_only_seconds_of_which_all_rows_agree_are_taken(
    rows: list[tuple[Sample, int]], stored: list[Sample]
) -> None:
    new, better, outcome = sifted(rows, stored, merge=False)
    held = {row.tick: row for row in stored}
    assert better == {}
    assert (accounted(outcome), outcome.disagreements) == (len(rows), 0)
    for tick in {row.tick for row, _ in rows}:
        offered = [row for row, _ in rows if row.tick == tick]
        agree = len({prices(row) for row in offered}) == 1
        best = min(offered, key=rank)
        assert new.get(tick) == (best if agree and tick not in held else None)
