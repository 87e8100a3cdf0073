"""What the rows of sources were recorded from: as they tell, and as is said of those that do not.

Rows of two environments never mix, and what contradicts itself is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from bitso_spread.errors import LakeError, LakeIdentityError
from bitso_spread.lake import layout
from bitso_spread.lake.files import UNREADABLE
from bitso_spread.lake.importing.journals import SourceJournal
from bitso_spread.lake.importing.sources import SourceFile, only_environment
from bitso_spread.lake.origin import told_in
from bitso_spread.lake.shown import shown


@dataclass(frozen=True, slots=True)
class Origins:
    """Sources that were recorded from one environment."""

    environment: str
    files: list[SourceFile]
    journals: list[SourceJournal]
    silent: frozenset[Path]
    """Those of the files that do not tell it, where nobody else has: they count as production."""


def settle(
    files: Sequence[SourceFile],
    journals: Sequence[SourceJournal],
    stated: str | None,
    on_bad: Callable[[LakeError], None],
) -> Origins:
    """Find the one environment that all sources were recorded from.

    Args:
        files: data files.
        journals: those of sources that are lakes.
        stated: what files that do not tell were recorded from; None is production.
        on_bad: called with what is wrong with a source, which is then left out.

    Raises:
        LakeIdentityError: there is more than one, or none is left.
    """
    kept: list[SourceFile] = []
    of_rows: list[tuple[str, Path]] = []
    silent: set[Path] = set()
    refused: list[LakeError] = []

    def refuse(error: LakeError) -> None:
        refused.append(error)
        on_bad(error)

    for file in files:
        try:
            told = _told_by(file.path)
            _check_stated(file.path, told, stated)
        except LakeError as error:
            refuse(error)
            continue
        kept.append(file)
        of_rows.append((told or stated or layout.PRODUCTION, file.path))
        if told is None and stated is None:
            silent.add(file.path)
    kept_journals = []
    for journal in journals:
        told_by_rows = [(batch.environment, journal.path) for batch in journal.batches]
        try:
            for told, path in told_by_rows:
                _check_stated(path, told, stated)
        except LakeError as error:
            refuse(error)
            continue
        kept_journals.append(journal)
        of_rows += told_by_rows
    if not of_rows:
        raise refused[0]
    return Origins(only_environment(of_rows), kept, kept_journals, frozenset(silent))


def _told_by(path: Path) -> str | None:
    """Give what a file tells; None if it does not.

    Raises:
        LakeError: it tells of several, or of one that cannot be.
    """
    if layout.is_own_name(path.name):
        return layout.environment_of(path.name)
    # A name that a compacted day could have is one that a user may think of too.
    named = layout.environment_of(path.name) if layout.is_daily_name(path.name) else None
    if path.suffix != layout.SUFFIXES["parquet"]:
        return named
    try:
        told = told_in(pl.read_parquet_metadata(path, credential_provider=None))
    except ValueError as error:
        raise LakeError(
            f"{shown(path)} does not say what its rows were recorded from: {error}"
        ) from error
    except (*UNREADABLE, OSError):
        return named  # whoever reads its rows says what is wrong with it
    if len(told) > 1:
        raise LakeIdentityError(
            f"{shown(path)} holds rows of {' and '.join(told)}: they never mix; query each into a "
            "file of its own"
        )
    return told[0] if told else named


def _check_stated(path: Path, told: str | None, stated: str | None) -> None:
    if told is not None and stated is not None and told != stated:
        raise LakeIdentityError(
            f"{shown(path)} was recorded from {told}, as it says itself, and not from {stated}, as "
            "--environment says: leave one of the two out"
        )
