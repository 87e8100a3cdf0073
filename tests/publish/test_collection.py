"""``collect --publish``: a collection on real sockets and in real time, and what brokers get."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from bitso_spread.collector import Collector
from bitso_spread.exchange.environment import environment
from bitso_spread.lake import layout
from bitso_spread.lake.outgoing import Outgoing
from bitso_spread.lake.reader import Lake
from bitso_spread.metrics.server import MetricsServer
from bitso_spread.plan import Plan, PublishPlan
from bitso_spread.publish.address import parse_address
from bitso_spread.sim.server import SimulatedExchange
from tests.lake.support import eventually
from tests.publish.brokers import Brokers, values_of
from tests.publish.support import BOOKS, TOPIC, Values, ticks_of

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def exchange() -> Iterator[SimulatedExchange]:
    with SimulatedExchange() as running:
        yield running


@pytest.fixture
def start(exchange: SimulatedExchange, tmp_path: Path) -> Iterator[Start]:
    """Start a recorder of this exchange into this folder; what still runs at the end is killed."""
    processes: list[subprocess.Popen[str]] = []

    def start(*options: str) -> subprocess.Popen[str]:
        where = ["-e", "sim", "--rest-url", exchange.rest_url, "--ws-url", exchange.ws_url]
        what = ["--lake", str(tmp_path), "--batch-size", "3", "--columns", "full"]
        process = subprocess.Popen(
            [sys.executable, "-m", "bitso_spread", "collect", *where, *what, *options],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.communicate()


def address(brokers: Brokers) -> str:
    return f"kafka://{brokers.addresses}/{TOPIC}"


def left(lake: Path) -> int:
    with Outgoing(layout.state_file(lake, layout.TABLE)) as journal:
        waiting = map(journal.waiting, journal.topics())
        return sum(each.rows for each in waiting if each is not None)


def recorded(lake: Path) -> int:
    """How many ticks have been recorded."""
    path = layout.state_file(lake, layout.TABLE)
    if not path.exists():
        return 0
    with Outgoing(path) as journal:
        files = sum(file.rows for file in journal.files())
        return (files + sum(len(journal.rows(batch)) for batch in journal.batches())) // len(BOOKS)


def wait_for_ticks(lake: Path, count: int) -> None:
    ticks = recorded(lake) + count
    eventually(lambda: recorded(lake) >= ticks, within=30)


def status(lake: Path) -> tuple[int, dict[str, object]]:
    done = subprocess.run(
        [sys.executable, "-m", "bitso_spread", "status", "--lake", str(lake), "--format", "json"],
        capture_output=True,
        text=True,
        check=False,
    )
    (collector,) = json.loads(done.stdout)["collectors"]
    return done.returncode, collector["publishing"]


def end(process: subprocess.Popen[str]) -> str:
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "Traceback" not in err
    return err


def assert_all_of_the_lake(values: Values, lake: Path) -> int:
    """Compare with the lake, row by row; give how many records came more than once."""
    doubled = 0
    for book in BOOKS:
        rows = Lake(lake).read(book=[book], columns="full").to_dicts()
        times = ticks_of(values, book)
        wanted = [row["orderbook_timestamp"].isoformat() for row in rows]
        # In order; of those that came twice, the first.
        assert list(dict.fromkeys(times)) == wanted
        doubled += len(times) - len(wanted)
        by_time = {value["orderbook_timestamp"]: value for value in values[book]}
        for row in rows:
            value = by_time[row["orderbook_timestamp"].isoformat()]
            assert (value["schema"], value["environment"]) == (1, "sim")
            for name in ("book", "bid", "ask", "spread", "bid_amount", "age_ms", "state", "source"):
                assert value[name] == row[name]
    return doubled


def test_an_outage_and_a_kill_in_the_middle_of_it_cost_nothing(
    brokers: Brokers, start: Start, tmp_path: Path
) -> None:
    brokers.make(TOPIC)
    process = start("--publish", address(brokers))
    wait_for_ticks(tmp_path, 2)
    eventually(lambda: left(tmp_path) == 0)
    brokers.down()
    wait_for_ticks(tmp_path, 8)
    code, publishing = status(tmp_path)
    # It records, and no restart would help.
    assert code == 0
    assert publishing["to"] == address(brokers)
    assert isinstance(publishing["waiting"], int)
    # It looks once a second.
    assert publishing["waiting"] >= 12
    asked = ", ".join(parse_address(address(brokers)).brokers)
    # A broker that goes away hangs up first, and refuses connections then.
    why = str(publishing["why"])
    assert why.startswith("no broker can be reached: ")
    assert why.endswith(f" ({asked})")
    process.kill()
    process.wait()
    waiting = left(tmp_path)
    assert waiting >= 12
    process = start("--publish", address(brokers))
    wait_for_ticks(tmp_path, 3)
    assert left(tmp_path) >= waiting + 6
    brokers.up()
    eventually(lambda: left(tmp_path) == 0, within=30)
    wait_for_ticks(tmp_path, 1)
    assert "SIMULATED samples published to spread\n" in end(process)
    assert assert_all_of_the_lake(values_of(brokers.read(TOPIC)), tmp_path) == 0


def test_kills_at_any_instant_double_at_most_what_was_under_way(
    brokers: Brokers, start: Start, tmp_path: Path
) -> None:
    brokers.make(TOPIC)
    for more in (0.0, 0.04, 0.11):
        process = start("--publish", address(brokers))
        wait_for_ticks(tmp_path, 2)
        time.sleep(more)
        process.kill()
        process.wait()
    process = start("--publish", address(brokers))
    wait_for_ticks(tmp_path, 1)
    end(process)
    doubled = assert_all_of_the_lake(values_of(brokers.read(TOPIC)), tmp_path)
    assert doubled <= 3 * len(BOOKS)


def test_an_outage_all_along_delays_no_tick_and_is_told(
    brokers: Brokers, exchange: SimulatedExchange, tmp_path: Path
) -> None:
    brokers.down()
    where = environment("sim", exchange.rest_url, exchange.ws_url)
    plan = Plan(
        books=BOOKS,
        lake=tmp_path,
        ticks=6,
        publish=PublishPlan(address=parse_address(address(brokers))),
    )
    collector = Collector(where, plan)
    with MetricsServer(collector, "127.0.0.1", 0) as server:
        summary = collector.run()
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics") as reply:
            text = reply.read().decode()
    # The last bound of the histogram is a second.
    assert summary.lateness.counts[-1] == 0
    assert all(states.total() == 6 for states in summary.states.values())
    assert Lake(tmp_path).read().height == 12
    found = {
        sample.name: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if "publish" in sample.name
    }
    first = Lake(tmp_path).read()["orderbook_timestamp"].dt.epoch("s").to_list()[0]
    assert found == {
        "bitso_spread_published_total": 0,
        "bitso_spread_publish_refusals_total": 0,
        "bitso_spread_publish_waiting": 12,
        "bitso_spread_publish_waiting_since_timestamp_seconds": first,
    }


def test_without_publishing_what_waits_is_told_and_none_drops_it(
    brokers: Brokers, start: Start, tmp_path: Path
) -> None:
    brokers.down()
    process = start("--publish", address(brokers), "--duration", "1s")
    _, err = process.communicate(timeout=60)
    assert "0 SIMULATED samples published to spread, 2 wait in the journal" in err
    _, err = start("--duration", "1s").communicate(timeout=60)
    assert "2 samples wait since " in err
    assert "dropped by one with --publish none" in err
    _, err = start("--duration", "1s", "--publish", "none").communicate(timeout=60)
    assert "2 samples that waited for topic spread are dropped; the lake has them" in err
    assert left(tmp_path) == 0
    assert Lake(tmp_path).read().height == 6


@pytest.mark.parametrize(
    ("publish", "said"),
    [
        ("kafka://alice:hunter2@broker:9092/spread", "--publish holds a user or a password"),
        ("kafka://broker:9092", "write it as kafka://broker:9092/topic"),
    ],
)
def test_a_wrong_address_is_one_line_and_status_2(
    publish: str, said: str, start: Start, tmp_path: Path
) -> None:
    process = start("--publish", publish)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert said in " ".join(err.split())
    assert "hunter2" not in err
    assert not (tmp_path / layout.TABLE).exists()


def test_a_missing_extra_is_one_line_that_says_what_to_install(tmp_path: Path) -> None:
    code = "import sys; sys.modules['confluent_kafka'] = None\n"
    code += "from bitso_spread.cli import main; main()"
    command = ["collect", "-e", "sim", "--lake", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-c", code, *command, "--publish", "kafka://broker/spread"],
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "200"},
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "bitso-spread: --publish needs the extra 'kafka': pip install 'bitso-spread[kafka]'"
    )
    assert not (tmp_path / layout.TABLE).exists()
