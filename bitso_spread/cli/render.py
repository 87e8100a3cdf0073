"""Rows to a person, a pipe or a file: table, CSV, JSON, NDJSON and Parquet.

Frames come one after another and leave as they come, so that memory stays bounded. What is
in them is the business of the command that asked.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from bitso_spread.cli.stdout import is_terminal, stdout
from bitso_spread.counting import many
from bitso_spread.errors import BitsoSpreadError, UsageError

if TYPE_CHECKING:
    import polars as pl

# Rows that a table shows of each end.
_EDGE = 20
# More than a table ever needs.
_WIDTH = 1000
_SPREAD_PLACES = 6
_SPREADS = r"^(spread|mean|median|p95|p99|min|max|first|last|above_.*)$"
# Without a fraction where the instant is a whole second, as the lake's own CSV has it.
_TIME = "%Y-%m-%dT%H:%M:%S%.f%:z"


class Format(StrEnum):
    """The forms that rows can leave in."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    NDJSON = "ndjson"
    PARQUET = "parquet"


def choose_format(requested: Format | None, output: Path | None) -> Format:
    """Settle the format: what was asked for, a file's suffix, a table on a terminal, or CSV.

    Raises:
        UsageError: the suffix says nothing, or something else than what was asked for; or
            Parquet is to go to a terminal.
    """
    terminal = output is None and is_terminal(sys.stdout)
    if output is not None:
        return _format_of(output, requested)
    if requested is Format.PARQUET and terminal:
        raise UsageError("Parquet is not for a terminal: name a file with --output")
    return requested or (Format.TABLE if terminal else Format.CSV)


def _format_of(output: Path, requested: Format | None) -> Format:
    suffix = output.suffix.lower().removeprefix(".")
    known = [str(each) for each in Format if each is not Format.TABLE]
    if suffix not in known and requested is None:
        raise UsageError(
            f"--output {output} does not tell its format: end it in "
            f"{', '.join(f'.{each}' for each in known)}, or give --format",
        )
    if suffix in known and requested not in (None, suffix):
        raise UsageError(f"--output {output} and --format {requested} contradict each other")
    return requested or Format(suffix)


def write(
    frames: Iterable[pl.DataFrame],
    *,
    file_format: Format,
    output: Path | None = None,
    tz: str = "UTC",
    title: Callable[[], str | None] = lambda: None,
    metadata: Callable[[], dict[str, str]] = dict,
) -> int:
    """Write frames of the same columns to stdout, or to a file, and give the number of rows.

    Args:
        frames: at least one; an empty one tells the columns.
        file_format: see `choose_format`.
        output: the file, which is replaced whole or not at all; None is stdout.
        tz: the zone in which times are shown with their offset; Parquet keeps the instants.
        title: what stands above a table; asked for after the last frame.
        metadata: what Parquet says of its rows beside them; asked for after the last frame.

    Raises:
        BitsoSpreadError: the file, or stdout, cannot be written.
    """
    count = _Count()
    with stdout() if output is None else replacing(output) as out:
        # The first frame brings the errors of a wrong question: nothing is written before.
        rest = iter(frames)
        counted = count.through(chain([next(rest)], rest))
        if file_format is Format.TABLE:
            _write_table(counted, out, tz, title, colour=output is None and is_terminal(sys.stdout))
        elif file_format is Format.PARQUET:
            _write_parquet(counted, out, metadata)
        else:
            writers = {
                Format.CSV: _write_csv,
                Format.JSON: _write_json,
                Format.NDJSON: _write_ndjson,
            }
            writers[file_format]((_with_text_times(frame, tz) for frame in counted), out)
    return count.rows


def counted(rows: int) -> str:
    """Say how many rows there are."""
    return many(rows, "row")


