"""Durations as people type them: ``90s``, ``10m``, ``1h``."""

from __future__ import annotations

import re

from bitso_spread.errors import UsageError

_UNITS_S = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)([smhd])")


def parse_duration(text: str) -> float:
    """Give the seconds of a duration.

    Raises:
        UsageError: it is not one, or lasts no time.
    """
    match = _DURATION.fullmatch(text.strip().lower())
    seconds = float(match[1]) * _UNITS_S[match[2]] if match else 0.0
    if seconds <= 0:
        raise UsageError(f"{text!r} is not a duration: write it as 90s, 10m or 1h")
    return seconds
