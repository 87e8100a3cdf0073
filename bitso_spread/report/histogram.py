"""The distribution of the spread, as bars. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate

from bitso_spread.report.bins import Bins
from bitso_spread.report.words import places, share


@dataclass(frozen=True, slots=True)
class Bar:
    """A bin."""

    label: str
    """The spreads that it counts, in percent."""
    tip: str
    part: float
    """Of the known time, in percent."""
    height: float
    """In percent of the highest bar."""
    is_last: bool
    """Whether it counts all that is wider."""


def histogram(bins: Bins) -> tuple[Bar, ...]:
    """Give the bars of a distribution; none where nothing is known."""
    total, most = sum(bins.counts), max(bins.counts, default=0)
    if not total:
        return ()
    digits = places([bins.width * 100])
    above = [total - so_far for so_far in accumulate(bins.counts)]
    bars = []
    for number, ticks in enumerate(bins.counts):
        low, high = (bins.start + bins.width * each for each in (number, number + 1))
        last = number == bins.count
        label = f"{low:.{digits}f} %" + (" and wider" if last else f" to {high:.{digits}f} %")
        wider = "" if last else f"; wider in {share(above[number], total)} %"
        tip = f"{label}: {share(ticks, total)} % of the known time{wider}"
        bars.append(Bar(label, tip, ticks * 100 / total, ticks * 100 / most, last))
    return tuple(bars)
