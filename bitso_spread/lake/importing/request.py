"""What an import is asked for: what its sources name, and what the table is to hold."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bitso_spread.errors import LakeError, UsageError
from bitso_spread.lake.columns import FIVE, FULL
from bitso_spread.lake.files import OnBad
from bitso_spread.lake.importing.journals import (
    SourceJournal,
    common_interval,
    source_journals,
)
from bitso_spread.lake.importing.origins import settle
from bitso_spread.lake.importing.sources import SourceFile, source_files
from bitso_spread.lake.journal import Identity
from bitso_spread.lake.origin import check_environment


@dataclass(frozen=True, slots=True)
class Found:
    """What the sources name."""

    files: list[SourceFile]
    journals: list[SourceJournal]
    environment: str
    """What all of them were recorded from."""
    interval: int
    """What a new lake's is, unless it is told."""
    unlisted: list[str]
    """What is wrong with each folder, or journal, that was passed over."""
    unreadable: list[str]
    """What is wrong with each file, or journal, whose origin contradicts what is said of it."""
    silent: frozenset[Path]
    """Files that do not tell what they were recorded from, where nobody else has."""


def find(sources: list[Path | str], on_bad: OnBad = None, environment: str | None = None) -> Found:
    """Look what the sources name; what of it cannot be read is told to `on_bad`, if there is one.

    Args:
        sources: files, folders and lakes.
        on_bad: as said.
        environment: what files that do not tell were recorded from; None is production.

    Raises:
        UsageError: there is none, or no such environment.
        LakeError: one of them is not there, cannot be read, or holds nothing.
        LakeIdentityError: they were recorded from more than one environment.
    """
    if not sources:
        raise UsageError("there is nothing to import: name a file, a folder or a lake")
    if environment is not None:
        check_environment(environment)
    unlisted: list[str] = []
    unreadable: list[str] = []

    def pass_over(error: LakeError, passed: list[str] = unlisted) -> None:
        if on_bad is None:
            raise error
        passed.append(str(error))
        on_bad(error)

    # First the journals: a batch that is finished meanwhile is then read twice, and not never.
    journals = source_journals(sources, pass_over)
    also = [journal.path for journal in journals if journal.batches]
    files = source_files(sources, also=also, on_bad=pass_over)
    origins = settle(files, journals, environment, lambda error: pass_over(error, unreadable))
    journals = origins.journals
    return Found(
        origins.files,
        journals,
        origins.environment,
        # Sources that are no lakes of ours do not tell theirs.
        common_interval(journals) if len(journals) == len(sources) else 1,
        unlisted,
        unreadable,
        origins.silent,
    )


class Wanted:
    """What the table is to hold, as far as the sources and the options tell."""

    def __init__(
        self, found: Found, file_format: str | None, columns: str | None, interval: int | None
    ) -> None:
        self._found = found
        self._format = file_format
        self._columns = columns
        self._interval = interval

    def identity(self, held: dict[str, str], *, full: bool) -> Identity:
        """Fill in what the table holds, or what a new one does."""
        return Identity(
            environment=self._found.environment,
            hosts=None,
            format=self._format or held.get("format", "csv"),
            columns=self._columns or held.get("columns", FULL if full else FIVE),
            interval=self._interval or int(held.get("interval", self._found.interval)),
        )
