"""``bitso-spread doctor``: what a person and a program see of it."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

import bitso_spread.doctor
from bitso_spread.doctor import Timings, examine
from bitso_spread.sim.server import SimulatedExchange
from bitso_spread.sim.synthetic import SyntheticMarket
from tests.cli.support import Run, Start, here
from tests.publish.brokers import Brokers

QUICK = Timings(timeout_s=2, listen_s=0.1, keepalive_s=0.3, margin_s=0.15, settle_s=0.05)


@pytest.fixture
def exchange() -> Iterator[SimulatedExchange]:
    market = SyntheticMarket(["btc_mxn", "usd_mxn"], frames_per_second=100)
    with SimulatedExchange(market, keepalive_s=0.1) as running:
        yield running


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bitso_spread.doctor, "examine", partial(examine, timings=QUICK))


@pytest.mark.usefixtures("quick")
def test_a_line_a_check_and_status_0_where_all_is_well(
    run: Run, exchange: SimulatedExchange, tmp_path: Path
) -> None:
    lake = tmp_path / "lake"
    status, out, err = run("doctor", *here(exchange), "--lake", str(lake))
    lines = out.splitlines()
    assert status == 0, out
    assert all(line.startswith("ok   ") for line in lines), out
    assert any(line.startswith("ok   keep-alive               after ") for line in lines)
    assert any("agreement usd_mxn" in line for line in lines)
    assert any(str(lake) in line for line in lines)
    assert "SIMULATED" in err
    assert err.splitlines()[-1] == f"bitso-spread: {len(lines)} checks: {len(lines)} ok"
    assert "\x1b" not in out + err
    assert not lake.exists()


@pytest.mark.usefixtures("quick")
def test_what_failed_says_what_to_do_and_is_status_1(
    run: Run, exchange: SimulatedExchange, tmp_path: Path
) -> None:
    exchange.faults.keepalive, exchange.faults.pongs = False, False
    status, out, err = run("doctor", *here(exchange), "--lake", str(tmp_path))
    lines = out.splitlines()
    assert status == 1
    (at,) = [number for number, line in enumerate(lines) if line.startswith("FAIL")]
    assert "keep-alive" in lines[at]
    assert lines[at + 1].startswith("     what to do: ")
    (pings,) = [line for line in lines if line.startswith("warn")]
    assert "pings" in pings
    assert "1 warning, 1 failed" in err


@pytest.mark.usefixtures("quick")
def test_a_warning_alone_is_status_0(run: Run, exchange: SimulatedExchange) -> None:
    exchange.faults.pongs = False
    status, out, _ = run("doctor", *here(exchange))
    assert status == 0
    assert "warn pings" in out


@pytest.mark.usefixtures("quick")
def test_json_is_one_list_with_the_same_keys_for_each_check(
    run: Run, exchange: SimulatedExchange, tmp_path: Path
) -> None:
    exchange.faults.refuse_connections = True
    status, out, _ = run(
        "doctor", *here(exchange), "--lake", str(tmp_path), "--format", "json", "-b", "MXN-BTC"
    )
    found = {finding["check"]: finding for finding in json.loads(out)}
    assert status == 1
    assert all(
        list(finding) == ["check", "outcome", "detail", "advice"] for finding in found.values()
    )
    assert found["REST reply"]["outcome"] == "ok"
    assert found["REST reply"]["advice"] is None
    assert found["WebSocket handshake"]["outcome"] == "failed"
    assert found["WebSocket handshake"]["advice"]
    assert found["keep-alive"]["outcome"] == "skipped"
    assert "agreement btc_mxn" in found
    assert "agreement usd_mxn" not in found


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["-b", "btc"], "'btc' is not a book"),
        (["-e", "prod"], "there is no environment 'prod'"),
        (["--table", "../up"], "cannot be a table"),
        (["--format", "csv"], "--format"),
    ],
)
def test_a_wrong_command_line_is_status_2(run: Run, arguments: list[str], says: str) -> None:
    status, out, err = run("doctor", *arguments)
    assert (status, out) == (2, "")
    assert says in err


def test_ctrl_c_ends_it_in_order_and_keeps_what_was_found(
    start: Start, exchange: SimulatedExchange, tmp_path: Path
) -> None:
    process = start("doctor", *here(exchange), "--lake", str(tmp_path))
    assert process.stdout is not None
    while "unknown book by REST" not in process.stdout.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "keep-alive" not in out
    assert "stopped: the other checks were not made" in err
    assert "Traceback" not in err


def test_a_reader_that_leaves_ends_it_in_silence(
    start: Start, exchange: SimulatedExchange, tmp_path: Path
) -> None:
    process = start("doctor", *here(exchange), "--lake", str(tmp_path))
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(timeout=60) == 0
    assert process.stderr is not None
    assert "Traceback" not in process.stderr.read()


@pytest.mark.usefixtures("quick")
def test_brokers_and_their_topic_are_looked_for(
    run: Run, exchange: SimulatedExchange, tmp_path: Path
) -> None:
    def last(address: str) -> list[str]:
        options = ["--lake", str(tmp_path), "--publish", address]
        _, out, _ = run("doctor", *here(exchange), *options)
        lines = out.splitlines()
        return lines[next(i for i, line in enumerate(lines) if line[5:].startswith("Kafka ")) :]

    with Brokers(2) as brokers:
        address = f"kafka://{brokers.addresses}/spread"
        failed, advice = last(address)
        assert failed.startswith("FAIL Kafka")
        assert failed.endswith("2 brokers, and no topic spread")
        assert "make the topic" in advice
        brokers.make("spread", 3)
        (well,) = last(address)
        assert well.startswith("ok   Kafka")
        assert well.endswith("2 brokers; topic spread has 3 partitions")
        brokers.down()
        failed, advice = last(address)
        assert "no broker can be reached: Connection refused" in failed
        assert "BITSO_SPREAD_PUBLISH_PROPERTIES" in advice
