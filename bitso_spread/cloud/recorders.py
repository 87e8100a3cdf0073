"""How the recorders of a lake in object storage are, on any host, by the objects they keep."""

from __future__ import annotations

import time

from bitso_spread.cloud import keys
from bitso_spread.cloud.errors import AbsentError, StoreError
from bitso_spread.cloud.lease import HOLDS_S, Sign
from bitso_spread.cloud.objects import ObjectStore
from bitso_spread.errors import LakeError
from bitso_spread.health import Collector, Health, Verdict, judge_afar
from bitso_spread.lake import layout


def examine_store(
    store: ObjectStore, table: str = layout.TABLE, *, now: float | None = None
) -> Health:
    """Look at each recorder of a table: one list request, and a get for each.

    `now` is the time to judge by, in seconds since the epoch.

    Raises:
        StoreError: the store cannot be asked.
    """
    found = []
    at = time.time() if now is None else now
    for entry in store.objects(keys.recorders_prefix(table)):
        try:
            found.append(_judged(store, entry.key, at))
        except AbsentError:
            continue
    found.sort(key=lambda one: one.beat.since if one.beat else 0.0)
    return Health(str(store.address), table, at, tuple(found))


def _judged(store: ObjectStore, key: str, now: float) -> Collector:
    url = store.url_of(key)
    try:
        sign = Sign.parse(store.get(key), url)
    except StoreError:
        raise
    except LakeError as error:
        return Collector(url, None, Verdict.UNREADABLE, f"{error}; or remove it")
    beat = sign.beat
    if sign.ended:
        files = beat.store.files if beat.store is not None else 0
        reason = (
            f"{sign.who} has ended, and {files} of its files are not in the store: start it again "
            "there, with the same --lake and --state"
        )
        return Collector(url, beat, Verdict.LEFT, reason)
    # Two of three signs may fail without harm.
    verdict, why = judge_afar(beat, now, HOLDS_S)
    if verdict is Verdict.DEAD:
        why = f"{why}; start it again, or another one that takes its books"
    return Collector(url, beat, verdict, why)
