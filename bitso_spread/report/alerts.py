"""The alerts of a report's period: summed up, and those that lasted longest. Pure.

What an alert is, and where they are kept, is the business of `bitso_spread.alerts`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from bitso_spread.report.words import duration, local

MOST_LISTED = 500
"""Some 100 KB. At a low threshold a year has tens of thousands."""

Line = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class AlertList:
    """What a page shows of them."""

    total: int
    sums: Sequence[Line]
    """By ``book`` and ``what``: ``count``, ``lasted`` in all, and ``widest``."""
    listed: Sequence[Line]
    """``fired``, ``book``, ``what``, ``lasted``, ``widest`` and ``state``, by their time; and
    ``earlier``: whether it fired before the period, and was in force when that began."""


def alert_list(alerts: pl.DataFrame, tz: str, begins: int = 0) -> AlertList:
    """Give the alerts of a frame: see `bitso_spread.report.data.Report.alerts`.

    `begins` is the first second of the period.
    """
    keys = ["book", "kind", "threshold"]
    sums = (
        alerts.group_by(keys)
        .agg(pl.len().alias("count"), pl.col("lasted_s").sum(), pl.col("widest").max())
        .sort(keys)
    )
    longest = alerts.sort("lasted_s", descending=True).head(MOST_LISTED).sort("fired", "book")
    fired = local(longest["fired"], tz)
    earlier = longest["fired"].dt.epoch("s") < begins
    return AlertList(
        alerts.height,
        [_line(row) for row in sums.iter_rows(named=True)],
        [
            _line(row) | {"fired": time, "earlier": before}
            for row, time, before in zip(longest.iter_rows(named=True), fired, earlier, strict=True)
        ],
    )


def _line(row: Mapping[str, Any]) -> dict[str, Any]:
    limit = row["threshold"]
    what = "no data" if limit is None else f"spread above {limit:g} %"
    return {**row, "what": what, "lasted": duration(row["lasted_s"])}
