"""Where the rows of a lake come from, and what it holds: what its readers say beside the rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from bitso_spread.cli.logs import say, warn
from bitso_spread.counting import many
from bitso_spread.errors import LakeError
from bitso_spread.lake import layout
from bitso_spread.model import ALL, parse_books
from bitso_spread.nearest import MISSPELT, did_you_mean

if TYPE_CHECKING:
    from bitso_spread.lake.reader import Lake

# Names of books that one line can hold.
_LISTED = 10


def label(environment: str) -> str:
    """Give what stands in a heading where rows are of an environment; of production, nothing."""
    if environment == layout.SIMULATED:
        return "SIMULATED"
    return "" if environment == layout.PRODUCTION else environment


class Marks:
    """Says once, of each environment but production, that rows come from it."""

    def __init__(self) -> None:
        self._labels: dict[str, str] = {}
        self.environments: set[str] = set()
        """All that were taken note of, production too."""

    def add(self, environment: str) -> None:
        """Take note of an environment that rows were recorded from."""
        self.environments.add(environment)
        if environment == layout.PRODUCTION or environment in self._labels:
            return
        self._labels[environment] = label(environment)
        if environment == layout.SIMULATED:
            say("SIMULATED: rows are of the simulated exchange", always=True)
        else:
            say(f"{environment}: rows were recorded from there, not from production", always=True)

    def title(self) -> str | None:
        """Give what stands above a table of these rows."""
        return ", ".join(self._labels.values()) or None


class Skipped:
    """Says of each file that cannot be read that it is passed over, and how many there were."""

    def __init__(self) -> None:
        self._count = 0

    def add(self, error: LakeError) -> None:
        """Say what is wrong with a file."""
        self._count += 1
        warn(f"passed over: {error}")

    def report(self) -> None:
        """Say how many there were."""
        if self._count:
            warn(f"the answer lacks the rows of {many(self._count, 'file')}")


def without_journal(lake: Lake, unknown: str) -> bool:
    """Say what cannot be known of a lake in object storage without its collector's journal.

    Gives whether that is so.
    """
    if not lake.place.is_far:
        return False
    if lake.journal is None:
        warn(
            f"{unknown} cannot be told: the journal is not in {lake.name}; name the collector's "
            "folder with --state"
        )
    elif not lake.journal.is_file():
        warn(
            f"{unknown} cannot be told: {lake.state} has no journal of the table {lake.table}; "
            "name the collector's own folder with --state"
        )
    else:
        return False
    return True


def holdings(lake: Lake, asked: str | Iterable[str] | None = None) -> str:
    """Say what days and books a lake has, for a person whose question found nothing.

    Of the books that were `asked` for, those that are misspelt are told what is near them.
    """
    place = f"the table {lake.table} in {lake.name}"
    dates = lake.dates()
    if not dates:
        return f"{place} holds nothing yet: rows come with the first batch that is finished"
    days = str(dates[0])
    if len(dates) > 1:
        days = f"{dates[0]}..{dates[-1]} ({len(dates)} days)"
    books = lake.books()
    texts = [asked] if isinstance(asked, str) else asked or ()
    names = [name for text in texts for name in text.split(",") if name.strip().lower() != ALL]
    near = "".join(
        did_you_mean(name, books, least=MISSPELT)
        for name in parse_books(names)
        if name not in books
    )
    return f"{place} holds {days}, of {_listed(books)}{near}"


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _LISTED
    shown = ", ".join(names[:_LISTED])
    return f"{shown} and {more} more" if more > 0 else shown or "no book"
