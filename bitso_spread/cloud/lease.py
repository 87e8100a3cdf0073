"""The objects by which recorders of a lake in object storage know of each other. Values only.

A recorder has one object, which it renews while it lives; a book has one, the lease, which names
the recorder that has the book. So what is to be renewed is one object for each recorder, however
many books it has.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from bitso_spread.errors import LakeError
from bitso_spread.lake import heartbeat
from bitso_spread.lake.heartbeat import Heartbeat

RENEWS_S = 20.0
"""How often a recorder gives a sign of life."""
HOLDS_S = 45.0
"""How long after it sent a sign it may put files: two signs may fail."""
EXPIRES_S = 90.0
"""How long another one must see none: `HOLDS_S`, and more than what was begun then may take."""


@dataclass(frozen=True, slots=True)
class Lease:
    """Who has a book."""

    book: str
    recorder: str | None
    """The name of its recorder's object; None where nobody has the book."""
    half: str
    """The name of the local folder that it was recorded into: of one on the same host, two
    recorders never have a book at a time."""
    host: str
    pid: int
    """For a person alone, as the host is."""
    contested_until: int
    """Another local half's rows may be in the store up to that tick, seconds since the epoch."""
    recorded: int = 0
    """The last tick that was recorded by whoever gave it back."""

    def to_bytes(self) -> bytes:
        """Write it down."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def parse(cls, data: bytes, what: str) -> Self:
        """Read what `to_bytes` wrote.

        Raises:
            LakeError: it is nothing of the kind.
        """
        try:
            values = json.loads(data)
            # A later version may say more.
            known = {field.name: values[field.name] for field in fields(cls)}
            ticks = {name: int(known[name]) for name in ("contested_until", "recorded")}
            return cls(**(known | ticks))
        except (ValueError, TypeError, KeyError) as error:
            raise LakeError(f"{what} is not what this version writes: {error}") from error


@dataclass(frozen=True, slots=True)
class Sign:
    """A sign of life of one recorder."""

    half: str
    turn: str
    """Random, and another one each time: whoever wrote it knows it again."""
    beat: Heartbeat
    ended: bool = False
    """It has ended in order, and left files on its host."""
    fenced: bool = False
    """It was taken for dead: what it had is free."""

    @property
    def who(self) -> str:
        """Name it, for a person."""
        return f"the recorder {self.beat.pid} on {self.beat.host}"

    @property
    def durable(self) -> dict[str, int]:
        """Up to which tick each book is in the journal of who wrote it, whatever came then."""
        # What a kill may cost is what was taken in its second.
        in_memory = self.beat.rows_in_memory // max(len(self.beat.names), 1) + 2
        return {
            book.book: book.last_tick - in_memory * self.beat.interval for book in self.beat.books
        }

    def to_bytes(self) -> bytes:
        """Write it down."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def parse(cls, data: bytes, what: str) -> Self:
        """Read what `to_bytes` wrote.

        Raises:
            LakeError: it is nothing of the kind.
        """
        try:
            values: Mapping[str, Any] = json.loads(data)
            beat = heartbeat.parse(values["beat"])
            rest = {name: values[name] for name in ("half", "turn", "ended", "fenced")}
            return cls(beat=beat, **rest)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise LakeError(f"{what} is not what this version writes: {error}") from error
