"""Side by side: one thing and its named alternative, by turns, in one run.

What a machine does meanwhile, and how fast it happens to be, bears on both alike, so that the
ratio says more than either time. What is measured, and against which bound, is its test's
business.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

PYTHON = sys.executable
BITSO_SPREAD = str(Path(sys.executable).with_name("bitso-spread"))

Measurement = Callable[[], float]
"""Does what is measured once, and gives the seconds it took."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Medians over all turns."""

    ours_s: float
    alternative_s: float
    ratio: float
    """The alternative's time divided by ours, each turn's two by themselves: how much faster."""


def by_turns(ours: Measurement, alternative: Measurement, *, turns: int) -> Comparison:
    """Measure both by turns; the first turn warms up and does not count."""
    pairs = [(ours(), alternative()) for _ in range(turns + 1)][1:]
    return Comparison(
        median(mine for mine, _ in pairs),
        median(other for _, other in pairs),
        median(other / mine for mine, other in pairs),
    )


def in_rounds(
    measurements: Mapping[str, Measurement], *, turns: int, most_s: float
) -> dict[str, float]:
    """Measure many by turns, and give their medians; the first turn warms up and does not count.

    What has taken `most_s` seconds in all is not measured again, once it has had a turn that
    counts.
    """
    seen: dict[str, list[float]] = {name: [] for name in measurements}
    for _ in range(turns + 1):
        for name, measure in measurements.items():
            if len(seen[name]) < 2 or sum(seen[name]) < most_s:
                seen[name].append(measure())
    return {name: median(seconds[1:]) for name, seconds in seen.items()}


def process(command: Sequence[str]) -> Measurement:
    """Measure a whole process, from its start to its end."""

    def run() -> float:
        start = time.perf_counter()
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        return time.perf_counter() - start

    return run


def say(line: str) -> None:
    """Print a result, to be read with ``pytest -m benchmark -s``."""
    load = os.getloadavg()[0]
    print(f"\n  {line}  [load {load:.1f}]", end="")
