"""``bitso-spread --help`` does not keep a person waiting.

Typer imports rich to show a help text, so no command line made with it is faster than that: the
alternative is a process that does nothing but import the two.
"""

from __future__ import annotations

import pytest

from tests.benchmarks.measure import BITSO_SPREAD, PYTHON, by_turns, process, say

pytestmark = pytest.mark.benchmark


def test_help_takes_little_more_than_importing_typer_and_rich() -> None:
    seen = by_turns(
        process([BITSO_SPREAD, "--help"]),
        process([PYTHON, "-c", "import typer, typer.rich_utils"]),
        turns=15,
    )
    times = 1 / seen.ratio
    say(
        f"--help: {seen.ours_s * 1000:.0f} ms; import of typer and its rich parts: "
        f"{seen.alternative_s * 1000:.0f} ms; {times:.2f} times (at most 1.25)"
    )
    assert times <= 1.25
