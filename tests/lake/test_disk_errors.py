"""A disk that refuses what polars writes: the error is the disk's."""

from __future__ import annotations

import errno
from pathlib import Path

import polars as pl
import pytest

from bitso_spread.errors import LakeError
from bitso_spread.lake.disk_errors import as_os_errors, os_error_in
from bitso_spread.lake.importing.spool import Spool
from tests.lake.import_support import a_source, bring, rows_from
from tests.lake.support import NOON

ROWS = pl.DataFrame({"n": range(100_000)})
needs_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="no disk that is full")


@needs_full
def test_a_full_disk_is_an_error_of_the_system() -> None:
    with pytest.raises(OSError, match="No space left on device") as caught, as_os_errors():
        ROWS.write_parquet("/dev/full")
    assert caught.value.errno == errno.ENOSPC


def test_what_polars_says_of_rows_stays_as_it_is() -> None:
    with pytest.raises(pl.exceptions.ColumnNotFoundError), as_os_errors():
        ROWS.select("none")
    assert os_error_in(ValueError("os error 28")) is None


@needs_full
def test_an_import_onto_a_full_disk_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Spool, "_part", lambda *_: Path("/dev/full"))
    with pytest.raises(LakeError) as caught:
        bring(tmp_path / "lake", a_source(tmp_path, rows_from(NOON, 5)))
    assert str(caught.value) == (
        f"cannot write into {tmp_path / 'lake'}: [Errno 28] No space left on device; import again "
        "once it can be written"
    )
