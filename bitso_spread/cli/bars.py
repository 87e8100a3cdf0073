"""Bars on stderr that show a person how far a command is; nothing where nobody is looking."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bitso_spread.cli.logs import is_quiet
from bitso_spread.cli.stdout import is_terminal

if TYPE_CHECKING:
    from rich.progress import TaskID

OnProgress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""


def is_watched() -> bool:
    """Tell whether there is anybody to see a bar."""
    return is_terminal(sys.stderr) and not is_quiet()


@contextmanager
def bars(*, wanted: bool = True) -> Iterator[OnProgress]:
    """Give what shows how far it is: a bar for each thing that is done, while the block runs.

    A thing of which it is not known how much there is has 0 of 0, and a bar that moves to and fro.
    """
    if not (wanted and is_watched()):
        yield lambda *_: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        tasks: dict[str, TaskID] = {}

        def show(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = shown.add_task(what, total=None)
            shown.update(tasks[what], completed=done, total=total or None)

        yield show
