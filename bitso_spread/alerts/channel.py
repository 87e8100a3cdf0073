"""A way to whoever is to be told: what its attempts come to, and what became of a message."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol


class Outcome(StrEnum):
    """What became of an event on one way."""

    PENDING = "pending"
    """It waits, or was waiting when the collector ended."""
    SENT = "sent"
    FAILED = "failed"
    """It was refused, or could not be brought there in several attempts."""
    DROPPED = "dropped"
    """Too many were waiting."""
    LAPSED = "lapsed"
    """Not to be sent any more: the end of what was not sent, or old news after a restart."""


UNDELIVERED = frozenset({Outcome.FAILED, Outcome.DROPPED})


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of one attempt."""

    said: str
    """For a person: what happened, with no secret in it."""
    is_sent: bool = False
    may_pass: bool = False
    """Whether another attempt may do better."""
    after_s: float = 0.0
    """How long the other side wants to be left alone."""


class Channel(Protocol):
    """One way to deliver."""

    name: str
    attempts: int

    def send(self, message: Mapping[str, Any]) -> Attempt:
        """Try once; returns within the channel's time limit, and raises nothing."""

    def close(self) -> None:
        """Give back what is held, and end an attempt that is under way, from another thread."""
