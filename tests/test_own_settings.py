"""What a plan does not say of format, columns and interval is as the table has it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bitso_spread.board import Board
from bitso_spread.collector import Collector, Plan
from bitso_spread.errors import LakeError, LakeIdentityError
from bitso_spread.exchange.environment import Environment, environment
from bitso_spread.lake.layout import TABLE, state_file
from bitso_spread.lake.reader import Lake
from bitso_spread.lake.state import LakeState
from bitso_spread.model import Sample, State
from bitso_spread.opening import identity_of
from bitso_spread.sim.server import SimulatedExchange

PARQUET = {"format": "parquet", "columns": "full", "interval": "5"}


def env_of(exchange: SimulatedExchange) -> Environment:
    return environment("sim", exchange.rest_url, exchange.ws_url)


def a_collector(exchange: SimulatedExchange, lake: Path, **options: object) -> Collector:
    plan: dict[str, object] = {"books": ["btc_mxn"], "lake": lake, "max_wait_s": 30, "ticks": 1}
    return Collector(env_of(exchange), Plan(**{**plan, **options}))  # type: ignore[arg-type]


def test_what_is_not_asked_for_is_as_the_table_has_it_and_of_a_new_one_as_ever() -> None:
    plan = Plan(books=["btc_mxn"], lake=Path("lake"))
    new, own = plan.settled({}), plan.settled({**PARQUET, "environment": "sim"})
    assert (new.format, new.columns, new.interval) == ("csv", "five", 1)
    assert (own.format, own.columns, own.interval) == ("parquet", "full", 5)
    some = replace(plan, columns="five").settled(PARQUET)
    assert (some.format, some.columns, some.interval) == ("parquet", "five", 5)


def test_a_duration_is_as_many_ticks_as_the_interval_of_the_table_makes_it() -> None:
    plan = Plan(books=["btc_mxn"], lake=Path("lake"), duration_s=12)
    assert (plan.settled({}).ticks, plan.settled(PARQUET).ticks) == (12, 3)
    assert replace(plan, ticks=2).settled(PARQUET).ticks == 2
    assert replace(plan, duration_s=None).settled(PARQUET).ticks is None


@pytest.mark.parametrize(
    "held", [{"format": "orc"}, {"columns": "ten"}, {"interval": "7"}, {"interval": "often"},
             {"interval": "0"}],
)  # fmt: skip
def test_a_table_that_holds_what_this_version_cannot_record_is_left_alone(
    held: dict[str, str],
) -> None:
    ((name, value),) = held.items()
    with pytest.raises(LakeError, match=f"holds {name} {value}, which this version cannot"):
        Plan(books=["btc_mxn"], lake=Path("lake")).settled(held)


def test_a_later_collection_goes_on_as_the_first_one_began(tmp_path: Path) -> None:
    with SimulatedExchange() as exchange:
        a_collector(exchange, tmp_path, format="parquet", columns="full", interval=2).run()
        later = a_collector(exchange, tmp_path, ticks=2)
        later.run()
    assert (later.plan.format, later.plan.columns, later.plan.interval) == ("parquet", "full", 2)
    assert later.beat().interval == 2
    assert {file.path.suffix for file in Lake(tmp_path).files()} == {".parquet"}
    rows = Lake(tmp_path).read(columns="full")
    times = rows["orderbook_timestamp"].dt.epoch("s").to_list()
    assert len(times) == 3
    assert all(time % 2 == 0 for time in times)
    assert times[2] - times[1] == 2
    assert rows["state"].null_count() == 0


def test_who_asks_for_nothing_goes_on_where_the_journal_is_gone(tmp_path: Path) -> None:
    with SimulatedExchange() as exchange:
        a_collector(exchange, tmp_path, format="parquet", columns="full", ticks=2).run()
        state_file(tmp_path, TABLE).unlink()
        later = a_collector(exchange, tmp_path)
        later.run()
    assert (later.plan.format, later.plan.columns, later.plan.interval) == ("parquet", "full", 1)


def test_of_two_that_begin_at_once_the_one_that_asked_for_nothing_is_told_to_begin_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with SimulatedExchange() as exchange:
        late = a_collector(exchange, tmp_path)
        theirs = replace(identity_of(late.environment, late.plan), format="parquet")
        look_up = late._books.look_up

        def settle_meanwhile() -> list[str]:
            with LakeState(state_file(tmp_path, TABLE)) as state:
                state.claim(theirs, settle=True)
                # It has recorded by the time the other one is refused.
                state.take_over({}, {"usd_mxn": 1})
            return look_up()

        monkeypatch.setattr(late._books, "look_up", settle_meanwhile)
        with pytest.raises(LakeIdentityError, match="holds format parquet, and format csv") as lost:
            late.run()
        assert "start it again" in lost.value.__notes__[0]
        assert late.summary.ticks == 0
        again = a_collector(exchange, tmp_path)
        again.run()
        assert again.plan.format == "parquet"
        # Who asks for something else is told just that, and not to try again.
        with pytest.raises(LakeIdentityError, match="and format csv was asked for") as refused:
            a_collector(exchange, tmp_path, format="csv").run()
        assert not hasattr(refused.value, "__notes__")


def test_a_board_that_learns_its_interval_has_ten_minutes_all_the_same() -> None:
    late, known = Board(), Board(60)
    late.tick_every(60)
    for board in (late, known):
        board.add([Sample.blank(0, "btc_mxn", State.UNKNOWN)])
        board.add([Sample.blank(540, "btc_mxn", State.UNKNOWN)])
    assert late.interval == 60
    assert late.lines(540.0) == known.lines(540.0) != []
