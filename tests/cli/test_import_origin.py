"""Simulated rows that leave a lake and come back by ``import``."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from tests.cli.support import Run
from tests.lake.audit_support import record
from tests.lake.import_support import in_lake, rows_from
from tests.lake.support import DAY

KEY = "bitso-spread.environment"
HISTORY = DAY - 500 * 86_400
"""Long over, whenever the tests run."""
SILENT = (
    "bitso-spread: 5 rows are of files that do not say what they were recorded from, and count as "
    "production; --environment sim says otherwise\n"
)
SIMULATED = "bitso-spread: SIMULATED: rows are of the simulated exchange\n"


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_simulated_rows_that_are_exported_and_imported(run: Run, tmp_path: Path, form: str) -> None:
    record(tmp_path / "simulated", rows_from(HISTORY, 5), environment="sim")
    export, new = tmp_path / f"x.{form}", tmp_path / "new"
    asked = "query", "--lake", str(tmp_path / "simulated"), "--output", str(export)
    assert run(*asked)[0] == 0
    if form == "parquet":
        assert pl.read_parquet_metadata(export)[KEY] == "sim"
        said = SIMULATED
    else:
        said = SILENT
    status, out, err = run("import", str(export), "--lake", str(new))
    assert (status, err) == (0, said)
    assert ("5 SIMULATED rows" in out) == (form == "parquet")
    status, out, err = run("import", str(export), "--lake", str(tmp_path / "told"), "-e", "sim")
    assert (status, err) == (0, SIMULATED)
    assert len(in_lake(tmp_path / "told")) == 5


def test_parquet_of_production_says_nothing_of_it(run: Run, tmp_path: Path) -> None:
    record(tmp_path / "lake", rows_from(HISTORY, 5))
    export = tmp_path / "x.parquet"
    assert run("query", "--lake", str(tmp_path / "lake"), "--output", str(export))[0] == 0
    assert KEY not in pl.read_parquet_metadata(export)
