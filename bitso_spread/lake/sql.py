"""SQL over a lake: what polars makes of it, and what people write besides.

polars parses and plans the query, over the scan that opens only what is needed. Before that, the
literals that mean a book or a day here are written as the lake has them, in their places.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from bitso_spread.errors import UnknownBookError, UsageError
from bitso_spread.lake.merge import at_least_one
from bitso_spread.lake.pruning import BOOK_KEY
from bitso_spread.model import parse_book
from bitso_spread.waiting import hearing

_TOKEN = re.compile(
    r"""(?P<blank>\s+|--[^\n]*|/\*.*?\*/)|(?P<text>'(?:[^']|'')*')"""
    r"""|(?P<name>[A-Za-z_]\w*|"(?:[^"]|"")*"|`[^`]*`)|(?P<other>.)""",
    re.DOTALL,
)
_DAY = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)", re.ASCII)
_COLUMNS = {BOOK_KEY, "book", "date"}
_COMPARES = {"=", "<", ">", "!", "."}
# What may stand between a column and the literals that it is compared with.
_BETWEEN = {*_COMPARES, "(", ",", "in", "not", "between", "and", "timestamp"}


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int

    @property
    def word(self) -> str:
        """The text as it is compared with others."""
        return self.text.strip('"`').lower()


def plan(
    query: str, table: str, frame: pl.LazyFrame, resolve: Callable[[str], str]
) -> pl.LazyFrame:
    """Give the plan of a SELECT over a frame.

    Args:
        query: in it, the names of books that `order_book` and `book` are compared with may be
            written in any way, days that `date` is compared with as dates, and timestamps without
            an offset are UTC.
        table: what the query calls the frame.
        frame: the rows.
        resolve: gives the lake's own name of a book.

    Raises:
        UsageError: it is no SELECT, or names what there is not; the message says where or what.
    """
    tokens = [token for token in _tokens(query) if token.kind != "blank"]
    if not tokens or tokens[0].word not in {"select", "with"}:
        raise UsageError(f"--sql takes one query: SELECT … FROM {table} …")  # noqa: S608  (advice)
    context = pl.SQLContext({table: frame})
    with errors():
        planned = context.execute(_rewritten(query, tokens, resolve))
        # A column that there is not shows only now.
        planned.collect_schema()
    return planned


def rows_of(
    planned: pl.LazyFrame, give_up: Callable[[], None] = lambda: None
) -> Iterator[pl.DataFrame]:
    """Carry out a plan, and give its rows in frames that follow one another: at least one.

    `give_up` is called on Ctrl-C: whoever reads the lake waits for nothing any more.

    Raises:
        UsageError: two things cannot be compared, or the like; the message says which.
        LakeError: a file is gone, cut short or not what it should be.
    """
    with errors():
        empty = pl.DataFrame(schema=planned.collect_schema())
        yield from at_least_one(hearing(planned.collect_batches(), give_up), empty)


class errors:  # noqa: N801  (used as `contextlib.suppress` is)
    """Turn what polars says of a query into one line for its author."""

    def __enter__(self) -> None:
        """Nothing is to be done."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Raise a `UsageError` in the place of an error of polars."""
        if isinstance(error, pl.exceptions.PolarsError):
            text = str(error).partition("\n")[0].removeprefix("sql parser error: ")
            raise UsageError(f"--sql: {text}") from error


def _tokens(query: str) -> Iterator[_Token]:
    for found in _TOKEN.finditer(query):
        yield _Token(str(found.lastgroup), found.group(), found.start())


def _rewritten(query: str, tokens: Sequence[_Token], resolve: Callable[[str], str]) -> str:
    """Write literals anew, in as many characters, so that positions in errors still hold."""
    text = query
    for index, token in enumerate(tokens):
        if token.kind != "text":
            continue
        if index and tokens[index - 1].word == "timestamp":
            # polars takes such a literal for a time without a zone, and compares it with no other.
            text = _put(text, tokens[index - 1], "")
        column = _compared_with(tokens, index)
        if column in {BOOK_KEY, "book"}:
            text = _put(text, token, _book(token.text, resolve))
        elif column == "date" and (day := _DAY.fullmatch(token.text[1:-1])):
            text = _put(text, token, "".join(day.groups()))
    return text


def _put(text: str, token: _Token, anew: str) -> str:
    length = len(token.text)
    return text[: token.at] + anew.ljust(length)[:length] + text[token.at + length :]


def _compared_with(tokens: Sequence[_Token], index: int) -> str | None:
    """Give the column that a literal is compared with, which stands before it or after."""
    for token in reversed(tokens[:index]):
        if token.word in _COLUMNS:
            return token.word
        if token.kind != "text" and token.word not in _BETWEEN:
            break
    for number, token in enumerate(tokens[index + 1 :], index + 1):
        is_table = tokens[number + 1 : number + 2] and tokens[number + 1].text == "."
        if token.kind == "name" and not is_table:
            return token.word
        if token.kind != "name" and token.text not in _COMPARES:
            break
    return None


def _book(literal: str, resolve: Callable[[str], str]) -> str:
    try:
        return f"'{resolve(parse_book(literal[1:-1]))}'"
    except (UsageError, UnknownBookError):
        # No book of the lake: no row has it, and none is given.
        return literal