class _Count:
    def __init__(self) -> None:
        self.rows = 0

    def through(self, frames: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
        for frame in frames:
            self.rows += frame.height
            yield frame


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Give a new file that takes the place of `path` once it is whole, and else is removed.

    A symbolic link stays, and the file that it points to is replaced.

    Raises:
        BitsoSpreadError: the file cannot be written.
    """
    import shutil

    try:
        target = _target_of(path)
        staged = target.with_name(f".{target.name}.{os.urandom(4).hex()}")
        try:
            with staged.open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            if target.exists():
                shutil.copymode(target, staged)
            staged.replace(target)
        finally:
            staged.unlink(missing_ok=True)
    except OSError as error:
        raise BitsoSpreadError(f"cannot write {path}: {error.strerror}") from error


def _target_of(path: Path) -> Path:
    try:
        target = path.expanduser().resolve()
    except RuntimeError as error:
        # A circle of links, before Python 3.13.
        raise BitsoSpreadError(f"cannot write {path}: {error}") from error
    if target.is_symlink():
        # From Python 3.13 on a circle of links is left as it is instead.
        raise BitsoSpreadError(f"cannot write {path}: its links lead in a circle")
    if target.exists() and not target.is_file():
        raise BitsoSpreadError(f"cannot write {path}: it is there, and is not a plain file")
    return target


def _with_text_times(frame: pl.DataFrame, tz: str) -> pl.DataFrame:
    from polars import selectors

    times = selectors.datetime(time_zone="*")
    return frame.with_columns(times.dt.convert_time_zone(tz).dt.to_string(_TIME))


def _write_csv(frames: Iterable[pl.DataFrame], out: BinaryIO) -> None:
    out.writelines(
        frame.write_csv(include_header=index == 0).encode() for index, frame in enumerate(frames)
    )


def _write_ndjson(frames: Iterable[pl.DataFrame], out: BinaryIO) -> None:
    out.writelines(frame.write_ndjson().encode() for frame in frames)


def _write_json(frames: Iterable[pl.DataFrame], out: BinaryIO) -> None:
    before = "[\n"
    for frame in frames:
        # One row a line, so that the array can leave in parts; no value has a bare newline.
        lines = frame.write_ndjson().splitlines()
        if lines:
            out.write((before + ",\n".join(lines)).encode())
            before = ",\n"
    out.write(b"[]\n" if before.startswith("[") else b"\n]\n")


def _write_parquet(
    frames: Iterator[pl.DataFrame], out: BinaryIO, metadata: Callable[[], dict[str, str]]
) -> None:
    import shutil
    import tempfile

    import polars as pl
    from polars.io.plugins import register_io_source

    from bitso_spread.lake.disk_errors import os_error_in

    first = next(frames)

    def source(*_: object) -> Iterator[pl.DataFrame]:
        yield from chain([first], frames)

    # The only way in which polars takes frames one by one and writes row groups as it goes.
    # It is marked as unstable; the tests hold it to what is needed here.
    rows = register_io_source(source, schema=first.schema)
    # polars reports a pipe that is closed, or a full disk, as an error in the format: it
    # writes to a file without a name, and what goes further is copied.
    with tempfile.TemporaryFile() as whole:
        try:
            rows.sink_parquet(whole, compression="zstd", metadata=lambda _: metadata())
        except pl.exceptions.ComputeError as error:
            if (of_system := os_error_in(error)) is not None:
                raise BitsoSpreadError(
                    f"cannot write Parquet in {tempfile.gettempdir()}: {of_system.strerror}"
                ) from error
            raise BitsoSpreadError(f"cannot write Parquet: {str(error).splitlines()[0]}") from error
        whole.seek(0)
        shutil.copyfileobj(whole, out)


def _write_table(
    frames: Iterable[pl.DataFrame],
    out: BinaryIO,
    tz: str,
    title: Callable[[], str | None],
    *,
    colour: bool,
) -> None:
    import polars as pl

    head: list[pl.DataFrame] = []
    tail: pl.DataFrame | None = None
    total = kept = 0
    for frame in frames:
        if kept < 2 * _EDGE or not head:
            head.append(frame.head(2 * _EDGE - kept))
            kept += head[-1].height
        last = frame.tail(_EDGE)
        tail = last if tail is None else pl.concat([tail, last]).tail(_EDGE)
        total += frame.height
    shown = pl.concat(head)
    lines = _cells(shown, tz)
    footer = counted(total)
    if tail is not None and total > 2 * _EDGE:
        gap = tuple("…" for _ in shown.columns)
        lines = [*lines[:_EDGE], gap, *_cells(tail, tz)]
        footer += f", of which the first and last {_EDGE} are shown"
    numeric = [dtype.is_numeric() for dtype in shown.dtypes]
    columns = list(zip(shown.columns, numeric, strict=True))
    text = _render_table(columns, lines, title(), footer, colour=colour)
    out.write(text.encode())


def _cells(frame: pl.DataFrame, tz: str) -> list[tuple[str, ...]]:
    import polars as pl

    # As many digits of a spread as a person compares, so that a row fits into 80 columns.
    rounded = frame.with_columns(pl.col(_SPREADS).round(_SPREAD_PLACES))
    texts = _with_text_times(rounded, tz).select(pl.all().cast(pl.String).fill_null("-"))
    return texts.rows()


def _render_table(
    columns: Iterable[tuple[str, bool]],
    lines: Iterable[tuple[str, ...]],
    title: str | None,
    footer: str,
    *,
    colour: bool,
) -> str:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for name, numeric in columns:
        table.add_column(name, justify="right" if numeric else "left", no_wrap=True)
    for line in lines:
        table.add_row(*(Text(cell) for cell in line))
    # As wide as it needs to be: a terminal that is too narrow wraps a line, and no digit is lost.
    # To text first, for rich ends the program with status 1 when a pipe is closed.
    # Without a height, rich takes a terminal that is dumb for one of 80 columns.
    console = Console(
        file=io.StringIO(), width=_WIDTH, height=1, force_terminal=colour, highlight=False
    )
    with console.capture() as capture:
        console.print(table)
    return f"{capture.get()}{footer}\n"
