"""A collector as a process of its own, whose disk and clock ail while it runs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bitso_spread.sim.server import SimulatedExchange
from tests.faults.stage import Process, Stage, eventually, here

_CHILD = Path(__file__).with_name("child.py")


class Ailing:
    """``bitso-spread collect``, which can be told while it runs what is wrong with its machine.

    What can be told: `staging` and `move`, the error that making a file, or putting it into the
    table, ends with (ENOSPC, EROFS); `journal="read-only"`; `file_size`, the bytes beyond which
    no file can grow; `sync`, the seconds that each sync takes; `clock`, how many seconds the
    wall clock is off.
    """

    def __init__(
        self, stage: Stage, exchange: SimulatedExchange, *arguments: str, **orders: object
    ) -> None:
        number = len(list(stage.folder.glob("orders-*")))
        self._orders = stage.folder / f"orders-{number}"
        self.tell(**orders)
        command = [sys.executable, str(_CHILD), str(self._orders), "collect", *here(exchange)]
        self.process: Process = stage.run([*command, "--lake", str(stage.lake), *arguments])

    def tell(self, **orders: object) -> None:
        """Let this be wrong from now on, and nothing else."""
        new = self._orders.with_suffix(".new")
        new.write_text("".join(f"{word} {value}\n" for word, value in orders.items()))
        new.replace(self._orders)

    @contextmanager
    def told(self, **orders: object) -> Iterator[None]:
        """Let this be wrong during the block."""
        self.tell(**orders)
        try:
            yield
        finally:
            self.tell()

    def says(self, text: str, within: float = 30.0) -> None:
        """Wait until it says something on stderr."""
        eventually(lambda: text in self.process.err, within=within, what=text)

    def end(self) -> None:
        """End it in order."""
        assert self.process.end() == 0, self.process.err
