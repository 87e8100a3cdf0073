"""One data file, or many, to rows: CSV of ours and of others, and Parquet.

Knows what is in a file. Which files there are is `reader`'s job, and so is the order of
rows that come from several.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

import polars as pl

from bitso_spread.cloud.errors import RefusedError, UnreachableError
from bitso_spread.counting import many
from bitso_spread.errors import LakeError
from bitso_spread.lake import layout
from bitso_spread.lake.columns import ALL, COLUMNS, INSTANT, TIME, no_rows
from bitso_spread.lake.datafile import DataFile, GoneError
from bitso_spread.lake.shown import shown

FILE = "file"
"""The column in which `read_numbered` tells which file a row is of."""

OnBad = Callable[[LakeError], None] | None
"""What is called with what is wrong with a file; None lets it end the reading."""

# Our own timestamps match the first form, which parses a day of one book in 5 ms. The second
# takes Z, +0000, other offsets and fractions of a second too, in 16 ms.
_OWN_TIME = "%Y-%m-%dT%H:%M:%S+00:00"
_ANY_TIME = "%+"

_ENDS = {".csv": b"\n", ".parquet": b"PAR1"}

UNREADABLE = (pl.exceptions.PolarsError, pl.exceptions.PanicException)
"""What polars raises where a file is broken; a panic over Parquet is no Exception."""

_log = logging.getLogger("bitso_spread.lake")


def read_files(
    files: Iterable[DataFile], names: Sequence[str] = COLUMNS, *, ordered: bool = False
) -> pl.DataFrame:
    """Give these columns of the rows of all files, in no order unless they are to be `ordered`.

    CSV may come with a header, in which further columns are passed over, or without one. What
    is asked for and a file does not have is null, unless it is of the five. An empty file has no
    rows, and a warning says so.

    Raises:
        LakeError: a file is gone, cut short or not what it should be; it is named.
    """
    files = [*files]
    pieces = (_Piece(file.path, read_bytes(file.path)) for file in files)
    texts, parquets = _by_form(pieces)
    frames = [
        _read_pieces(pieces, partial(_parse_csv, header, names)) for header, pieces in texts.items()
    ]
    if parquets:
        frames.append(_read_pieces(parquets, partial(_parse_parquet, names)))
    if len(frames) == 1:
        # Putting the chunks of 144 files behind nothing takes 2 ms.
        return frames[0]
    if ordered and frames:
        # Of several forms, as only other writers' files are.
        return read_numbered(files, names=names).drop(FILE)
    return pl.concat([no_rows(names), *frames])


def read_numbered(
    files: Sequence[DataFile],
    contents: Iterable[bytes] | None = None,
    names: Sequence[str] = COLUMNS,
) -> pl.DataFrame:
    """Give these columns of the rows of files, in order, each with its file's number.

    The number, in the column `FILE`, is the file's place among `files`. Where the bytes of the
    files are at hand, they need not be read again.

    Raises:
        LakeError: a file is cut short or not what it should be; it is named.
    """
    if contents is None:
        pieces = [_piece(file, number) for number, file in enumerate(files)]
    else:
        pairs = enumerate(zip(files, contents, strict=True))
        pieces = [_Piece(file.path, data, number) for number, (file, data) in pairs]
    texts, parquets = _by_form(pieces)
    frames = [
        _read_pieces(pieces, partial(_parse_csv, header, names)).with_columns(_lines_of(pieces))
        for header, pieces in texts.items()
    ]
    if parquets:
        frames.append(_read_numbered_parquets(parquets, names))
    rows = pl.concat([no_rows(names).with_columns(pl.lit(0, pl.UInt32).alias(FILE)), *frames])
    return rows if len(frames) < 2 else rows.sort(FILE, maintain_order=True)


def read_readable(
    files: Sequence[DataFile],
    read: Callable[[Sequence[DataFile]], pl.DataFrame],
    on_bad: OnBad,
) -> pl.DataFrame:
    """Read files together; one that cannot be read is told to `on_bad` and passed over.

    Raises:
        LakeError: a file cannot be read, and there is no `on_bad`; or nothing can be, because
            object storage does not answer.
    """
    try:
        return read(files)
    except LakeError as error:
        if on_bad is None or isinstance(error, UnreachableError | RefusedError):
            raise
        if len(files) > 1:
            return pl.concat(read_readable([file], read, on_bad) for file in files)
        on_bad(error)
        return read([])


def columns_of(file: DataFile, data: bytes | None = None) -> tuple[str, ...]:
    """Give the names of the columns that a file has; the five where a CSV file has no header.

    Where the bytes of the file are at hand, it need not be read again.

    Raises:
        LakeError: the file cannot be read.
    """
    try:
        with file.path.open("rb") if data is None else io.BytesIO(data) as content:
            if file.path.suffix == layout.SUFFIXES["parquet"]:
                return tuple(pl.read_parquet_schema(content))
            names = _names_in(content.readline())
    except (*UNREADABLE, OSError) as error:
        raise LakeError(f"{shown(file.path)} cannot be read: {first_line(error)}") from error
    return names if TIME in names else COLUMNS


def is_whole(file: DataFile, data: bytes) -> bool:
    """Tell whether the bytes of a file end as such a file does, and are not cut short."""
    return data.endswith(_ENDS[file.path.suffix])


@dataclass(frozen=True, slots=True)
class _Piece:
    """What is to be parsed of a file."""

    path: Path
    data: bytes | memoryview | None
    """None where it is to be read when it is needed."""
    number: int = 0

    def bytes(self) -> bytes | memoryview:
        """Give the data.

        Raises:
            LakeError: the file cannot be read.
        """
        return read_bytes(self.path) if self.data is None else self.data


class _UnreadableError(Exception):
    """The data is not what it should be; the text says how."""


def read_bytes(path: Path) -> bytes:
    """Give all that is in a file.

    Raises:
        LakeError: it is gone, or cannot be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise GoneError(path) from None
    except OSError as error:
        raise LakeError(f"{shown(path)} cannot be read: {error.strerror}") from error


