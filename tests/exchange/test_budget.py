import logging
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from bitso_spread.exchange.budget import RequestBudget, budget_of
from bitso_spread.exchange.environment import PRODUCTION, environment
from bitso_spread.exchange.rest_errors import BudgetExhausted
from bitso_spread.user_folders import state_folder

START = 1_721_964_340.0


class FakeClock:
    def __init__(self) -> None:
        self.now = START
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(params=["in memory", "in a file"])
def budget(request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock) -> RequestBudget:
    if request.param == "in memory":
        return RequestBudget.in_memory(clock=clock)
    return RequestBudget.shared("bitso.com", tmp_path / "deep" / "budget", clock=clock)


def take(budget: RequestBudget, count: int = 60) -> list[int]:
    slots = [budget.reserve().slot for _ in range(count)]
    assert None not in slots
    return [slot for slot in slots if slot is not None]


def test_a_burst_of_sixty_is_allowed_and_the_next_waits(budget: RequestBudget) -> None:
    assert len(set(take(budget))) == 60
    wait_s, slot, silenced = budget.reserve()
    assert (slot, silenced) == (None, False)
    assert wait_s > 0


def test_a_slot_is_free_61_s_after_its_reply(budget: RequestBudget, clock: FakeClock) -> None:
    slots = take(budget)
    clock.now += 0.25
    for slot in slots:
        budget.replied(slot)
    assert budget.reserve().wait_s == pytest.approx(61)
    clock.now += 60.9
    assert budget.reserve().slot is None
    clock.now += 0.2
    assert budget.reserve().slot is not None


def test_a_slot_without_a_reply_is_free_after_61_s_and_the_request_timeout(
    budget: RequestBudget,
    clock: FakeClock,
) -> None:
    for _ in range(60):
        budget.reserve(request_s=10)
    clock.now += 70.9
    assert budget.reserve().wait_s == pytest.approx(0.1, abs=0.01)
    clock.now += 0.2
    assert budget.reserve().slot is not None


def test_a_reply_that_came_after_its_slot_was_given_up_still_counts(
    budget: RequestBudget,
    clock: FakeClock,
) -> None:
    late = take(budget, 1)[0]
    clock.now += 500
    budget.replied(late)
    take(budget, 59)
    assert budget.reserve().slot is None


def test_no_minute_holds_more_than_sixty_requests(budget: RequestBudget, clock: FakeClock) -> None:
    sent: list[float] = []
    for step in range(200):
        slot = budget.acquire(clock.sleep, patience_s=100)
        sent.append(clock.now)
        clock.now += 0.3 * (step % 3)
        budget.replied(slot)
    assert all(later - sooner > 60 for sooner, later in zip(sent, sent[60:], strict=False))


def test_a_lock_out_is_a_minute_of_silence_whatever_is_free(
    budget: RequestBudget,
    clock: FakeClock,
) -> None:
    budget.silence()
    wait_s, slot, silenced = budget.reserve()
    assert (slot, silenced) == (None, True)
    assert wait_s == pytest.approx(61)
    clock.now += 61.1
    assert budget.reserve().slot is not None


def test_a_shorter_silence_does_not_end_a_longer_one(
    budget: RequestBudget,
    clock: FakeClock,
) -> None:
    budget.silence(61)
    budget.silence(5)
    clock.now += 30
    assert budget.reserve().wait_s == pytest.approx(31)


def test_when_the_clock_steps_back_a_slot_is_taken_no_longer_than_a_minute_from_now(
    budget: RequestBudget,
    clock: FakeClock,
) -> None:
    for slot in take(budget):
        budget.replied(slot)
    budget.silence()
    clock.now -= 86_400
    assert budget.reserve().wait_s == pytest.approx(61)
    clock.now += 61.1
    assert budget.reserve().slot is not None


def test_waiting_for_a_slot_takes_as_long_as_it_must(
    budget: RequestBudget,
    clock: FakeClock,
) -> None:
    for slot in take(budget):
        budget.replied(slot)
    clock.now += 58
    budget.acquire(clock.sleep, patience_s=10)
    assert sum(clock.slept) == pytest.approx(3)


def test_a_wait_beyond_the_callers_patience_is_refused_at_once(
    budget: RequestBudget,
    clock: FakeClock,
) -> None:
    for slot in take(budget):
        budget.replied(slot)
    with pytest.raises(BudgetExhausted, match=r"all 60 requests.*in 61 s") as caught:
        budget.acquire(clock.sleep, patience_s=10)
    assert caught.value.wait_s == pytest.approx(61)
    assert clock.slept == []


