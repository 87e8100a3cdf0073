"""Partition keys to paths and back; nothing else in the package knows a path of the lake.

::

    <lake>/BitsoSpreadMonitor/date=20240725/order_book=btc_mxn/minutes=10/<file>
    <lake>/BitsoSpreadDaily/date=20240725/order_book=btc_mxn/btc_mxn-20240725.parquet
    <lake>/.bitso-spread/                   all that is not yet, or not, data

Strings and numbers only: nothing here touches the disk, but for `locate`, which looks
whether a folder is there.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bitso_spread.clock import DAY_S

TABLE = "BitsoSpreadMonitor"
DAILY_TABLE = "BitsoSpreadDaily"
PRODUCTION = "production"
SIMULATED = "sim"
SUFFIXES = {"csv": ".csv", "parquet": ".parquet"}

# Beside the table and never inside it: polars and DuckDB read names that begin with a dot
# or an underscore, so one half-written file under the table's root breaks every reader.
_STATE_FOLDER = ".bitso-spread"
_MINUTE_S = 60
_TABLE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_FILE_NAME = re.compile(
    r"(?:(?P<environment>.+)-)?(?P<book>[a-z0-9]+_[a-z0-9]+)-\d{8}T\d{6}Z(?:-\d+)?\.(?:csv|parquet)",
)
_DAILY_NAME = re.compile(r"(?:(?P<environment>.+)-)?(?P<book>[a-z0-9]+_[a-z0-9]+)-\d{8}\.parquet")


@dataclass(frozen=True, slots=True, order=True)
class Partition:
    """Where a batch lies: all three keys describe its first tick, in UTC."""

    date: int
    """The UTC day as a number, such as 20240725."""
    minutes: int
    """Whole minutes from UTC midnight."""
    book: str

    @classmethod
    def of(cls, book: str, tick: int) -> Partition:
        """Give the partition of a batch whose first tick is `tick` (seconds since the epoch)."""
        moment = datetime.fromtimestamp(tick, UTC)
        return cls(int(f"{moment:%Y%m%d}"), tick % DAY_S // _MINUTE_S, book)

    @property
    def path(self) -> Path:
        """The folder, relative to the table."""
        return Path(f"date={self.date}", f"order_book={self.book}", f"minutes={self.minutes}")


def name_in(table: Path, path: Path) -> str:
    """Give a path below a table as people are told it: relative to the table's folder."""
    # A tenth of the time that relative_to takes, for each of 105,120 files.
    return str(path)[len(str(table)) + 1 :].replace(os.sep, "/")


def key_of(name: str, key: str) -> str | None:
    """Give the value in a folder's name such as ``date=20240725``, or None for another name."""
    prefix = f"{key}="
    return name.removeprefix(prefix) if name.startswith(prefix) else None


def file_name(environment: str, book: str, tick: int, file_format: str) -> str:
    """Name the file of a batch by its book and first tick.

    The name begins with the environment unless that is production, so that simulated rows
    stay recognisable wherever the file is copied.
    """
    marker = "" if environment == PRODUCTION else f"{environment}-"
    moment = datetime.fromtimestamp(tick, UTC)
    return f"{marker}{book}-{moment:%Y%m%dT%H%M%SZ}{SUFFIXES[file_format]}"


def numbered(name: str, number: int) -> str:
    """Give the name that a file takes when `name` exists with other content."""
    stem, dot, suffix = name.rpartition(".")
    return f"{stem}-{number}{dot}{suffix}"


def is_data_file(name: str) -> bool:
    """Tell data files from what others leave beside them: ``_SUCCESS``, ``.crc``, folders."""
    return not name.startswith(("_", ".")) and name.endswith(tuple(SUFFIXES.values()))


def environment_of(name: str) -> str:
    """Give the environment that a file's name is marked with.

    Files of other writers carry no mark and count as production.
    """
    match = _FILE_NAME.fullmatch(name) or _DAILY_NAME.fullmatch(name)
    return (match and match["environment"]) or PRODUCTION


def is_own_name(name: str) -> bool:
    """Tell whether this package named the file, so that its rows never cross UTC midnight."""
    return _FILE_NAME.fullmatch(name) is not None


def daily_table(table: str) -> str:
    """Name the table of the compacted days of a table."""
    return DAILY_TABLE if table == TABLE else f"{table}Daily"


def day_path(date: int, book: str) -> Path:
    """Give the folder of a book's day, relative to a table."""
    return Path(f"date={date}/order_book={book}")


def daily_name(environment: str, book: str, date: int) -> str:
    """Name the file of a compacted day; it is marked as `file_name` marks a batch's."""
    marker = "" if environment == PRODUCTION else f"{environment}-"
    return f"{marker}{book}-{date}{SUFFIXES['parquet']}"


def is_daily_name(name: str) -> bool:
    """Tell whether a file is named as that of a compacted day."""
    return _DAILY_NAME.fullmatch(name) is not None


def is_table_name(name: str) -> bool:
    """Tell whether a table may be called so: a plain folder name that readers do not skip."""
    return bool(_TABLE_NAME.fullmatch(name))


def locate(folder: Path, table: str) -> Path:
    """Give the lake's root, absolute, for a path that a user gave: the lake or its table."""
    path = folder.expanduser().absolute()
    if path.name == table and not (path / table).is_dir():
        return path.parent
    return path


def state_folder(lake: Path) -> Path:
    """Give the folder for all that is not data, on the table's own filesystem."""
    return lake / _STATE_FOLDER


def state_file(lake: Path, table: str) -> Path:
    """Give the file that holds the journal of a table."""
    return state_folder(lake) / f"{table}.sqlite3"


def aside_file(state_file: Path, version: int, number: int) -> Path:
    """Give a name for a journal of another version that is set aside."""
    name = f"{state_file.stem}.version-{version}{state_file.suffix}"
    return state_file.with_name(name if number == 1 else numbered(name, number))


def locks_folder(lake: Path, table: str) -> Path:
    """Give the folder of the locks on the books of a table."""
    return state_folder(lake) / "locks" / table


def publishing_locks_folder(lake: Path, table: str, topic: str) -> Path:
    """Give the folder of the locks on the books of a table that are published to a topic."""
    return state_folder(lake) / "publishing" / table / topic


def heartbeats_folder(lake: Path, table: str) -> Path:
    """Give the folder in which each collector of a table says how it is."""
    return state_folder(lake) / "collectors" / table


def staging_folder(lake: Path, table: str) -> Path:
    """Give the folder in which files are made before they are moved into a partition."""
    return state_folder(lake) / "staging" / table


def importing_folder(lake: Path, table: str) -> Path:
    """Give the folder in which an import sorts the rows of its sources by book and day."""
    return state_folder(lake) / "importing" / table


def stale_folder(lake: Path, table: str) -> Path:
    """Give the folder of the marks on compacted days to which files have come since."""
    return state_folder(lake) / "stale" / table


def aside_folder(lake: Path, table: str) -> Path:
    """Give the folder of files that could not go into the store as they are."""
    return state_folder(lake) / "aside" / table
