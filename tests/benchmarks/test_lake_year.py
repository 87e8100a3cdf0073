"""A year of two books, 105,120 files and 63 million rows: its readers side by side.

Each is given the schema, and is warm: what it has read before may be in the memory of the system.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.benchmarks.conftest import DAYS, WEEK, Lakes
from tests.benchmarks.measure import by_turns, in_rounds, say
from tests.benchmarks.readers import Question, Reader, reading

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(3600)]

DAY = Question(WEEK[3], WEEK[3])
A_WEEK = Question(WEEK[0], WEEK[-1])
YEAR = Question(0, DAYS - 1, means=True)

OURS = ["Lake.read", "Lake.scan"]
OTHERS = ["polars from the root", "DuckDB glob", "pyarrow dataset"]
EXACT = "polars, exact files"
DAILY = ["a file a day, polars", "a file a day, DuckDB"]

only_parquet = pytest.mark.parametrize("lakes", ["parquet"], indirect=True)


@only_parquet
def test_a_year_takes_no_longer_than_from_the_root(lakes: Lakes) -> None:
    with (
        reading("Lake.scan", lakes.year, lakes.form) as ours,
        reading("polars from the root", lakes.year, lakes.form) as root,
    ):
        seen = by_turns(lambda: ours.ask(YEAR).seconds, lambda: root.ask(YEAR).seconds, turns=3)
        peak_mb = ours.ask(YEAR).peak_mb
    times = 1 / seen.ratio
    say(
        f"mean by book and day of a year: {seen.ours_s:.1f} s, in {peak_mb:.0f} MB (under 300); "
        f"polars from the root: {seen.alternative_s:.1f} s; {times:.2f} times (at most 1)"
    )
    assert times <= 1
    assert peak_mb < 300


@only_parquet
def test_a_compacted_year_takes_no_longer_than_its_files(lakes: Lakes, compacted: Path) -> None:
    polars, duckdb = DAILY
    with (
        reading("Lake.scan", compacted, lakes.form) as ours,
        reading(polars, compacted, lakes.form) as files,
        reading(duckdb, compacted, lakes.form) as other,
    ):
        seen = by_turns(lambda: ours.ask(YEAR).seconds, lambda: files.ask(YEAR).seconds, turns=9)
        beside = by_turns(lambda: ours.ask(YEAR).seconds, lambda: other.ask(YEAR).seconds, turns=9)
        peak_mb = ours.ask(YEAR).peak_mb
    times = 1 / seen.ratio
    say(
        f"the same, compacted: {seen.ours_s:.2f} s, in {peak_mb:.0f} MB (under 300); {polars}: "
        f"{seen.alternative_s:.2f} s; {times:.2f} times (at most 1.3); {duckdb}: "
        f"{beside.alternative_s:.2f} s; {1 / beside.ratio:.2f} times"
    )
    # The alternative is told the 730 files of the days, and reads what they were when it was told.
    # Ours looks into the 730 folders for what has come since, while it reads; and each row goes
    # from one plan of polars to another, which takes a fifth more of a processor.
    assert times <= 1.3
    assert peak_mb < 300


def test_all_readers_agree_and_ours_finds_a_day_first(
    lakes: Lakes, request: pytest.FixtureRequest
) -> None:
    places = {name: (name, lakes.year) for name in [*OURS, EXACT, *OTHERS]}
    if lakes.form == "parquet":
        compacted = request.getfixturevalue("compacted")
        places |= {f"{name}, compacted": (name, compacted) for name in OURS}
        places |= {name: (name, compacted) for name in DAILY}
    with ExitStack() as stack:
        running = {
            label: stack.enter_context(reading(name, lake, lakes.form))
            for label, (name, lake) in places.items()
        }
        day, week = (_seen(running, question) for question in (DAY, A_WEEK))
        of_means = {label: each for label, each in running.items() if "read" not in label}
        year = _seen(of_means, YEAR)
    for label in places:
        texts = [_text(seen.get(label)) for seen in (day, week, year)]
        say(f"| {lakes.form}: {label} | {' | '.join(texts)} |")
    for other in OTHERS:
        assert day["Lake.read"] < day[other]


def _seen(running: Mapping[str, Reader], question: Question) -> dict[str, float]:
    """Give the seconds that each took for a question, which all answer alike."""
    answers = [reader.ask(question) for reader in running.values()]
    assert len({answer.rows for answer in answers}) == 1
    spreads = [answer.spread for answer in answers]
    assert spreads == pytest.approx(spreads[:1] * len(spreads))
    return in_rounds(
        {label: lambda each=each: each.ask(question).seconds for label, each in running.items()},  # type: ignore[misc]
        turns=11,
        most_s=15,
    )


def _text(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"