def test_patience_is_not_renewed_when_others_take_the_free_slot(clock: FakeClock) -> None:
    budget = RequestBudget.in_memory(requests=1, clock=clock)
    budget.replied(take(budget, 1)[0])
    clock.now += 60

    def sleep_while_another_is_quicker(seconds: float) -> None:
        clock.sleep(seconds)
        budget.replied(take(budget, 1)[0])

    with pytest.raises(BudgetExhausted):
        budget.acquire(sleep_while_another_is_quicker, patience_s=61.5)
    assert sum(clock.slept) == pytest.approx(1)


def test_a_refusal_says_that_the_exchange_asked_for_silence(
    budget: RequestBudget,
    clock: FakeClock,
) -> None:
    budget.silence()
    with pytest.raises(BudgetExhausted, match="exchange has said"):
        budget.acquire(clock.sleep)


def test_the_ledger_outlives_a_restart(tmp_path: Path, clock: FakeClock) -> None:
    take(RequestBudget.shared("bitso.com", tmp_path / "budget", clock=clock), 59)
    again = RequestBudget.shared("bitso.com", tmp_path / "budget", clock=clock)
    take(again, 1)
    assert again.reserve().slot is None


def test_another_exchange_has_its_own_ledger(tmp_path: Path, clock: FakeClock) -> None:
    take(RequestBudget.shared("bitso.com", tmp_path / "budget", clock=clock))
    take(RequestBudget.shared("stage.bitso.com", tmp_path / "budget", clock=clock))


TAKES_ALL = """
import sys
from bitso_spread.exchange.budget import budget_of
from bitso_spread.exchange.environment import PRODUCTION

budget = budget_of(PRODUCTION)
sys.stdin.readline()
taken = 0
while (slot := budget.reserve().slot) is not None:
    taken += 1
    budget.replied(slot)
print(taken)
"""


def test_two_processes_share_sixty_requests() -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", TAKES_ALL],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    taken = [int(process.communicate(timeout=30)[0]) for process in processes]
    assert sum(taken) == 60
    assert budget_of(PRODUCTION).reserve().slot is None


def test_a_folder_that_cannot_be_written_costs_one_warning_and_not_the_limit(
    tmp_path: Path,
    clock: FakeClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    (tmp_path / "file").touch()
    budget = RequestBudget.shared("bitso.com", tmp_path / "file" / "budget", clock=clock)
    with caplog.at_level(logging.WARNING):
        take(budget)
        assert budget.reserve().slot is None
    assert len(caplog.records) == 1
    assert "not shared with other processes" in caplog.text


@pytest.mark.parametrize("content", [b"this is no database, and longer than a page header", None])
def test_a_spoilt_file_costs_one_warning_and_not_the_limit(
    tmp_path: Path,
    clock: FakeClock,
    caplog: pytest.LogCaptureFixture,
    content: bytes | None,
) -> None:
    path = tmp_path / "budget"
    if content is None:
        file = sqlite3.connect(path)
        file.execute("CREATE TABLE ledgers (key TEXT PRIMARY KEY, ledger TEXT)")
        file.execute("INSERT INTO ledgers VALUES ('bitso.com', 'not a ledger')")
        file.commit()
        file.close()
    else:
        path.write_bytes(content * 100)
    budget = RequestBudget.shared("bitso.com", path, clock=clock)
    with caplog.at_level(logging.WARNING):
        take(budget)
    assert len(caplog.records) == 1


def test_this_machine_needs_no_file_and_one_port_has_one_budget(tmp_path: Path) -> None:
    sim = environment("sim", "http://127.0.0.1:8080/v3", "ws://127.0.0.1:8080")
    other = environment("sim", "http://127.0.0.1:8081/v3", "ws://127.0.0.1:8081")
    assert budget_of(sim) is budget_of(sim)
    assert budget_of(sim) is not budget_of(other)
    budget_of(sim).reserve()
    assert not (tmp_path / "state").exists()


def test_the_state_folder_is_where_each_system_keeps_it() -> None:
    assert state_folder({"HOME": "/home/me"}, "linux") == Path("/home/me/.local/state/bitso-spread")
    given = {"HOME": "/home/me", "XDG_STATE_HOME": "/state"}
    assert state_folder(given, "linux") == Path("/state/bitso-spread")
    relative = {"HOME": "/home/me", "XDG_STATE_HOME": "state"}
    assert state_folder(relative, "linux") == Path("/home/me/.local/state/bitso-spread")
    mac = state_folder(given, "darwin")
    assert mac == Path("/home/me/Library/Application Support/bitso-spread")
    windows = state_folder({"LOCALAPPDATA": "/local"}, "win32")
    assert windows == Path("/local/bitso-spread")
