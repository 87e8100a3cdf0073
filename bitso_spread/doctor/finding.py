"""What a check gives, and how long checks may take. Pure values."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum

# Names that one line can hold.
_LISTED = 5


class Outcome(StrEnum):
    """How a check went."""

    OK = "ok"
    WARNING = "warning"
    """The recorder copes, and knows or does less than it could."""
    FAILED = "failed"
    """The recorder would not work, or would record less than the truth."""
    SKIPPED = "skipped"
    """It could not be checked, most often because an earlier check failed; the detail says why."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found."""

    check: str
    """What was checked; the same words in each run."""
    outcome: Outcome
    detail: str
    """What was measured, or why it was not: one line for a person."""
    advice: str | None = None
    """What to do; None where there is nothing to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """How long to wait for what, in seconds."""

    timeout_s: float = 5.0
    """For a name, a connection, each REST reply, and the answer to a subscription."""
    listen_s: float = 8.0
    """How long the feed is listened to at least; with what goes before, ten seconds."""
    keepalive_s: float = 20.0
    """Within so long of its opening a connection hears a keep-alive: one comes every 20 s."""
    margin_s: float = 2.0
    """How much later than it should anything of the feed may come."""
    settle_s: float = 1.0
    """How far apart in time a frame and a REST reply of the same instant may come."""
    max_stale_s: float = 3.0
    """How long the recorder lets a word stand that nothing vouches for (`--max-stale`)."""


def ok(check: str, detail: str) -> Finding:
    """Say that it is as it should be."""
    return Finding(check, Outcome.OK, detail)


def warning(check: str, detail: str, advice: str) -> Finding:
    """Say that it is not as it should be, and that the recorder copes."""
    return Finding(check, Outcome.WARNING, detail, advice)


def failed(check: str, detail: str, advice: str) -> Finding:
    """Say that it is not as it must be."""
    return Finding(check, Outcome.FAILED, detail, advice)


def skipped(check: str, why: str) -> Finding:
    """Say that it was not checked."""
    return Finding(check, Outcome.SKIPPED, why)


def skip_all(checks: Iterable[str], why: str) -> list[Finding]:
    """Say that none of these was checked."""
    return [skipped(check, why) for check in checks]


def listed(names: Collection[str]) -> str:
    """Name a few things, and say how many more there are."""
    few: Iterable[str] = sorted(names)[:_LISTED]
    more = len(names) - _LISTED
    return ", ".join(few) + (f" and {more} more" if more > 0 else "")


def ms(seconds: float) -> str:
    """Write a duration as people read it."""
    if seconds < 0.001:
        return "under 1 ms"
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
