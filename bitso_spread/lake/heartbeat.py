"""How each collector of a table is, in a small file of its own beside the table.

A file and not a row of the journal: a commit costs a sync, and the journal of a disk that is
full takes none. Who writes it, and when, is `bitso_spread.pulse`'s business; what it means is
`bitso_spread.health`'s.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import MISSING, Field, asdict, dataclass, fields, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from bitso_spread.errors import LakeError
from bitso_spread.model import Sample

# Files grow by whole blocks, so that a later heartbeat fits where the disk has no room for more.
_BLOCK = 4096
# A file that is written over in place may be read half: it is whole again an instant later.
_READS = 5
_REREAD_S = 0.02


class Phase(StrEnum):
    """What a collector is about."""

    STARTING = "starting"
    """It has not recorded a tick yet."""
    STANDBY = "standby"
    """Another one holds its books; it takes over when that one ends."""
    RECORDING = "recording"
    ENDING = "ending"
    """It has taken its last tick, and loads its rows."""


@dataclass(frozen=True, slots=True)
class BookBeat:
    """How one book stands."""

    book: str
    last_tick: int
    """Seconds since the epoch, UTC."""
    state: str
    age_s: float | None
    """Seconds from the book's last word to that tick; None without one."""

    @classmethod
    def of(cls, sample: Sample) -> BookBeat:
        """Say how a book stands after a row of it."""
        age_s = None if sample.age_ms is None else sample.age_ms / 1000
        return cls(sample.book, sample.tick, sample.state.value, age_s)


@dataclass(frozen=True, slots=True)
class PublishBeat:
    """What waits to be published."""

    address: str
    topic: str
    waiting: int
    """Samples that brokers have not confirmed."""
    since: int | None
    """The oldest one's tick, in seconds since the epoch, UTC; None where none waits."""
    why: str | None
    """What keeps them; None where nothing does."""


@dataclass(frozen=True, slots=True)
class StoreBeat:
    """How the way to a lake in object storage stands."""

    url: str
    files: int
    """Files that are finished, and not in the store yet."""
    since: float | None
    """When the first of them was finished, in seconds since the epoch; None if there is none."""
    trouble: str | None
    """Why they wait; None where nothing is wrong."""
    unleased: tuple[str, ...] = ()
    """Books that another recorder has, as far as the store knows: their files wait."""


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """How a collector was at an instant. All times are seconds since the epoch, UTC."""

    at: float
    host: str
    pid: int
    """For a person alone: across containers it means nothing."""
    version: str
    environment: str
    interval: int
    """Seconds between ticks."""
    since: float
    phase: Phase
    last_tick: int | None
    """The last tick it recorded; None before the first."""
    ticks: int
    books: tuple[BookBeat, ...]
    names: tuple[str, ...]
    """The books that it records, or would; one that has no tick yet is here alone."""
    reconnects: int
    rejected: Mapping[str, int]
    """Messages of the exchange that could not be taken, by reason."""
    rows_in_memory: int
    """Rows that the disk does not have yet."""
    rows_in_journal: int
    """Rows that are durable, and in no file of the table yet."""
    publishing: PublishBeat | None = None
    """None where nothing is published."""
    store: StoreBeat | None = None
    """None for a lake that is a folder."""
    missed: int = 0
    """Ticks that could not be taken, with rows that say so, or without any."""
    oldest_in_memory_s: float = 0.0
    """How many seconds the oldest of the rows in memory has waited for the disk."""


class HeartbeatFile:
    """The file of one collector."""

    def __init__(self, folder: Path, host: str, pid: int) -> None:
        safe = "".join(c if c.isalnum() or c in "-_" else "-" for c in host)
        self.path = folder / f"{safe}-{pid}-{secrets.token_hex(4)}.json"
        self._new = self.path.with_suffix(".new")

    def write(self, beat: Heartbeat) -> None:
        """Replace what the file says; whoever reads it sees the one or the other.

        On a full disk the old file is written over where it is.

        Raises:
            OSError: the disk refuses that too.
        """
        data = json.dumps(asdict(beat)).encode()
        data += b" " * (-len(data) % _BLOCK)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._new.write_bytes(data)
            self._new.replace(self.path)
        except OSError:
            with suppress(OSError):
                self._new.unlink()
            self._write_over(data)

    def remove(self) -> None:
        """Say no more: the collector has ended in order."""
        with suppress(OSError):
            self._new.unlink(missing_ok=True)
            self.path.unlink(missing_ok=True)

    def _write_over(self, data: bytes) -> None:
        descriptor = os.open(self.path, os.O_WRONLY)
        try:
            # What is left of a longer one must not follow.
            size = os.fstat(descriptor).st_size
            os.write(descriptor, data.ljust(size))
        finally:
            os.close(descriptor)


def read(path: Path) -> Heartbeat:
    """Read one collector's file.

    Raises:
        FileNotFoundError: it has ended in order meanwhile.
        LakeError: the file cannot be read, or is none.
    """
    reason: Exception | None = None
    for attempt in range(_READS):
        if attempt:
            time.sleep(_REREAD_S)
        try:
            return parse(json.loads(path.read_bytes()))
        except FileNotFoundError:
            raise
        except OSError as error:
            raise LakeError(f"cannot read {path}: {error.strerror}") from error
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            reason = error
    raise LakeError(f"{path} is not what a collector of this version writes: {reason}")


def paths(folder: Path) -> list[Path]:
    """Give the files of a table's collectors, in order of their names."""
    return sorted(folder.glob("*.json"))


def _is_said(field: Field[Any], data: Mapping[str, Any]) -> bool:
    # An earlier version may say less, where that has a meaning.
    return field.name in data or field.default is MISSING


def parse(data: Mapping[str, Any]) -> Heartbeat:
    """Make a heartbeat of what `dataclasses.asdict` made of one.

    Raises:
        ValueError, TypeError, KeyError, AttributeError: it is nothing of the kind.
    """
    # A later version may say more.
    values = {field.name: data[field.name] for field in fields(Heartbeat) if _is_said(field, data)}
    if (store := values.get("store")) is not None:
        values["store"] = StoreBeat(**{f.name: store[f.name] for f in fields(StoreBeat)})
        values["store"] = replace(values["store"], unleased=tuple(store["unleased"]))
    names = [field.name for field in fields(BookBeat)]
    values["books"] = tuple(BookBeat(*(book[name] for name in names)) for book in data["books"])
    values["names"] = tuple(data["names"])
    values["phase"] = Phase(data["phase"])
    if (publishing := values.get("publishing")) is not None:
        said = (publishing[field.name] for field in fields(PublishBeat))
        values["publishing"] = PublishBeat(*said)
    beat = Heartbeat(**values)
    ticks = [book.last_tick for book in beat.books]
    ages = [book.age_s or 0.0 for book in beat.books]
    seconds = (beat.at, beat.since, beat.interval, beat.last_tick or 0, beat.oldest_in_memory_s)
    for number in (*seconds, *ticks, *ages):
        if not isinstance(number, int | float):
            raise TypeError(f"{number!r} is not a number of seconds")
    return beat
