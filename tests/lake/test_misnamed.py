"""A folder that is no lake: which one was probably meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from bitso_spread.errors import LakeError, UsageError
from bitso_spread.lake.misnamed import check_not_inside, meant
from bitso_spread.lake.reader import Lake

TABLE = "BitsoSpreadMonitor"


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    lake = tmp_path / "home" / "data"
    (lake / TABLE / "date=20240726" / "order_book=btc_mxn" / "minutes=195").mkdir(parents=True)
    return lake


@pytest.mark.parametrize(
    "deeper", ["date=20240726", "date=20240726/order_book=btc_mxn", "date=20240726/no/such"]
)
def test_a_folder_in_a_table_names_the_lake_around_it(deeper: str, lake: Path) -> None:
    with pytest.raises(LakeError, match=f"inside of the lake {lake}: name it with --lake {lake}$"):
        Lake(lake / TABLE / deeper)
    with pytest.raises(UsageError, match=f"inside of the lake {lake}: name it with --lake {lake}$"):
        check_not_inside(lake / TABLE / deeper)


def test_another_table_is_named_with_its_lake(lake: Path) -> None:
    (lake / TABLE).rename(lake / "Prices")
    with pytest.raises(LakeError, match=f"--lake {lake} --table Prices$"):
        Lake(lake / "Prices" / "date=20240726")
    with pytest.raises(UsageError, match=f"--lake {lake} --table Prices$"):
        check_not_inside(lake / "Prices")


def test_a_folder_that_contains_a_lake_names_it(lake: Path) -> None:
    for higher in (lake.parent, lake.parent.parent):
        with pytest.raises(LakeError, match=f"there is a lake in it, {lake}: name that one"):
            Lake(higher)
        # A new lake may well be made there.
        check_not_inside(higher)


def test_a_table_that_is_misspelt_or_another_is_named(lake: Path) -> None:
    with pytest.raises(LakeError, match=f"did you mean --table {TABLE}\\?$"):
        Lake(lake, "BitsoSpreadMonitr")
    with pytest.raises(LakeError, match=f"it has {TABLE}: name that with --table$"):
        Lake(lake, "Prices")
    # That of the compacted days is nobody's to name.
    (lake / "BitsoSpreadDaily" / "date=20240726").mkdir(parents=True)
    with pytest.raises(LakeError, match=f"it has {TABLE}: name that with --table$"):
        Lake(lake, "Prices")


def test_a_lake_that_is_misspelt_is_named(lake: Path) -> None:
    with pytest.raises(LakeError, match=f"did you mean --lake {lake}\\?$"):
        Lake(lake.with_name("dat"))


def test_where_nothing_is_near_it_says_what_to_do(lake: Path) -> None:
    with pytest.raises(LakeError, match="name the right one with --lake, or make one with"):
        Lake(lake.parent / "elsewhere" / "far")


def test_of_a_lake_nothing_is_said(lake: Path) -> None:
    assert meant(lake, TABLE) == ""
    check_not_inside(lake)
