"""Thresholds as people write them, and which of them a book has."""

from __future__ import annotations

import math

import pytest

from bitso_spread.alerts.rules import AlertRules, Threshold, parse_thresholds
from bitso_spread.errors import UnknownBookError, UsageError


def test_a_threshold_is_for_every_book_or_for_one_in_any_way_of_writing_it() -> None:
    assert parse_thresholds(["0.5", "BTC-MXN=0.3", "1%", " 0.5 "]) == (
        Threshold(0.5),
        Threshold(0.3, "btc_mxn"),
        Threshold(1.0),
    )


@pytest.mark.parametrize("text", ["", "wide", "0", "-1", "100", "nan", "inf", "btc_mxn=", "1,2"])
def test_what_no_spread_can_exceed_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError, match=r"btc_mxn=0\.3 for one"):
        parse_thresholds([text])


def test_a_book_that_cannot_be_one_is_refused() -> None:
    with pytest.raises(UsageError, match="is not a book"):
        parse_thresholds(["../x=0.3"])


def test_a_book_has_its_own_thresholds_instead_of_the_general_ones() -> None:
    rules = AlertRules(parse_thresholds(["0.5", "1", "btc_mxn=0.3", "btc_mxn=0.4"]))
    assert rules.of_book("btc_mxn") == (0.4, 0.3)
    assert rules.of_book("usd_mxn") == (1.0, 0.5)


def test_books_are_found_under_their_canonical_names_or_the_nearest_is_told() -> None:
    books = ["btc_mxn", "usd_mxn"]
    rules = AlertRules(parse_thresholds(["mxn/btc=0.3"])).resolved(books)
    assert rules.of_book("btc_mxn") == (0.3,)
    with pytest.raises(UnknownBookError, match="did you mean btc_mxn"):
        AlertRules(parse_thresholds(["btc_mnx=0.3"])).resolved(books)


@pytest.mark.parametrize("wrong", [{"hold_s": -1.0}, {"cooldown_s": math.nan}])
def test_a_time_that_is_none_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=r"--alert-(hold|cooldown) must be 0 or more"):
        AlertRules(**wrong)  # type: ignore[arg-type]
