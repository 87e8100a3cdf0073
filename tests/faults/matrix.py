"""The fault matrix: what is injected, what is lost, and the scenario that shows it.

A scenario is a plain function of a `Stage`, in a module of this folder whose name begins with
one of `PARTS`, and fails by AssertionError::

    @row(injected="connection reset", lost="nothing", takes=6)
    def reset(stage: Stage) -> None:
        exchange = stage.exchange()
        with stage.collect(exchange) as recording:
            recording.wait(3)
            with stage.fault():
                exchange.faults.drop_connections()
                recording.wait(3)
        stage.check()

`stage` says what a stage can do. Scenarios run side by side in threads of one process, in real
time, beside some ten others on two cores: wait for conditions, allow for a busy machine, patch
nothing, and read no log but that of a process of your own. `python -m tests.faults.matrix` prints
the README's table.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.faults.stage import Stage

PARTS = (
    "wire_link",
    "wire_frames",
    "wire_rest",
    "wire_names",
    "disk_",
    "process_",
    "clock_",
)
"""How the names of modules with scenarios begin, in the table's order."""

HEADER = "| injected | lost |"

Scenario = Callable[[Stage], None]


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the matrix."""

    injected: str
    lost: str
    scenario: Scenario
    takes: float
    """About how many seconds; those that take longest begin first."""

    @property
    def name(self) -> str:
        """What pytest calls it."""
        return self.scenario.__name__


_rows: dict[str, Row] = {}


def row(*, injected: str, lost: str, takes: float = 10.0) -> Callable[[Scenario], Scenario]:
    """Put a scenario into the matrix, with the words of the README's table."""

    def register(scenario: Scenario) -> Scenario:
        assert scenario.__name__ not in _rows, f"two scenarios are called {scenario.__name__}"
        _rows[scenario.__name__] = Row(injected, lost, scenario, takes)
        return scenario

    return register


def rows() -> list[Row]:
    """Give all rows in the table's order: by part, module, and place in it."""
    here = Path(__file__).parent
    for part in PARTS:
        for path in sorted(here.glob(f"{part}*.py")):
            importlib.import_module(f"tests.faults.{path.stem}")
    return list(_rows.values())


def table() -> str:
    """Give the README's table."""
    return "\n".join([HEADER, "| --- | --- |", *(f"| {r.injected} | {r.lost} |" for r in rows())])


if __name__ == "__main__":
    # As a module of its own name, and not as __main__, which has a registry that stays empty.
    from tests.faults import matrix

    print(matrix.table())
