"""Runs the scenarios of the fault matrix side by side: they mostly wait."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import cast

import pytest

from tests.faults.matrix import Row
from tests.faults.stage import Stage

# Each is some threads that sleep until the next second, on a machine with two cores.
_AT_ONCE = 10


@pytest.fixture(scope="session")
def outcomes(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mapping[str, Future[None]]]:
    """Begin all scenarios that were selected, the longest first, and give their futures."""
    chosen = [
        cast("Row", item.callspec.params["row"])
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.path.parent == Path(__file__).parent
        if "outcomes" in item.fixturenames
    ]
    with ThreadPoolExecutor(_AT_ONCE, "scenario") as pool:
        yield {
            row.name: pool.submit(_play, row, tmp_path_factory.mktemp(row.name))
            for row in sorted(chosen, key=lambda row: -row.takes)
        }
        pool.shutdown(wait=True, cancel_futures=True)


def _play(row: Row, folder: Path) -> None:
    with Stage(folder) as stage:
        row.scenario(stage)
