"""One is one, and several are several, in all that is said."""

from __future__ import annotations

import pytest

from bitso_spread.counting import many, word


@pytest.mark.parametrize(
    ("count", "said"),
    [(0, "0 rows"), (1, "1 row"), (2, "2 rows"), (1200, "1,200 rows")],
)
def test_how_many_there_are(count: int, said: str) -> None:
    assert many(count, "row") == said


def test_a_verb_goes_with_the_number() -> None:
    verbs = ("waits", "wait")
    assert [many(count, "batch", verbs) for count in (1, 2)] == ["1 batch waits", "2 batches wait"]
    assert [word(count, "file", verbs) for count in (1, 2)] == ["file waits", "files wait"]
