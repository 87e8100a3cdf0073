"""Days become one file each, and no answer of the lake changes by it."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.lake.compact_support import (
    QUESTIONS,
    SELECTS,
    answers,
    batch,
    compacted,
    daily_files,
    sources,
)

PHASES = 3
NAMES = {"csv": [None, "part-0.csv", "part-1.csv"], "parquet": [None, "part-0.parquet"]}
BATCHES = st.sampled_from([*NAMES]).flatmap(
    lambda form: st.fixed_dictionaries(
        {
            "minutes": st.sampled_from([0, 1, 700, 1439]),
            "day": st.integers(0, 2),
            "book": st.sampled_from(["btc_mxn", "usd_mxn"]),
            "form": st.just(form),
            "columns": st.sampled_from(["five", "full"]),
            "environment": st.sampled_from(["production", "production", "sim"]),
            "rows": st.integers(1, 4),
            # A file of another writer may go on after midnight.
            "start": st.sampled_from([0, 0, 10, 40]),
            "name": st.sampled_from(NAMES[form]),
            "bid": st.sampled_from([100.0, 120.0]),
        }
    )
)


def place_of(options: dict[str, Any]) -> tuple[Any, ...]:
    mark = None if options["name"] else (options["environment"], options["form"])
    return (options["day"], options["book"], options["minutes"], options["name"], mark)


@settings(max_examples=6, deadline=None)
@given(
    phases=st.lists(
        st.tuples(st.integers(0, PHASES - 1), BATCHES),
        min_size=1,
        max_size=10,
        unique_by=lambda entry: place_of(entry[1]),
    ),
    options=st.lists(
        st.sampled_from([{}, {"prune": True}, {"date": "20260921"}, {"book": "btc_mxn"}]),
        min_size=PHASES,
        max_size=PHASES,
    ),
    questions=st.lists(st.sampled_from(QUESTIONS), min_size=2, max_size=2),
    select=st.sampled_from(SELECTS),
)
def test_the_answers_are_those_of_a_lake_that_was_never_compacted(
    phases: list[tuple[int, dict[str, Any]]],
    options: list[dict[str, Any]],
    questions: list[dict[str, Any]],
    select: str,
) -> None:
    with TemporaryDirectory() as folder:
        plain, lake = Path(folder, "plain"), Path(folder, "lake")
        for phase in range(PHASES):
            for number, each in phases:
                if number == phase:
                    batch(plain, **each)
                    batch(lake, **each)
            if not plain.exists():
                continue
            expected = answers(plain, questions, [select])
            assert answers(lake, questions, [select]) == expected
            compacted(lake, **options[phase])
            assert answers(lake, questions, [select]) == expected
        compacted(lake, prune=True)
        assert answers(lake, questions, [select]) == expected
        assert sources(lake) == []
        assert daily_files(lake)
