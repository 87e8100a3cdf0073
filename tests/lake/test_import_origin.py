"""What rows were recorded from: what files tell of it, and what is said of others."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest

from bitso_spread.errors import LakeError, LakeIdentityError, UsageError
from bitso_spread.lake import layout
from bitso_spread.lake.origin import to_metadata, told_in
from tests.lake.audit_support import record
from tests.lake.import_support import a_source, bring, rows_from
from tests.lake.support import NOON

KEY = "bitso-spread.environment"


def labelled(folder: Path, *environments: str, name: str = "rows.parquet") -> Path:
    """Parquet as ``query --output`` writes it of rows of these environments."""
    path = a_source(folder, rows_from(NOON, 5), name)
    pl.read_parquet(path).write_parquet(path, metadata={KEY: ",".join(environments)})
    return path


@pytest.mark.parametrize(
    ("environments", "says"),
    [
        ((), {}),
        (("production",), {}),
        (("sim",), {KEY: "sim"}),
        (("sim", "production"), {KEY: "production,sim"}),
    ],
)
def test_a_file_says_what_is_not_of_production_alone(
    environments: Sequence[str], says: dict[str, str]
) -> None:
    assert to_metadata(environments) == says
    assert set(told_in(says)) == (set(environments) if says else set())


@pytest.mark.parametrize("name", ["rows.parquet", "btc_mxn-20260921.parquet"])
def test_what_parquet_says_of_itself_goes_before_its_name(tmp_path: Path, name: str) -> None:
    done = bring(tmp_path / "lake", labelled(tmp_path, "sim", name=name))
    assert (done.environment, done.unlabelled, done.taken) == ("sim", 0, 5)


def test_a_file_of_mixed_rows_is_refused(tmp_path: Path) -> None:
    mixed = labelled(tmp_path, "production", "sim")
    with pytest.raises(LakeIdentityError, match=r"rows\.parquet holds rows of production and sim"):
        bring(tmp_path / "lake", mixed)


@pytest.mark.parametrize("name", ["../../x", "", "a b", "Ñ"])
def test_what_cannot_be_an_environment_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(LakeError, match="no environment is called"):
        bring(tmp_path / "lake", labelled(tmp_path, name))


def test_files_that_do_not_tell_are_what_is_said_of_them(tmp_path: Path) -> None:
    lake, source = tmp_path / "lake", a_source(tmp_path, rows_from(NOON, 5))
    done = bring(lake, source, environment="sim")
    assert (done.environment, done.unlabelled) == ("sim", 0)
    files = [path.name for path in (lake / layout.TABLE).rglob("*.csv")]
    assert files == ["sim-btc_mxn-20260921T120000Z.csv"]
    done = bring(tmp_path / "other", source)
    assert (done.environment, done.unlabelled) == ("production", 5)


def test_rows_that_tell_and_rows_that_do_not_are_counted_apart(tmp_path: Path) -> None:
    name = layout.file_name("production", "eth_mxn", NOON, "csv")
    told = a_source(tmp_path, rows_from(NOON, 7, "eth_mxn"), name)
    done = bring(tmp_path / "lake", told, a_source(tmp_path, rows_from(NOON, 5)))
    assert (done.read, done.unlabelled) == (12, 5)


def test_what_contradicts_what_is_said_of_it_is_refused(tmp_path: Path) -> None:
    simulated = labelled(tmp_path, "sim")
    silent = a_source(tmp_path, rows_from(NOON, 5))
    with pytest.raises(LakeIdentityError, match="recorded from sim, as it says itself, and not"):
        bring(tmp_path / "lake", simulated, silent, environment="production")
    told: list[LakeError] = []
    done = bring(tmp_path / "lake", simulated, silent, environment="production", on_bad=told.append)
    assert (done.files, done.taken, len(told), len(done.unreadable)) == (1, 5, 1, 1)


def test_where_nothing_is_left_the_first_contradiction_is_the_error(tmp_path: Path) -> None:
    with pytest.raises(LakeIdentityError, match="as it says itself"):
        bring(
            tmp_path / "lake",
            labelled(tmp_path, "sim"),
            environment="stage",
            on_bad=lambda _: None,
        )


def test_a_journal_that_contradicts_what_is_said_of_it_is_refused(tmp_path: Path) -> None:
    record(tmp_path / "source", rows_from(NOON, 5), write=False, environment="sim")
    with pytest.raises(LakeIdentityError, match=r"sqlite3 was recorded from sim"):
        bring(tmp_path / "lake", tmp_path / "source", environment="production")


@pytest.mark.parametrize("name", ["simm", "../sim", "", "Prod"])
def test_an_environment_that_there_is_not_is_wrong_usage(tmp_path: Path, name: str) -> None:
    source = a_source(tmp_path, rows_from(NOON, 5))
    with pytest.raises(UsageError, match="there is no environment"):
        bring(tmp_path / "lake", source, environment=name)
