"""A day of one book, out of a year: how much more it takes than what cannot be spared.

The alternative is polars that is told which files to read, 144 of them, and makes of them what a
lake does: instants in UTC, prices as numbers and, for `Lake.scan`, the keys of the partition.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from bitso_spread.lake.layout import TABLE
from tests.benchmarks.conftest import WEEK, Lakes
from tests.benchmarks.lakes import BATCHES, date_of, files_of
from tests.benchmarks.measure import BITSO_SPREAD, PYTHON, by_turns, process, say
from tests.benchmarks.readers import BOOK, Question, reading

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(1200)]

DAY = WEEK[3]
QUESTION = Question(DAY, DAY)


@pytest.mark.parametrize(
    ("ours", "alternative", "most"),
    [
        ("Lake.read", "polars, exact files", 1.3),
        # Its first files come one by one, for who wants a few rows, and its conditions are asked of
        # folders by polars: that costs 4 ms of any scan.
        ("Lake.scan", "polars, exact files and keys", 1.9),
    ],
)
def test_a_day_takes_little_more_than_its_files(
    lakes: Lakes, ours: str, alternative: str, most: float
) -> None:
    with (
        reading(ours, lakes.year, lakes.form) as mine,
        reading(alternative, lakes.year, lakes.form) as other,
    ):
        found, expected = mine.ask(QUESTION), other.ask(QUESTION)
        assert found.rows == expected.rows
        assert found.spread == pytest.approx(expected.spread)
        seen = by_turns(
            lambda: mine.ask(QUESTION).seconds, lambda: other.ask(QUESTION).seconds, turns=41
        )
    times = 1 / seen.ratio
    say(
        f"{ours} of a day, {lakes.form}: {seen.ours_s * 1000:.1f} ms; {alternative}: "
        f"{seen.alternative_s * 1000:.1f} ms; {times:.2f} times (at most {most})"
    )
    assert times <= most


@pytest.mark.parametrize("ours", ["Lake.read", "Lake.scan"])
def test_a_day_takes_as_long_in_a_year_as_in_three_days(lakes: Lakes, ours: str) -> None:
    with (
        reading(ours, lakes.year, lakes.form) as year,
        reading(ours, lakes.three_days, lakes.form) as few,
    ):
        assert year.ask(QUESTION).rows == few.ask(QUESTION).rows
        seen = by_turns(
            lambda: year.ask(QUESTION).seconds, lambda: few.ask(QUESTION).seconds, turns=41
        )
    times = 1 / seen.ratio
    say(
        f"{ours} of a day, {lakes.form}: {seen.ours_s * 1000:.1f} ms out of a year; "
        f"{seen.alternative_s * 1000:.1f} ms out of three days; {times:.2f} times (at most 1.2)"
    )
    assert times <= 1.2


def test_a_query_takes_little_more_than_a_command_of_one_line(lakes: Lakes) -> None:
    query = _query(lakes)
    files = [str(path) for path in files_of(lakes.year, lakes.form, [BOOK], [DAY])]
    one_line = [PYTHON, "-m", "tests.benchmarks.one_line", *files]
    texts = [subprocess.run(each, capture_output=True, check=True) for each in (query, one_line)]
    assert texts[0].stdout == texts[1].stdout

    seen = by_turns(process(query), process(one_line), turns=31)
    times = 1 / seen.ratio
    say(
        f"query of a day, {lakes.form}, as a process: {seen.ours_s * 1000:.0f} ms; a Typer command "
        f"of one line, told the files: {seen.alternative_s * 1000:.0f} ms; "
        f"{times:.2f} times (at most 1.25)"
    )
    assert times <= 1.25


@pytest.mark.skipif(shutil.which("strace") is None, reason="counts opened files with strace")
def test_a_query_opens_the_files_of_its_day_alone(lakes: Lakes, tmp_path: Path) -> None:
    calls = tmp_path / "calls"
    trace = ["strace", "-f", "-qq", "-y", "-s", "4096", "-e", "trace=openat", "-o", str(calls)]
    subprocess.run([*trace, *_query(lakes)], stdout=subprocess.DEVNULL, check=True)
    table = re.escape(f"{lakes.year}/{TABLE}")
    opened = Counter(re.findall(rf'"({table}[^"]*)", .*\) = \d', calls.read_text()))
    folders = [path for path in opened if Path(path).is_dir()]
    files = sorted(Path(path) for path in opened if Path(path).is_file())
    say(
        f"query of a day, {lakes.form}, out of 105,120 files: {len(files)} files and "
        f"{len(folders)} folders opened"
    )
    assert files == sorted(files_of(lakes.year, lakes.form, [BOOK], [DAY]))
    # The table, the day, the book and its batches.
    assert len(folders) == 3 + BATCHES
    assert max(opened[str(path)] for path in files) == 1


def _query(lakes: Lakes) -> list[str]:
    asked = ["--lake", str(lakes.year), "--date", str(date_of(DAY)), "--book", BOOK]
    return [BITSO_SPREAD, "query", *asked]
