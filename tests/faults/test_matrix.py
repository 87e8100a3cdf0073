"""Nothing known is lost, nothing is twice, nothing is invented, and the grid holds: each fault."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path

import pytest

from tests.faults import matrix
from tests.faults.matrix import Row

README = Path(__file__).parents[2] / "README.md"
# Those that wait for their turn wait for all others.
PATIENCE_S = 240


@pytest.mark.timeout(PATIENCE_S)
@pytest.mark.parametrize("row", matrix.rows(), ids=lambda row: row.name)
def test_nothing_is_lost(row: Row, outcomes: Mapping[str, Future[None]]) -> None:
    outcomes[row.name].result()


def test_the_table_in_the_readme_is_the_matrix() -> None:
    lines = README.read_text(encoding="utf-8").splitlines()
    if matrix.HEADER not in lines:
        pytest.skip("the README has no table of the matrix yet")
    start = lines.index(matrix.HEADER)
    end = lines.index("", start)
    assert "\n".join(lines[start:end]) == matrix.table()
