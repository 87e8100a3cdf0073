"""What a service records: the options of `collect` that it was given, as a value."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from bitso_spread.cloud.address import is_url
from bitso_spread.errors import UsageError
from bitso_spread.service.quoting import check_path, check_word

ADVISED = (("--format", "parquet"), ("--columns", "full"))
"""What a service takes where nothing is said: a seventh of the size, and how each row is known."""
STATE = "/var/lib/bitso-spread"
"""Where it lives on a host if no lake is named: its lake, and the budget of requests."""
LAKE = f"{STATE}/lake"
LOCAL_HALF = f"{STATE}/state"
"""Of a lake in object storage: where it keeps what is not there yet, if nothing is said."""

_ANYWHERE = "0.0.0.0"  # noqa: S104  (of a container: what its engine publishes is reached)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """A collection that somebody else starts and stops.

    Raises:
        UsageError: it would end by itself, or a value cannot be written into a file.
    """

    options: tuple[tuple[str, str | None], ...]
    """Of `collect`, in order, with their values as they were typed; None for a flag."""
    table: str
    simulated: bool
    batch_s: int
    """Seconds in a batch."""
    held: frozenset[str] = frozenset()
    """The options, such as ``--format``, that a table which is there already answers itself."""

    def __post_init__(self) -> None:
        for name, value in self.options:
            check_word(value or "", name)
            if name in {"--batches", "--duration"}:
                raise UsageError(f"a service records until it is stopped: leave {name} out")

    def value(self, name: str) -> str | None:
        """Give an option's last value, or None where it was not given."""
        return next((value for key, value in reversed(self.options) if key == name), None)

    @property
    def advised(self) -> tuple[tuple[str, str], ...]:
        """The options that are advised, and were not given nor are for the table to answer."""
        given = {name for name, _ in self.options} | self.held
        return tuple(pair for pair in ADVISED if pair[0] not in given)

    @property
    def left_to_table(self) -> tuple[str, ...]:
        """The options that are advised for a new table, and left to the one that is there."""
        given = {name for name, _ in self.options}
        return tuple(name for name, _ in ADVISED if name in self.held - given)

    @property
    def store(self) -> str | None:
        """The URL of a lake in object storage; None for a folder."""
        lake = self.value("--lake")
        return lake if lake is not None and is_url(lake) else None

    @property
    def host_lake(self) -> str:
        """The path on a host of the lake, or of the local half of one in object storage.

        Raises:
            UsageError: it is relative, or holds what cannot be written.
        """
        if self.store is not None:
            return self.root(absolute(self.value("--state") or LOCAL_HALF, "--state"))
        return self.root(absolute(self.value("--lake") or LAKE, "--lake"))

    def root(self, path: str) -> str:
        """Give the lake's own folder; `collect` takes the table's for it as well."""
        given = PurePosixPath(path)
        return str(given.parent if given.name == self.table else given)

    @property
    def mark(self) -> str:
        """What stands before a heading where prices are simulated."""
        return "SIMULATED " if self.simulated else ""

    @property
    def metrics_port(self) -> str | None:
        """The port of the metrics, or None."""
        return self.value("--metrics-port")

    @property
    def publishes(self) -> bool:
        """Whether samples go to Kafka as well."""
        return self.value("--publish") not in {None, "none"}

    @property
    def extras(self) -> list[str]:
        """The optional parts of this package that it needs."""
        needed = {
            "cloud": self.store is not None,
            "kafka": self.publishes,
            "metrics": self.metrics_port is not None,
            "sim": self.simulated,
        }
        return [extra for extra, is_needed in needed.items() if is_needed]

    def arguments(self, lake: str, *, in_container: bool = False) -> Iterator[tuple[str, ...]]:
        """Give the arguments of `collect`, an option with its value in one tuple.

        `lake` is the folder: that of the local half, where the lake is in object storage.
        """
        if self.store is not None:
            yield ("--lake", self.store)
        yield ("--lake" if self.store is None else "--state", lake)
        for name, value in (*self.advised, *self.options):
            if name not in {"--lake", "--state"}:
                yield (name,) if value is None else (name, value)
        if in_container and self.metrics_port and self.value("--metrics-host") is None:
            yield ("--metrics-host", _ANYWHERE)

    def whose(self, lake: str) -> Iterator[tuple[str, ...]]:
        """Give the options that lead other commands to what is recorded."""
        yield ("--lake", lake)
        if (table := self.value("--table")) is not None:
            yield ("--table", table)


def absolute(path: str, what: str) -> str:
    """Give a path back that means the same wherever a process was started.

    Raises:
        UsageError: it is relative, or holds what cannot be written.
    """
    if not PurePosixPath(check_path(path, what)).is_absolute():
        raise UsageError(f"a service has no folder that it is started in: make {what} absolute")
    return path
