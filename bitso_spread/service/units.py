"""The names of systemd's units: light, since the command line shows them in its help."""

from __future__ import annotations

from enum import StrEnum


class Unit(StrEnum):
    """The units that there are."""

    RECORDER = "recorder"
    HEALTH = "health"
    TIMER = "timer"
