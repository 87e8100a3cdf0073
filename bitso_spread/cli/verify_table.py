"""The report of an audit for a person: a line for each day, and below it what is wrong."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bitso_spread.counting import many
from bitso_spread.lake.findings import BookDay, Finding, Report, Totals, time_text

# Findings, and causes, that are shown; the number of all is said.
_LISTED = 20
# A run of days without a row is shown by its first and last.
_RUN = 3
# More than a table ever needs.
_WIDTH = 1000
_HEADINGS = ("ex-\npected", "known", "un-\nknown", "missed", "absent", "twice", "jour-\nnal")


@dataclass(frozen=True, slots=True)
class _Glyphs:
    """One character for each hour, by how much of it is not known."""

    all: str
    few: str
    some: str
    many: str
    none: str
    unexpected: str
    ellipsis: str

    def of(self, missing: int, expected: int) -> tuple[str, str]:
        """Give the character of an hour and its colour."""
        if not expected:
            return self.unexpected, "dim"
        if not missing:
            return self.all, "green"
        if missing == expected:
            return self.none, "red"
        if missing * 100 <= expected:
            return self.few, "yellow"
        return (self.some, "yellow") if missing * 2 <= expected else (self.many, "red")

    @property
    def legend(self) -> str:
        return (
            f"Hours of UTC: {self.all} all known, not known: {self.few} up to 1 %, "
            f"{self.some} up to half, {self.many} more, {self.none} all;\n"
            f"{self.unexpected} not expected, before the first second or after the last."
        )


_BLOCKS = _Glyphs("█", "▓", "▒", "░", "x", "·", "…")
_ASCII = _Glyphs("#", "+", "-", ":", "x", ".", "...")


def as_text(report: Report, title: str | None, *, encoding: str, colour: bool) -> str:
    """Write a report in 80 columns, with blocks where the encoding has them."""
    glyphs = _BLOCKS if _can_write(encoding) else _ASCII
    parts = [title or ""]
    if report.days:
        parts += [_table(report.days, glyphs, colour=colour), glyphs.legend]
    parts += ["\n".join(_sums(report)), "\n".join(_findings(report.findings))]
    return "\n\n".join(part.rstrip("\n") for part in parts if part) + "\n"


def _can_write(encoding: str) -> bool:
    try:
        "█▓▒░·…".encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _table(days: Sequence[BookDay], glyphs: _Glyphs, *, colour: bool) -> str:
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="")
    table.add_column("\nUTC day", no_wrap=True)
    table.add_column("\n0     6     12    18", no_wrap=True)
    for heading in _HEADINGS:
        two_lines = heading if "\n" in heading else f"\n{heading}"
        table.add_column(two_lines, justify="right", no_wrap=True)
    for book, of_book in groupby(days, key=lambda day: day.book):
        table.add_row(Text(book, style="bold"))
        for day in _without_runs(list(of_book)):
            if isinstance(day, int):
                table.add_row(f"{glyphs.ellipsis} {day} more")
            else:
                table.add_row(*_cells(day, glyphs))
    console = Console(file=io.StringIO(), width=_WIDTH, force_terminal=colour, highlight=False)
    with console.capture() as capture:
        console.print(table)
    lines = capture.get().splitlines()
    return "\n".join(line.rstrip() for line in lines)


def _cells(day: BookDay, glyphs: _Glyphs) -> Iterator[str | Text]:
    yield _day(day.date)
    hours = zip(day.hours, day.hours_expected, strict=True)
    yield Text.assemble(*(glyphs.of(missing, expected) for missing, expected in hours))
    counts = (day.unknown, day.missed, day.absent, day.twice)
    yield from (str(day.expected), str(day.known))
    yield from (Text(str(count), style="red" if count else "dim") for count in counts)
    yield Text(str(day.journal), style="" if day.journal else "dim")


def _without_runs(days: list[BookDay]) -> Iterator[BookDay | int]:
    """Give the days, and in place of those within a run without a row how many they are."""
    for is_absent, run in groupby(days, key=lambda day: day.absent == day.expected > 0):
        those = list(run)
        if is_absent and len(those) > _RUN:
            yield from (those[0], len(those) - 2, those[-1])
        else:
            yield from those


def _sums(report: Report) -> Iterator[str]:
    unit = "seconds" if report.interval == 1 else f"ticks of {report.interval} s"
    for book, of_book in groupby(report.days, key=lambda day: day.book):
        those = list(of_book)
        sums = Totals.of(those)
        # Rounded down, so that 100 % means all.
        there = (sums.known + sums.journal) * 100_000 // sums.expected / 1000
        yield (
            f"{book}: {sums.expected:,} {unit} expected, {sums.known + sums.journal:,} known "
            f"({there:g} %), {sums.missing:,} not"
        )
        first = next((day.first_missing for day in those if day.first_missing is not None), None)
        if first is not None:
            yield f"  the first not known: {time_text(first)}"
    causes: Counter[str] = Counter()
    for day in report.days:
        causes.update(day.causes)
    for cause, count in causes.most_common(_LISTED):
        yield f"  {count:,} of them: {cause}"
    checked = f", {many(report.checksums, 'checksum')} compared" if report.checksums else ""
    yield f"{many(report.files, 'file')}{checked}"
    if report.totals.float32:
        follow = many(report.totals.float32, "spread", ("follows", "follow"))
        yield f"{follow} from bid and ask in 32-bit arithmetic only"
    if report.debris:
        yield f"{many(report.debris, 'file')} of debris, without data"


def _findings(findings: Sequence[Finding]) -> Iterator[str]:
    if not findings:
        yield "Nothing contradicts itself."
        return
    total = many(len(findings), "finding")
    more = f", of which the first {_LISTED} are shown" if len(findings) > _LISTED else ""
    yield f"{total}{more}:"
    for finding in findings[:_LISTED]:
        place = _printable(finding.path or finding.book or "")
        yield f"{finding.kind} {place}".rstrip()
        yield f"  {finding.text}"


def _printable(text: str) -> str:
    """Write a name so that it moves no cursor: whoever made the folder chose it."""
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )


def _day(date: int) -> str:
    text = str(date)
    return f"{text[:4]}-{text[4:6]}-{text[6:]}"
