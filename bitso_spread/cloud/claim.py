"""What a table in object storage holds, written down once, by whoever is about to record first.

It is also where a store shows that it keeps to conditions: without these, two recorders that
begin in the same second could not be kept apart.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict

from bitso_spread.cloud import keys
from bitso_spread.cloud.errors import AbsentError, ChangedError, ExistsError, StoreError
from bitso_spread.cloud.objects import ObjectStore
from bitso_spread.cloud.version import Version
from bitso_spread.errors import LakeError, LakeIdentityError
from bitso_spread.lake.journal import Identity

# No object has that etag, nor that generation: it is of the first microsecond of 1970.
_NOBODYS = Version('"00000000000000000000000000000000"', "1")


def check_identity(store: ObjectStore, table: str, identity: Identity) -> None:
    """Check that a table holds just that, or nothing yet.

    Raises:
        LakeIdentityError: it holds something else; the message says what.
        StoreError: the store cannot tell.
    """
    _compare(store, table, held_identity(store, table), identity)


def held_identity(store: ObjectStore, table: str) -> dict[str, str]:
    """Give what a table holds; empty where nobody has written it down.

    Raises:
        LakeError: the store cannot tell.
    """
    try:
        return _read(store, table, store.get(keys.identity_key(table)))
    except AbsentError:
        return {}


def claim(store: ObjectStore, table: str, identity: Identity) -> None:
    """Write down what a table holds, or check that it holds just that.

    Raises:
        LakeIdentityError: it holds something else; the message says what.
        LakeError: the store does not keep to conditions, or says so.
        StoreError: it cannot be asked.
    """
    key = keys.identity_key(table)
    entries = {name: str(value) for name, value in asdict(identity).items() if value is not None}
    data = json.dumps(entries, indent=1).encode() + b"\n"
    try:
        store.put_new(key, data)
    except ExistsError:
        data = store.get(key)
        _compare(store, table, _read(store, table, data), identity)
    except StoreError as error:
        if "(501" in str(error):
            raise unconditional(store) from error
        raise
    if not keeps_conditions(store, key, data):
        raise unconditional(store)


def keeps_conditions(store: ObjectStore, key: str, data: bytes) -> bool:
    """Tell whether an object that is there, with these bytes, is kept from being put again.

    Where it is not, the same bytes are put once more: no harm is done.

    Raises:
        StoreError: the store cannot be asked.
    """
    try:
        store.put_new(key, data)
    except ExistsError:
        pass
    else:
        return False
    try:
        store.replace(key, data, _NOBODYS)
    except ChangedError:
        return True
    return False


def unconditional(store: ObjectStore) -> LakeError:
    """Make the error that says that a store does not keep to conditions."""
    return LakeError(
        f"{store.address} has no conditional puts (If-None-Match, If-Match), by which recorders "
        "are kept apart: upgrade the store, or collect into a folder and copy it"
    )


def _read(store: ObjectStore, table: str, data: bytes) -> dict[str, str]:
    try:
        held = json.loads(data)
        return {str(name): str(value) for name, value in held.items()}
    except (ValueError, AttributeError) as error:
        raise LakeError(
            f"{store.url_of(keys.identity_key(table))} is not what this version writes: {error}"
        ) from error


def _compare(store: ObjectStore, table: str, held: Mapping[str, str], identity: Identity) -> None:
    wanted = {name: str(value) for name, value in asdict(identity).items() if value is not None}
    differing = [name for name, value in wanted.items() if held.get(name, value) != value]
    if differing:
        holds = ", ".join(f"{name} {held[name]}" for name in differing)
        asked = ", ".join(f"{name} {wanted[name]}" for name in differing)
        raise LakeIdentityError(
            f"the table {table} of {store.address} holds {holds}, and {asked} was asked for: they "
            "never mix; give --lake another prefix, or --table another name",
            tuple(differing),
        )
