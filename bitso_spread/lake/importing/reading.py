"""The rows of files that others made: CSV with or without a header, and Parquet.

Small files are read many at a time, as long as there is nothing wrong with any of them, which takes
a tenth of the time; a file by itself comes in portions, however large it is. What its rows say is
`parsing`'s business.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import polars as pl

from bitso_spread.errors import LakeError
from bitso_spread.lake import layout
from bitso_spread.lake.columns import ALL, COLUMNS, FULL, INSTANT, SCHEMAS, TIME
from bitso_spread.lake.files import UNREADABLE, first_line
from bitso_spread.lake.importing.outcome import EXAMPLES, Example, Reason
from bitso_spread.lake.importing.parsing import LINE, PLACE, SOURCE, Refuse, conform, in_brief
from bitso_spread.lake.importing.sources import SourceFile
from bitso_spread.lake.shown import shown

# 300,000 lines of CSV, which take 60 MB as rows. Parquet comes in as many rows.
_BLOCK_BYTES = 16_000_000
_BLOCK_ROWS = 300_000
# 90 files of 600 rows in CSV; in Parquet these are smaller, and 250 have 150,000 rows.
_GROUP_BYTES = 4_000_000
_GROUP_FILES = 250
_APART = {";": "semicolons", "\t": "tabs"}
# Such as best_bid, Bid (MXN) or spread %: no timestamp begins with a letter.
_COLUMN_NAME = re.compile(r"[^\W\d][^,]*")
# Parquet of any size may have any number of rows; of this size it is read in portions.
_LARGE_BYTES = 250_000


@dataclass(frozen=True, slots=True)
class Numbered:
    """A file that is to be read, and the number that its rows bear."""

    number: int
    path: Path
    size: int
    """In bytes."""


def grouped(files: Iterable[SourceFile]) -> Iterator[list[Numbered]]:
    """Number files, and give together those that may be read together."""
    group: list[Numbered] = []
    size = 0
    for number, file in enumerate(files):
        large = file.size > _LARGE_BYTES
        other = group and group[0].path.suffix != file.path.suffix
        if group and (
            large or other or size + file.size > _GROUP_BYTES or len(group) >= _GROUP_FILES
        ):
            yield group
            group, size = [], 0
        group.append(Numbered(number, file.path, file.size))
        size += file.size
        if large:
            yield group
            group, size = [], 0
    if group:
        yield group


def column_names(path: Path) -> tuple[str, ...]:
    """Give the names of a file's columns; the five where a CSV file has no header.

    Raises:
        LakeError: it cannot be read, or lacks one of the five.
    """
    try:
        if _is_parquet(path):
            names = tuple(pl.read_parquet_schema(path)) if path.stat().st_size else COLUMNS
        else:
            with path.open("rb") as lines:
                first = lines.readline()
            _check_first(path, first)
            names = _names_in(first)
    except (*UNREADABLE, OSError) as error:
        raise _unreadable(path, error) from error
    missing = [name for name in COLUMNS if name not in names]
    if missing:
        raise LakeError(f"{shown(path)} cannot be imported: it has no column {', '.join(missing)}")
    if len(set(names)) < len(names):
        raise LakeError(f"{shown(path)} cannot be imported: two of its columns have the same name")
    return names


def _check_first(path: Path, line: bytes) -> None:
    """Look whether the first line of CSV is one that no row of it could be read after.

    Raises:
        LakeError: its fields are not apart by commas, or it is a header without our names.
    """
    text = line.decode("utf-8-sig", errors="replace").strip()
    names = [name.strip().strip('"') for name in text.split(",")]
    if TIME in names:
        return
    for apart, what in _APART.items():
        if text.count(apart) >= len(COLUMNS) - 1:
            raise LakeError(
                f"{shown(path)} cannot be imported: the fields of line 1 are apart by {what}, not "
                f"by commas: {in_brief(text)}"
            )
    if len(names) >= len(COLUMNS) and _are_names(names):
        raise LakeError(
            f"{shown(path)} cannot be imported: line 1 looks like a header with unknown names "
            f"({in_brief(', '.join(names))}): the columns are {', '.join(COLUMNS)}"
        )


def _are_names(fields: Sequence[str]) -> bool:
    """Tell whether fields are names of columns: texts that differ, and no number among them."""
    named = all(_COLUMN_NAME.fullmatch(field) and not _is_number(field) for field in fields)
    return named and len(set(fields)) == len(fields)


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def is_full(names: Sequence[str]) -> bool:
    """Tell whether a file of these columns has the full ones."""
    return set(SCHEMAS[FULL]) <= set(names)


def read_together(files: Sequence[Numbered], refuse: Refuse) -> tuple[pl.DataFrame, bool] | None:
    """Give the rows of small files, in order, and whether all of these have the full columns.

    None if one of them is not as most are: then each is to be read by itself.
    """
    filled = [file for file in files if file.size]
    if len(filled) < 2:
        return None
    try:
        if _is_parquet(filled[0].path):
            raw, full = _parquets(filled)
        else:
            raw, full = _texts(filled)
        return conform(raw, refuse), full
    except (*UNREADABLE, OSError, LakeError, _OtherwiseError):
        return None


def read_rows(file: Numbered, refuse: Refuse) -> Iterator[pl.DataFrame]:
    """Give a file's rows as `parsing.conform` does, in portions. An empty file has no rows.

    Raises:
        LakeError: the file, or the rest of it, cannot be read.
    """
    names = column_names(file.path)
    try:
        frames = _parquet(file, names) if _is_parquet(file.path) else _csv(file, names, refuse)
        for frame in frames:
            yield conform(frame, refuse)
    except (*UNREADABLE, OSError) as error:
        raise _unreadable(file.path, error) from error


class _OtherwiseError(Exception):
    """What was read at once has to be looked at line by line, or file by file."""


def _is_parquet(path: Path) -> bool:
    return path.suffix == layout.SUFFIXES["parquet"]


def _parquets(files: Sequence[Numbered]) -> tuple[pl.DataFrame, bool]:
    names = column_names(files[0].path)
    numbers = {str(file.path): file.number for file in files}
    # A file of other columns than the first one's is an error.
    rows = pl.scan_parquet(
        [*numbers],
        glob=False,
        hive_partitioning=False,
        include_file_paths=SOURCE,
        row_index_name=LINE,
    )
    frame = rows.select(*(name for name in ALL if name in names), *PLACE).collect()
    runs = frame[SOURCE].rle().struct.unnest()
    starts = runs["len"].cum_sum() - runs["len"]
    if not set(runs["value"]) <= set(numbers) or runs["value"].n_unique() < runs.height:
        raise _OtherwiseError
    sources = [numbers[path] for path in runs["value"]]
    return _placed(frame.drop(SOURCE), sources, runs["len"], 1 - starts.cast(pl.Int64)), is_full(
        names
    )


def _texts(files: Sequence[Numbered]) -> tuple[pl.DataFrame, bool]:
    """Read CSV files that have only lines which polars takes at once."""
    forms: dict[tuple[str, ...], list[tuple[int, bytes, int]]] = {}
    for file in files:
        names = column_names(file.path)
        data = file.path.read_bytes()
        first = 1
        if not data.endswith(b"\n"):
            raise _OtherwiseError
        if TIME.encode() in data[: data.index(b"\n")]:
            data, first = data[data.index(b"\n") + 1 :], 2
        forms.setdefault(names, []).append((file.number, data, first))
    frames = []
    for names, parts in forms.items():
        frame = _parse(b"".join(data for _, data, _ in parts), names)
        counts = pl.Series([data.count(b"\n") for _, data, _ in parts], dtype=pl.UInt32)
        starts = pl.Series([first for _, _, first in parts], dtype=pl.Int64)
        starts -= counts.cum_sum() - counts
        numbered = frame.with_row_index(LINE)
        frames.append(_placed(numbered, [number for number, _, _ in parts], counts, starts))
    if len(frames) == 1:
        return frames[0], is_full(next(iter(forms)))
    return pl.concat(frames, how="diagonal").sort(SOURCE, maintain_order=True), all(
        map(is_full, forms)
    )


def _placed(
    frame: pl.DataFrame, sources: Sequence[int], counts: pl.Series, starts: pl.Series
) -> pl.DataFrame:
    """Say where rows come from that are numbered from 0: which file, and where in it.

    Args:
        frame: with the number in `LINE`.
        sources: the files, in the order of the rows.
        counts: how many rows each of them has.
        starts: what the number is to be raised by in each of them.
    """
    place = pl.DataFrame({SOURCE: pl.Series(sources, dtype=pl.UInt32), "start": starts})
    each = pl.select(pl.int_range(len(sources))).to_series().repeat_by(counts)
    of_rows = place[each.explode(empty_as_null=False)]
    line = (frame[LINE].cast(pl.Int64) + of_rows["start"]).cast(PLACE[LINE])
    return frame.with_columns(of_rows[SOURCE], line.alias(LINE))


def _parse(data: bytes, names: Sequence[str]) -> pl.DataFrame:
    """Read lines of CSV at once, numbers as such: a third of the time that texts take."""
    data = data.replace(b'"', b"").replace(b"\r", b"")
    lines = data.count(b"\n")
    if data.count(b",") != lines * (len(names) - 1):
        raise _OtherwiseError
    types = {name: dtype for name, dtype in ALL.items() if dtype != INSTANT}
    schema = {name: types.get(name, pl.String()) for name in names}
    if not lines:
        frame = pl.DataFrame(schema=schema)
    else:
        # All columns: of those that it is not asked for, polars does not tell when they are more.
        frame = pl.read_csv(data, has_header=False, schema=schema, quote_char=None)
    if frame.height != lines:
        raise _OtherwiseError
    return frame.select(name for name in names if name in ALL)


def _parquet(file: Numbered, names: Sequence[str]) -> Iterator[pl.DataFrame]:
    if not file.path.stat().st_size:
        return
    wanted = [name for name in ALL if name in names]
    rows = pl.scan_parquet(file.path, glob=False, hive_partitioning=False).select(wanted)
    start = 1
    for frame in rows.collect_batches(chunk_size=_BLOCK_ROWS, maintain_order=True):
        yield _located(frame, file, pl.int_range(start, start + frame.height, eager=True))
        start += frame.height


def _csv(file: Numbered, names: Sequence[str], refuse: Refuse) -> Iterator[pl.DataFrame]:
    with file.path.open("rb") as content:
        start = 1
        if TIME.encode() in content.readline():
            start = 2
        else:
            content.seek(0)
        for block, whole in _blocks(content):
            if not whole:
                refuse(Reason.CUT, file.number, 1, [_example(start, block)])
                return
            lines = block.count(b"\n")
            try:
                frame = _parse(block, names)
            except (*UNREADABLE, _OtherwiseError):
                frame = _line_by_line(block, start, names, file, refuse)
            else:
                frame = _located(frame, file, pl.int_range(start, start + lines, eager=True))
            yield frame
            start += lines


def _line_by_line(
    block: bytes, start: int, names: Sequence[str], file: Numbered, refuse: Refuse
) -> pl.DataFrame:
    """Read lines as texts, and refuse those that have not as many fields as there are columns."""
    commas = len(names) - 1
    # None of these columns can hold a comma or a quote of its own.
    lines = block.replace(b'"', b"").replace(b"\r", b"").split(b"\n")
    numbered = [(number, line) for number, line in enumerate(lines, start) if line.strip()]
    good = [(number, line) for number, line in numbered if line.count(b",") == commas]
    if wrong := [(number, line) for number, line in numbered if line.count(b",") != commas]:
        examples = [_example(*one) for one in wrong[:EXAMPLES]]
        refuse(Reason.FIELDS, file.number, len(wrong), examples)
    if good:
        frame = pl.read_csv(
            b"\n".join(line for _, line in good) + b"\n",
            has_header=False,
            schema=dict.fromkeys(names, pl.String()),
            columns=[place for place, name in enumerate(names) if name in ALL],
            quote_char=None,
            encoding="utf8-lossy",
        )
    else:
        frame = pl.DataFrame(schema={name: pl.String() for name in names if name in ALL})
    return _located(frame, file, pl.Series([number for number, _ in good], dtype=pl.Int64))


def _located(frame: pl.DataFrame, file: Numbered, lines: pl.Series) -> pl.DataFrame:
    return frame.with_columns(
        pl.lit(file.number, PLACE[SOURCE]).alias(SOURCE), lines.cast(PLACE[LINE]).alias(LINE)
    )


def _blocks(file: IO[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Give whole lines, as many as a portion has, and what follows the last of them as it is."""
    rest = b""
    while data := file.read(_BLOCK_BYTES):
        end = data.rfind(b"\n") + 1
        if end:
            yield rest + data[:end], True
            rest = data[end:]
        elif len(rest) > _BLOCK_BYTES:
            raise OSError("it has no lines")
        else:
            rest += data
    if rest.strip():
        yield rest, False


def _names_in(line: bytes) -> tuple[str, ...]:
    text = line.decode("utf-8-sig", errors="replace").strip()
    names = tuple(name.strip().strip('"') for name in text.split(","))
    return names if TIME in names else COLUMNS


def _example(number: int, line: bytes) -> Example:
    return Example(number, in_brief(line.decode(errors="replace")))


def _unreadable(path: Path, error: BaseException) -> LakeError:
    said = error.strerror if isinstance(error, OSError) else None
    return LakeError(f"{shown(path)} cannot be read: {said or first_line(error)}")
