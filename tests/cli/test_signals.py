"""When a signal ends a command in order, when at once, and when it is another one's double."""

from __future__ import annotations

import os
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from bitso_spread.cli.last_lines import report_end, report_end_at_once
from bitso_spread.cli.signals import ended_by_signals
from bitso_spread.collector import Collector, Summary
from bitso_spread.exchange.environment import Environment
from bitso_spread.lake.heartbeat import StoreBeat
from bitso_spread.model import State
from bitso_spread.sim.server import SimulatedExchange
from tests.cli.support import Start, here
from tests.cli.test_collect import eventually, journalled, recorded

KINDS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


class Clock:
    """A monotonic clock that stands until it is set forward."""

    def __init__(self) -> None:
        self.now = 5000.0

    def __call__(self) -> float:
        return self.now


class Told:
    """What a command was told by its signals, in a process that survives all of them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.said: list[str] = []
        self.deaths: list[int] = []
        self.clock = Clock()
        monkeypatch.setattr(signal, "raise_signal", self._die)
        self.block = ended_by_signals(
            lambda: self.said.append("in order"),
            lambda: self.said.append("at once"),
            clock=self.clock,
        )

    def _die(self, number: int) -> None:
        assert signal.getsignal(number) is signal.SIG_DFL
        self.deaths.append(number)

    def send(self, number: int, after_s: float = 0.0) -> None:
        self.clock.now += after_s
        handler = signal.getsignal(number)
        assert callable(handler)
        handler(number, None)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[Told]:
    before = {number: signal.getsignal(number) for number in KINDS}
    yield Told(monkeypatch)
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("second", KINDS)
@pytest.mark.parametrize("first", KINDS)
def test_the_double_of_a_signal_says_nothing_new(
    first: signal.Signals, second: signal.Signals, told: Told
) -> None:
    with told.block:
        told.send(first)
        told.send(second, after_s=0.01)
        told.send(second, after_s=0.98)
    assert (told.said, told.deaths) == (["in order"], [])


@pytest.mark.parametrize("second", KINDS)
@pytest.mark.parametrize("first", KINDS)
def test_a_second_one_a_second_later_ends_at_once(
    first: signal.Signals, second: signal.Signals, told: Told
) -> None:
    with told.block:
        told.send(first)
        told.send(first, after_s=0.5)
        told.send(second, after_s=0.5)
    assert (told.said, told.deaths) == (["in order", "at once"], [second])


def test_a_double_that_comes_when_all_is_done_does_not_count_either(told: Told) -> None:
    with told.block:
        told.send(signal.SIGTERM)
    told.send(signal.SIGINT, after_s=0.2)
    assert (told.said, told.deaths) == (["in order"], [])


def test_without_a_signal_they_are_handled_afterwards_as_before(told: Told) -> None:
    before = [signal.getsignal(number) for number in KINDS]
    with told.block:
        assert [signal.getsignal(number) for number in KINDS] != before
    assert [signal.getsignal(number) for number in KINDS] == before


def test_it_ends_though_nothing_can_be_said(told: Told) -> None:
    def refuse() -> None:
        raise BrokenPipeError

    told.block = ended_by_signals(lambda: None, refuse, clock=told.clock)
    with told.block:
        told.send(signal.SIGTERM)
        told.send(signal.SIGTERM, after_s=2.0)
    assert told.deaths == [signal.SIGTERM]


WAITING = StoreBeat("s3://b/p", files=3, since=None, trouble=None)


@pytest.mark.parametrize(
    ("journal", "memory", "store", "said"),
    [
        (0, 0, None, "every row is in a file"),
        (1, 0, None, "1 row waits in the journal; the next collect loads it"),
        (1200, 0, None, "1,200 rows wait in the journal; the next collect loads them"),
        (0, 2, None, "2 rows are lost, which the disk had not taken"),
        (
            4,
            1,
            WAITING,
            (
                "4 rows wait in the journal; the next collect loads them; 1 row is lost, which the "
                "disk had not taken; 3 files wait in half; the next collect puts them into s3://b/p"
            ),
        ),
    ],
)
def test_what_becomes_of_the_rows_is_said_as_it_ends_at_once(
    journal: int,
    memory: int,
    store: StoreBeat | None,
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    plan = SimpleNamespace(folder=Path("half"), store="s3://b/p")
    collector = SimpleNamespace(
        rows_in_journal=journal, rows_in_memory=memory, store=store, plan=plan
    )
    report_end_at_once(cast("Collector", collector))
    assert capsys.readouterr().err == f"ended at once: {said}\n"


def tell_twice(process: subprocess.Popen[str], first: int, second: int) -> None:
    """Send two signals that arrive together, however busy the machine is."""
    process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
    process.send_signal(first)
    process.send_signal(second)
    process.send_signal(signal.SIGCONT)


def test_collect_loads_its_rows_though_it_is_told_twice(
    start: Start, exchange: SimulatedExchange, tmp_path: Path
) -> None:
    process = start("collect", *here(exchange), "--lake", str(tmp_path))
    eventually(lambda: len(journalled(tmp_path, "usd_mxn")) >= 2)
    tell_twice(process, signal.SIGINT, signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert journalled(tmp_path, "usd_mxn") == []
    assert f"usd_mxn: {len(recorded(tmp_path, 'usd_mxn'))} SIMULATED rows" in err
    assert "at once" not in err


def test_the_simulated_exchange_ends_well_though_it_is_told_twice(start: Start) -> None:
    process = start("sim", "--books", "2")
    assert process.stderr is not None
    assert "SIMULATED" in process.stderr.readline()
    tell_twice(process, signal.SIGTERM, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err


@pytest.mark.parametrize(("lost", "said"), [(0, ""), (1, "; 1 of the rows is lost")])
def test_of_each_book_it_is_said_how_many_rows_are_lost(
    lost: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    summary = Summary(states={"btc_mxn": Counter({State.FRESH: 3})}, lost=Counter(btc_mxn=lost))
    collector = SimpleNamespace(
        summary=summary, plan=None, alerting=None, publisher=None, store=None
    )
    exchange = SimpleNamespace(is_simulated=False)
    report_end(cast("Collector", collector), cast("Environment", exchange))
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == f"btc_mxn: 3 rows, 3 known, 0 unknown, 0 missed{said}"
