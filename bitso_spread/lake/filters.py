"""What a question asks of the lake: text, as people write it, to ranges that can be compared.

Pure values, no I/O. Which folders a question spares is decided here; walking them is
`reader`'s job, and paths are `layout`'s.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from functools import lru_cache
from typing import TypedDict

import polars as pl

from bitso_spread.errors import UsageError
from bitso_spread.lake.layout import Partition
from bitso_spread.model import ALL, parse_books

DAY_MINUTES = 1440

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1)
_DATE = re.compile(r"(\d{4})(-?)(\d{2})\2(\d{2})")
_DATES = "write 20240726, 2024-07-26, today, yesterday, or a range: A..B, A.. or ..B"
_MINUTES = f"write a number from 0 to {DAY_MINUTES - 1}, or a range: A..B, A.. or ..B"
_INSTANT = "write it in ISO 8601: 2024-07-26T03:15:00Z, 2024-07-26T03:15 or 2024-07-26"


class Question(TypedDict, total=False):
    """The conditions that every method of `Lake` takes; one that is left out holds for all.

    ``start`` is included and ``end`` is not, as they are for Python's own ranges.
    """

    date: str | int | None
    """UTC days: ``20240726``, ``2024-07-26``, ``today``, ``yesterday``, ``A..B``, ``A..``."""
    book: str | Iterable[str] | None
    """Books, such as ``btc_mxn`` or ``BTC-MXN,usd_mxn``."""
    minutes: str | int | None
    """Batches by their start, in minutes from UTC midnight: ``195``, ``0..120``, ``600..``."""
    start: str | datetime | None
    """The first instant; text without an offset, or a naive datetime, is in ``tz``."""
    end: str | datetime | None
    """The first instant that is no longer asked for."""
    tz: str
    """The time zone of instants that do not give their offset; UTC unless given."""


@dataclass(frozen=True, slots=True)
class Range:
    """Whole numbers from first to last, both included; None is an open end."""

    first: int | None = None
    last: int | None = None

    def __contains__(self, number: int) -> bool:
        return (self.first is None or self.first <= number) and (
            self.last is None or number <= self.last
        )


@dataclass(frozen=True, slots=True)
class Filters:
    """A question, parsed.

    A partition's keys describe its first row, so no row lies before the start of its
    partition. How late its last row is cannot be seen from a path. Files of our own never
    cross midnight. Those of other writers may, so the day before ``start`` is asked too.
    """

    dates: Range = Range()
    books: tuple[str, ...] = ()
    """As people wrote them; what the lake calls them is settled by the reader. None is all."""
    minutes: Range = Range()
    start: datetime | None = None
    end: datetime | None = None

    @classmethod
    def of(
        cls,
        *,
        date: str | int | None = None,
        book: str | Iterable[str] | None = None,
        minutes: str | int | None = None,
        start: str | datetime | None = None,
        end: str | datetime | None = None,
        tz: str = "UTC",
        today: date | None = None,
    ) -> Filters:
        """Parse a question (see `Question`); `today` is the UTC day, unless given.

        Raises:
            UsageError: one of the conditions makes no sense.
        """
        check_zone(tz)
        first = None if start is None else parse_instant(start, tz)
        last = None if end is None else parse_instant(end, tz)
        if first is not None and last is not None and first >= last:
            raise UsageError(f"no time lies from {start} to {end}: the first must be the earlier")
        texts = [book] if isinstance(book, str) else list(book or ())
        names = [name for text in texts for name in text.split(",")]
        if texts and not any(name.strip() for name in names):
            # As of a variable that is not set: all books are hardly meant.
            raise UsageError("no book is named: use --book btc_mxn, or --book all")
        wants_all = any(name.strip().lower() == ALL for name in names)
        return cls(
            Range() if date is None else parse_dates(str(date), today or datetime.now(UTC).date()),
            () if wants_all else tuple(parse_books(names)),
            Range() if minutes is None else parse_minutes(str(minutes)),
            first,
            last,
        )

    def may_name_day(self, number: int) -> bool:
        """Tell whether rows that are asked for may lie in the folder of this day."""
        if number not in self.dates:
            return False
        midnight = midnight_of(number)
        return (self.end is None or midnight < self.end) and (
            self.start is None or self.start - midnight < 2 * _DAY
        )

    def may_name_partition(self, partition: Partition) -> bool:
        """Tell whether rows that are asked for may lie in this partition of such a day."""
        return partition.minutes in self.minutes and (
            self.end is None or start_of(partition) < self.end
        )

    def is_over_by(self, partition: Partition) -> bool:
        """Tell whether the partition's day ends at or before the first instant asked for."""
        return self.is_over(partition.date)

    def is_over(self, day: int) -> bool:
        """Tell whether a day ends at or before the first instant asked for."""
        return self.start is not None and self.start - midnight_of(day) >= _DAY

    def conditions(self, books: Collection[str] | None) -> list[pl.Expr]:
        """Give the conditions on rows of a scan; books by the lake's own names, None is all."""
        conditions = []
        for column, limits in (("date", self.dates), ("minutes", self.minutes)):
            if limits.first is not None:
                conditions.append(pl.col(column) >= limits.first)
            if limits.last is not None:
                conditions.append(pl.col(column) <= limits.last)
        if books is not None:
            conditions.append(pl.col("order_book").is_in(sorted(books)))
        if self.start is not None:
            conditions.append(pl.col("orderbook_timestamp") >= self.start)
        if self.end is not None:
            conditions.append(pl.col("orderbook_timestamp") < self.end)
        return conditions

    def keep(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Give the rows between the two instants."""
        time = pl.col("orderbook_timestamp")
        if self.start is not None:
            frame = frame.filter(time >= self.start)
        if self.end is not None:
            frame = frame.filter(time < self.end)
        return frame


@dataclass(frozen=True, slots=True)
class Asked:
    """What a question chooses of what a lake has: see `bitso_spread.lake.walk.Choice`."""

    filters: Filters
    wanted: Collection[str] | None = None
    """The books by the lake's own names; None is all."""

    def days(self, days: Sequence[int], *, over_midnight: bool = True) -> list[int]:
        """Give the days in whose folders rows may lie; without `over_midnight`, of that day."""
        return [
            day
            for day in days
            if self.filters.may_name_day(day) and (over_midnight or not self.filters.is_over(day))
        ]

    def books(self, day: int, books: Sequence[str]) -> list[str]:
        """Give the books that are asked for."""
        del day
        return [book for book in books if self.wanted is None or book in self.wanted]

    def partitions(
        self, partitions: Sequence[Partition], *, over_midnight: bool = True
    ) -> list[Partition]:
        """Give those in which rows may lie, of days and books that are chosen."""
        return [
            place
            for place in partitions
            if self.filters.may_name_partition(place)
            and (over_midnight or not self.filters.is_over_by(place))
        ]

    def minutes(self, minutes: Sequence[int]) -> frozenset[int] | None:
        """Give the batches of a compacted day whose rows are asked for; None is all."""
        chosen = frozenset(minute for minute in minutes if minute in self.filters.minutes)
        return None if len(chosen) == len(minutes) else chosen


@lru_cache(maxsize=4096)
def midnight_of(number: int) -> datetime:
    """Give the first instant of a day such as 20240726.

    Raises:
        ValueError: the number is not a day.
    """
    year, rest = divmod(number, 10_000)
    return datetime(year, rest // 100, rest % 100, tzinfo=UTC)


def start_of(partition: Partition) -> datetime:
    """Give the instant before which the partition has no row."""
    return midnight_of(partition.date) + timedelta(minutes=partition.minutes)


def parse_dates(text: str, today: date) -> Range:
    """Read UTC days: ``20240726``, ``2024-07-26``, ``today``, ``yesterday``, ``A..B``.

    Either end of a range may be missing.

    Raises:
        UsageError: it is none of these, or the range runs backwards.
    """
    named = {"today": today, "yesterday": today - _DAY}

    def number(word: str) -> int | None:
        if word in named:
            return int(f"{named[word]:%Y%m%d}")
        found = _DATE.fullmatch(word)
        if found is None or not word.isascii():
            return None
        value = int("".join(found.group(1, 3, 4)))
        try:
            midnight_of(value)
        except ValueError:
            return None
        return value

    return _parse_range(text, "date", number, _DATES)


def parse_minutes(text: str) -> Range:
    """Read minutes from UTC midnight, at which batches start: ``195`` or a range ``0..120``.

    Raises:
        UsageError: it is neither, lies outside the day, or the range runs backwards.
    """

    def number(word: str) -> int | None:
        if not (word.isascii() and word.isdigit() and len(word) <= 4):
            return None
        value = int(word)
        return value if value < DAY_MINUTES else None

    return _parse_range(text, "minutes", number, _MINUTES)


def parse_instant(value: str | datetime, tz: str = "UTC") -> datetime:
    """Read an ISO 8601 instant, in UTC; without an offset it is the time on the clocks of `tz`.

    Raises:
        UsageError: it is not an instant, or those clocks show that time twice or never.
    """
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
        return moment.astimezone(UTC) if moment.tzinfo else _in_zone(moment, tz)
    except (ValueError, OverflowError):
        raise UsageError(f"{value!r} is not an instant: {_INSTANT}") from None


def check_zone(tz: str) -> None:
    """Check that there is such a time zone.

    Raises:
        UsageError: there is none of that name.
    """
    try:
        known = bool(tz.strip())
        pl.Series([_EPOCH.replace(tzinfo=None)]).dt.replace_time_zone(tz)
    except pl.exceptions.PolarsError:
        known = False
    if not known:
        raise UsageError(
            f"{tz!r} is not a time zone: write a name such as UTC or America/Mexico_City"
        )


def _in_zone(moment: datetime, tz: str) -> datetime:
    # polars brings its own time-zone database; Python's depends on the system or on tzdata,
    # so no datetime with a zone may leave polars: the instant comes back as a number.
    check_zone(tz)
    instants = _instants(moment, tz)
    if len(instants) == 1:
        return instants[0]
    if instants:
        how_often, offsets = "comes twice", [_offset(moment, instant) for instant in instants]
    else:
        # The clocks went over it: it is meant by those of before, or of after.
        how_often, near = "never comes", [moment - _DAY, moment + _DAY]
        offsets = [_offset(each, instant) for each in near for instant in _instants(each, tz)[:1]]
    raise UsageError(
        f"{moment.isoformat()} {how_often} on the clocks of {tz}: write its offset after it, "
        f"{' or '.join(offsets)}"
    )


def _instants(moment: datetime, tz: str) -> list[datetime]:
    """Give the instants, in order, at which the clocks of a zone show a time: one, two or none."""
    local = pl.Series([moment], dtype=pl.Datetime("us"))
    found = (
        local.dt.replace_time_zone(tz, ambiguous=which, non_existent="null").dt.epoch("us").item()
        for which in ("earliest", "latest")
    )
    instants = dict.fromkeys(us for us in found if us is not None)
    return [_EPOCH + timedelta(microseconds=us) for us in instants]


def _offset(moment: datetime, instant: datetime) -> str:
    """Give what the clocks that show `moment` at an instant are ahead of UTC, such as +02:00."""
    ahead = moment.replace(tzinfo=UTC) - instant
    return moment.replace(tzinfo=timezone(ahead)).isoformat()[len(moment.isoformat()) :]


def _parse_range(text: str, what: str, number: Callable[[str], int | None], accepted: str) -> Range:
    words = [word.strip().lower() for word in text.split("..", 1)]
    numbers = [number(word) for word in words]
    if not any(words) or any(
        word and value is None for word, value in zip(words, numbers, strict=True)
    ):
        raise UsageError(f"{what} {text!r} is not known: {accepted}")
    first, last = numbers[0], numbers[-1]
    if first is not None and last is not None and first > last:
        raise UsageError(f"{what} {text!r} runs backwards: the first must come first")
    return Range(first, last)