def _piece(file: DataFile, number: int) -> _Piece:
    # polars reads Parquet from its path, and of it no more than is asked for.
    from_path = file.path.suffix == layout.SUFFIXES["parquet"] and file.size > 0
    return _Piece(file.path, None if from_path else read_bytes(file.path), number)


def _by_form(
    pieces: Iterable[_Piece],
) -> tuple[dict[tuple[str, ...], list[_Piece]], list[_Piece]]:
    """Give the pieces of CSV by their columns, and those of Parquet."""
    texts: dict[tuple[str, ...], list[_Piece]] = {}
    parquets: list[_Piece] = []
    for piece in pieces:
        if piece.data is not None and not piece.data:
            _log.warning("%s is empty: it has no rows", shown(piece.path))
        elif piece.path.suffix == layout.SUFFIXES["parquet"]:
            parquets.append(piece)
        else:
            header, rest = _split_header(piece)
            texts.setdefault(header, []).append(rest)
    return texts, parquets


def _read_pieces(
    pieces: Sequence[_Piece], parse: Callable[[Sequence[bytes | memoryview]], pl.DataFrame]
) -> pl.DataFrame:
    # 144 files of 600 rows take 14 ms together and 137 ms one by one, so they are only looked
    # at singly to find the one that is to blame.
    try:
        return parse([piece.bytes() for piece in pieces])
    except _UnreadableError:
        return pl.concat([_read_piece(piece, parse) for piece in pieces])


def _read_piece(
    piece: _Piece, parse: Callable[[Sequence[bytes | memoryview]], pl.DataFrame]
) -> pl.DataFrame:
    try:
        return parse([piece.bytes()])
    except _UnreadableError as error:
        raise LakeError(
            f"{shown(piece.path)} cannot be read: {error}; move it out of the lake to go on "
            "without it"
        ) from error


def _split_header(piece: _Piece) -> tuple[tuple[str, ...], _Piece]:
    data = bytes(piece.bytes())
    # polars reads a number that was cut in the middle as if it were whole.
    if not data.endswith(b"\n"):
        raise LakeError(f"{shown(piece.path)} is cut short: its last line has no end")
    end = data.index(b"\n") + 1
    names = _names_in(data[:end])
    if TIME not in names:
        return COLUMNS, piece
    missing = [name for name in COLUMNS if name not in names]
    if missing:
        raise LakeError(
            f"{shown(piece.path)} cannot be read: it has no column {', '.join(missing)}"
        )
    return names, _Piece(piece.path, memoryview(data)[end:], piece.number)


def _names_in(line: bytes) -> tuple[str, ...]:
    text = line.decode(errors="replace").strip()
    return tuple(name.strip().strip('"') for name in text.split(","))


def _lines_of(pieces: Sequence[_Piece]) -> pl.Series:
    """Give the number of each line's file; `_parse_csv` sees to it that a line is a row."""
    lines = [bytes(piece.bytes()).count(b"\n") for piece in pieces]
    numbers = pl.Series(FILE, [piece.number for piece in pieces], pl.UInt32)
    return numbers.repeat_by(pl.Series(lines)).explode(empty_as_null=False)


