"""The checks of a lake in object storage that is about to be recorded into.

One object is put beside the tables, read, changed and deleted; nothing else is left behind. The
local half, in which files wait while the store is away, is checked as a lake on a disk is.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from bitso_spread.clock import Clock
from bitso_spread.doctor.finding import (
    Finding,
    failed,
    listed,
    ms,
    ok,
    skip_all,
    skipped,
    warning,
)
from bitso_spread.doctor.lake import OTHERS, check_local_half, judge_others
from bitso_spread.errors import LakeError
from bitso_spread.exchange.rest_errors import printable
from bitso_spread.health import Verdict

if TYPE_CHECKING:
    from bitso_spread.cloud.objects import ObjectStore

REACHED, PROBE = "object storage", "an object in it"
CONDITIONS, STORE_CLOCK = "conditional puts", "clock of the store"

# Signatures are refused from a quarter of an hour on, and where another host's rows may be in the
# store twice as much is allowed for.
_APART_S = 60.0
_ENDED = {Verdict.DEAD, Verdict.LEFT, Verdict.UNREADABLE, Verdict.STANDBY}


def check_store(
    url: str, table: str, books: Sequence[str], state: Path, clock: Clock
) -> Iterator[Finding]:
    """Look at the store, at the recorders of a table in it, and at their local half.

    Raises:
        MissingExtraError: the extra `cloud` is missing.
    """
    from bitso_spread.cloud.connect import PROMPT  # noqa: PLC0415  (an extra)
    from bitso_spread.cloud.objects import open_store  # noqa: PLC0415

    try:
        store = open_store(url, patience=PROMPT)
        began = time.monotonic()
        folders = store.folders()
        took_s = time.monotonic() - began
    except LakeError as error:
        yield failed(REACHED, *_told(error))
        checks = [PROBE, CONDITIONS, STORE_CLOCK, OTHERS]
        yield from skip_all(checks, "object storage cannot be listed")
    else:
        holds = f"it holds {listed(folders)}" if folders else "it holds nothing yet"
        yield ok(REACHED, f"{store.address} is listed in {ms(took_s)}; {holds}")
        yield from _probe(store, clock)
        yield _check_others(store, table, books)
    yield from check_local_half(state, table, len(books) or 1)


def _probe(store: ObjectStore, clock: Clock) -> Iterator[Finding]:
    from bitso_spread.cloud.claim import keeps_conditions, unconditional  # noqa: PLC0415

    key, data = f".bitso-spread/doctor/{uuid4().hex}", os.urandom(64)
    asked, began = clock.wall(), time.monotonic()
    step = "put"
    try:
        store.put_new(key, data)
        answered, took_s = clock.wall(), time.monotonic() - began
        step = "read"
        found = store.sound(store.fetch(key)).found
        step = "changed"
        is_kept = keeps_conditions(store, key, data)
        if is_kept:
            store.replace(key, data, found.version)
        step = "deleted"
        store.delete(key)
    except LakeError as error:
        with suppress(LakeError):
            store.delete(key)
        what, advice = _told(error)
        left = f"; {key} is left there" if step == "deleted" else ""
        yield failed(PROBE, f"none can be {step}: {what}{left}", advice)
        yield from skip_all([CONDITIONS, STORE_CLOCK], "an object cannot be tried out")
        return
    yield ok(PROBE, f"{key} is put in {ms(took_s)}, read back, changed, and deleted again")
    if is_kept:
        yield ok(
            CONDITIONS, "none is put where there is one, nor in place of another than was seen"
        )
    else:
        yield failed(CONDITIONS, *_told(unconditional(store)))
    modified = found.modified
    yield check_store_clock(None if modified is None else modified.timestamp(), asked, answered)


def check_store_clock(modified: float | None, asked: float, answered: float) -> Finding:
    """Compare the store's time of a put, in whole seconds, with when that was sent and answered."""
    if modified is None:
        return skipped(STORE_CLOCK, "the store tells no times")
    behind, ahead = asked - 1 - modified, modified - answered
    if max(behind, ahead) <= 0:
        return ok(STORE_CLOCK, "as this host's, within a second")
    way = "behind" if behind > 0 else "ahead of"
    detail = f"{max(behind, ahead):.0f} s {way} this host's"
    if max(behind, ahead) <= _APART_S:
        return ok(STORE_CLOCK, detail)
    advice = "let NTP or chrony set this host's clock: requests are refused if it is 15 minutes off"
    return warning(STORE_CLOCK, detail, advice)


def _check_others(store: ObjectStore, table: str, books: Sequence[str]) -> Finding:
    from bitso_spread.cloud.recorders import examine_store  # noqa: PLC0415

    try:
        health = examine_store(store, table)
    except LakeError as error:
        return failed(OTHERS, *_told(error))
    living = [each.beat for each in health.collectors if each.verdict not in _ENDED]
    held = {book for beat in living if beat is not None for book in beat.names}
    return judge_others(sorted(held), books, "prefix")


def _told(error: LakeError) -> tuple[str, str]:
    """Give what happened, and what to do about it."""
    what, separator, advice = printable(str(error)).rpartition(": ")
    return (what, advice) if separator else (advice, "see what the provider's own tools say")