def _read_numbered_parquets(pieces: Sequence[_Piece], names: Sequence[str]) -> pl.DataFrame:
    # Only from paths does polars tell which file a row is of: 29 ms for 144 files, where one
    # by one they take 57 ms.
    numbers = {str(piece.path): piece.number for piece in pieces}
    try:
        frame = _read_parquets([*numbers], names)
        rows = _conform(frame, names)
    except (*UNREADABLE, _UnreadableError, OSError):
        rows_of = ((piece, _read_piece(piece, partial(_parse_parquet, names))) for piece in pieces)
        return pl.concat(
            rows.with_columns(pl.lit(piece.number, pl.UInt32).alias(FILE))
            for piece, rows in rows_of
        )
    return rows.with_columns(
        frame[FILE].replace_strict(numbers, return_dtype=pl.UInt32).alias(FILE)
    )


def _read_parquets(paths: list[str], names: Sequence[str]) -> pl.DataFrame:
    # What is not asked for is not even read. A column that one file has and another has not can
    # only be told by taking all.
    columns = [*names, FILE] if set(names) <= set(COLUMNS) else None
    frame = pl.scan_parquet(paths, glob=False, include_file_paths=FILE)
    return (frame if columns is None else frame.select(columns)).collect()


def _parse_csv(
    header: tuple[str, ...], names: Sequence[str], parts: Sequence[bytes | memoryview]
) -> pl.DataFrame:
    data = b"".join(parts)
    lines = data.count(b"\n")
    if b'"' in data:
        # A quote that is left open would swallow the rows of the next file.
        if len(parts) > 1:
            raise _UnreadableError("quotes")
    elif data.count(b",") != lines * (len(header) - 1):
        # polars fills up a line that is short.
        raise _UnreadableError(f"not every line has {len(header)} fields")
    types = {name: dtype for name, dtype in ALL.items() if dtype != INSTANT and name in names}
    schema = {name: types.get(name, pl.String()) for name in header}
    there = [index for index, name in enumerate(header) if name in names]
    try:
        frame = pl.read_csv(data, has_header=False, schema=schema, columns=there)
    except UNREADABLE as error:
        raise _UnreadableError(first_line(error)) from error
    if frame.height != lines:
        raise _UnreadableError(
            f"{many(lines, 'line', ('gives', 'give'))} {many(frame.height, 'row')}"
        )
    return _conform(frame, names)


def _parse_parquet(names: Sequence[str], parts: Sequence[bytes | memoryview]) -> pl.DataFrame:
    sources: list[IO[bytes]] = [io.BytesIO(part) for part in parts]
    try:
        if set(names) <= set(COLUMNS):
            return _conform(pl.read_parquet(sources, columns=[*names]), names)
        # Files of five columns may lie among full ones.
        frames = [pl.read_parquet(source) for source in sources]
        return pl.concat([_conform(frame, names) for frame in frames])
    except UNREADABLE as error:
        raise _UnreadableError(first_line(error)) from error


def _conform(frame: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    schema = {name: ALL[name] for name in names}
    absent = [pl.lit(None).alias(name) for name in names if name not in {*frame.columns, *COLUMNS}]
    try:
        frame = (frame.with_columns(absent) if absent else frame).select(*names)
    except UNREADABLE as error:
        raise _UnreadableError(first_line(error)) from error
    try:
        # Our own Parquet has these types already, and 144 chunks take a while to be told so.
        if dict(frame.schema) != schema:
            times = [
                _in_utc(frame[name])
                for name, dtype in schema.items()
                if dtype == INSTANT and frame[name].dtype != pl.Null
            ]
            frame = frame.with_columns(times).cast(schema)  # type: ignore[arg-type]
    except UNREADABLE as error:
        raise _UnreadableError(first_line(error)) from error
    if TIME in names and frame[TIME].has_nulls():
        raise _UnreadableError("a row has no timestamp")
    return frame


def _in_utc(time: pl.Series) -> pl.Series:
    if time.dtype == pl.String:
        try:
            return time.str.to_datetime(_OWN_TIME, time_unit="us").dt.replace_time_zone("UTC")
        except pl.exceptions.PolarsError:
            return time.str.to_datetime(_ANY_TIME, time_unit="us", time_zone="UTC")
    if not isinstance(time.dtype, pl.Datetime):
        raise _UnreadableError(f"its timestamps are of the type {time.dtype}")
    if time.dtype.time_zone is None:
        # Spark's INT96 comes without a zone and is UTC by its own rules.
        return time.dt.replace_time_zone("UTC")
    return time.dt.convert_time_zone("UTC")


def first_line(error: BaseException) -> str:
    """Give what polars says of a file, without its backtrace."""
    return str(error).partition("\n")[0].strip()
