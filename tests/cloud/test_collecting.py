"""``collect --lake s3://…`` as a user has it, with a store that goes away, and a ``kill -9``."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from bitso_spread.cloud import keys
from bitso_spread.cloud.objects import ObjectStore
from bitso_spread.cloud.recorders import examine_store
from bitso_spread.cloud.version import Version
from bitso_spread.collector import Collector, Plan
from bitso_spread.errors import LakeIdentityError
from bitso_spread.exchange.environment import environment
from bitso_spread.health import Verdict
from bitso_spread.lake.layout import TABLE, state_file
from bitso_spread.lake.state import LakeState
from bitso_spread.lake.table import Table
from bitso_spread.lake.uploads import Uploads
from bitso_spread.sampling import Tick
from bitso_spread.sim.server import SimulatedExchange
from tests.cli.support import Run, Start, here
from tests.cloud.conftest import S3
from tests.cloud.half_support import keys_in, rows_in, waiting

BOOKS = ("btc_mxn", "usd_mxn")


def eventually(condition: Callable[[], bool], within_s: float = 60.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass in time"
        time.sleep(0.05)


def end(process: subprocess.Popen[str]) -> tuple[str, str]:
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return out, err


def ticks_of(s3: S3, book: str) -> list[int]:
    """Give the seconds of a book in the store; each is there once."""
    rows = rows_in(s3.store())
    assert set(rows.values()) == {1}
    return sorted(tick for tick, of, _ in rows if of == book)


def marks(half: Path) -> dict[str, int]:
    with LakeState(state_file(half, TABLE)) as state:
        return state.marks()


def collector(exchange: SimulatedExchange, s3: S3, half: Path, **options: object) -> Collector:
    plan = {"books": BOOKS, "lake": s3.url, "state": half, "batch_size": 2, "max_wait_s": 5}
    where = environment("sim", exchange.rest_url, exchange.ws_url)
    return Collector(where, Plan(**{**plan, **options}))  # type: ignore[arg-type]


def test_kill_9_in_the_middle_of_an_outage_costs_no_row_and_doubles_none(
    s3: S3, start: Start, exchange: SimulatedExchange, tmp_path: Path
) -> None:
    options = ["--lake", s3.url, "--state", str(tmp_path / "half"), "--batch-size", "2"]
    first = start("collect", *here(exchange), *options)
    eventually(lambda: len(keys_in(s3.store())) >= 4)
    s3.gateway.go_down()
    eventually(lambda: len(waiting(tmp_path / "half")) >= 4)
    first.kill()
    first.wait()
    died = marks(tmp_path / "half")
    # The next one begins while the store is still away.
    second = start("collect", *here(exchange), *options)
    eventually(lambda: min(marks(tmp_path / "half").values()) > max(died.values()) + 4)
    eventually(lambda: len(waiting(tmp_path / "half")) >= 8)
    s3.gateway.come_up()
    there = len(keys_in(s3.store()))
    s3.gateway.harm("slow-down", every=3)
    eventually(lambda: len(keys_in(s3.store())) >= there + 4)
    s3.gateway.heal()
    _, err = end(second)
    assert "files wait" in err
    assert waiting(tmp_path / "half") == []
    ends = marks(tmp_path / "half")
    for book in BOOKS:
        times = ticks_of(s3, book)
        assert times[-1] == ends[book]
        # Nothing is missing but the seconds, if any, in which nobody was there.
        holes = [a for a, b in pairwise(times) if b != a + 1]
        assert holes in ([], [died[book]])


def test_urls_are_printed_once_the_files_are_there(
    s3: S3, start: Start, exchange: SimulatedExchange, tmp_path: Path
) -> None:
    options = ["--lake", s3.url, "--state", str(tmp_path), "--batch-size", "2"]
    process = start("collect", *here(exchange), *options)
    s3.gateway.harm("deny", lambda r: r.kind == "put" and TABLE in r.key and "date=" in r.key)
    assert process.stdout is not None
    eventually(lambda: len(waiting(tmp_path)) >= 4)
    s3.gateway.heal()
    out, err = end(process)
    assert sorted(out.splitlines()) == [f"{s3.url}/{key}" for key in keys_in(s3.store())]
    assert err.splitlines()[0] == f"{s3.url}, by way of {tmp_path}"
    assert "may not be used so (403)" in err
    assert f"files put into {s3.url}" in err


def test_a_slow_store_delays_no_tick(s3: S3, exchange: SimulatedExchange, tmp_path: Path) -> None:
    # Longer than a tick may be late before it is missed.
    s3.gateway.harm("delay", lambda r: r.kind == "put" and "date=" in r.key, seconds=2)
    summary = collector(exchange, s3, tmp_path, ticks=6).run()
    assert summary.uploaded == 6
    assert None not in {bid for _, _, bid in rows_in(s3.store())}
    for book in BOOKS:
        times = ticks_of(s3, book)
        assert times == list(range(times[0], times[0] + 6))


def test_what_waits_at_the_end_goes_with_the_next_run(
    s3: S3,
    run: Run,
    exchange: SimulatedExchange,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bitso_spread.cloud.remote.GIVE_UP_S", 4)
    options = ["--lake", s3.url, "--state", str(tmp_path), "--batch-size", "2", "-b", "btc_mxn"]
    s3.gateway.harm("deny", lambda r: r.kind == "put" and "date=" in r.key)
    status, out, err = run("collect", *here(exchange), *options, "--duration", "3s")
    assert (status, out) == (1, "")
    assert (
        f"2 files wait in {tmp_path} and are not in {s3.url} yet ({s3.url} may not be used so "
        "(403): ask for the permission, or use other credentials): the next collect with the "
        "same --lake and --state puts them there"
    ) in err
    # Whoever looks from elsewhere is told too.
    (left,) = examine_store(s3.store()).collectors
    assert left.verdict is Verdict.LEFT
    assert "has ended, and 2 of its files are not in the store" in (left.reason or "")
    s3.gateway.heal()
    # A run of other books puts them as well, and lets go of the book then.
    options = [*options[:-1], "usd_mxn"]
    status, out, err = run("collect", *here(exchange), *options, "--duration", "2s")
    assert status == 0, err
    assert len(ticks_of(s3, "btc_mxn")) == 3
    assert len(ticks_of(s3, "usd_mxn")) == 2
    assert examine_store(s3.store()).collectors == ()


def test_a_store_that_was_never_there_is_refused_at_once(
    s3: S3, run: Run, exchange: SimulatedExchange, tmp_path: Path
) -> None:
    lake = ["--lake", "s3://no-such-bucket-here/x", "--state", str(tmp_path)]
    status, _, err = run("collect", *here(exchange), *lake, "--duration", "2s")
    assert status == 1
    assert "there is no bucket no-such-bucket-here" in err
    assert not (tmp_path / TABLE).exists()
    s3.gateway.go_down()
    status, _, err = run(
        "collect", *here(exchange), "--lake", s3.url, "--state", str(tmp_path / "b")
    )
    assert status == 1
    assert "does not answer (Connection refused)" in err


def test_another_kind_of_rows_is_refused_on_any_host(
    s3: S3, exchange: SimulatedExchange, tmp_path: Path
) -> None:
    collector(exchange, s3, tmp_path / "a", ticks=2).run()
    before = keys_in(s3.store())
    other = collector(exchange, s3, tmp_path / "b", ticks=2, format="parquet", books=["eth_mxn"])
    with pytest.raises(LakeIdentityError, match="holds format csv, and format parquet was asked"):
        other.run()
    assert keys_in(s3.store()) == before


def test_a_store_without_conditions_is_told_in_a_line(
    s3: S3, run: Run, exchange: SimulatedExchange, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = ObjectStore._put

    def whatever_is_there(self: ObjectStore, key: str, data: bytes, _: object) -> Version:
        return put(self, key, data, "overwrite")

    monkeypatch.setattr(ObjectStore, "_put", whatever_is_there)
    options = ["--lake", s3.url, "--state", str(tmp_path), "--duration", "2s"]
    status, _, err = run("collect", *here(exchange), *options)
    assert status == 1
    assert f"{s3.url} has no conditional puts (If-None-Match, If-Match)" in err
    assert len(err.splitlines()) <= 3


def test_a_local_half_is_of_one_store(
    s3: S3, run: Run, exchange: SimulatedExchange, tmp_path: Path
) -> None:
    half = ["--state", str(tmp_path / "half"), "-b", "btc_mxn", "--duration", "1s"]
    assert run("collect", *here(exchange), "--lake", s3.url, *half)[0] == 0
    status, _, err = run("collect", *here(exchange), "--lake", f"{s3.url}/other", *half)
    assert status == 1
    assert f"keeps what is on its way to {s3.url}, and {s3.url}/other was asked for" in err


def test_a_backup_of_a_local_half_that_is_restored_doubles_no_row(
    s3: S3, exchange: SimulatedExchange, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    half, backup = tmp_path / "half", tmp_path / "backup"
    made_at: list[int] = []

    def back_up(tick: Tick) -> None:
        # In the midst of a batch, as backups are made.
        if not made_at and len(marks(half)) == len(BOOKS):
            shutil.copytree(half, backup, ignore=shutil.ignore_patterns("collectors"))
            made_at.append(tick.time)
        elif made_at and tick.time >= made_at[0] + 3:
            first.stop()

    plan = Plan(books=BOOKS, lake=s3.url, state=half, batch_size=600, max_wait_s=5)
    where = environment("sim", exchange.rest_url, exchange.ws_url)
    first = Collector(where, plan, on_tick=back_up)
    first.run()
    ends = marks(half)
    collector(exchange, s3, backup, ticks=3).run()
    assert "or was restored from an older state" in caplog.text
    for book in BOOKS:
        times = ticks_of(s3, book)
        assert times[-4] == ends[book]
        assert times[-3] > ends[book]
    with Uploads(half, TABLE) as one, Uploads(backup, TABLE) as other:
        assert one.belong_to(s3.url) != other.belong_to(s3.url)


def test_a_lake_of_its_own_is_no_local_half(
    s3: S3, run: Run, exchange: SimulatedExchange, tmp_path: Path
) -> None:
    options = [*here(exchange), "-b", "btc_mxn", "--duration", "1s"]
    assert run("collect", *options, "--lake", str(tmp_path))[0] == 0
    files = sorted((tmp_path / TABLE).rglob("*.csv"))
    status, _, err = run("collect", *options, "--lake", s3.url, "--state", str(tmp_path))
    assert status == 1
    assert "is a lake of its own, whose files would leave it" in err
    assert sorted((tmp_path / TABLE).rglob("*.csv")) == files


def test_a_state_folder_of_a_folder_is_wrong_usage(run: Run, tmp_path: Path) -> None:
    status, _, err = run("collect", "-e", "sim", "--lake", str(tmp_path), "--state", "x")
    assert status == 2
    assert "--state goes with a lake in object storage" in err


def test_without_a_state_folder_it_is_one_of_the_users_own(
    s3: S3, run: Run, exchange: SimulatedExchange, tmp_path: Path
) -> None:
    options = ["--lake", f"{s3.url}/{TABLE}", "-b", "btc_mxn", "--duration", "1s"]
    status, _, err = run("collect", *here(exchange), *options)
    assert status == 0, err
    first = err.splitlines()[0]
    assert first.startswith(f"{s3.url}, by way of {tmp_path}/state/bitso-spread/lakes/s3-")
    assert len(ticks_of(s3, "btc_mxn")) == 1


def test_books_split_over_hosts_go_into_one_lake_and_one_status(
    s3: S3, start: Start, run: Run, exchange: SimulatedExchange, tmp_path: Path
) -> None:
    def one(half: str, book: str) -> subprocess.Popen[str]:
        options = ["--lake", s3.url, "--state", str(tmp_path / half), "--batch-size", "2"]
        return start("collect", *here(exchange), *options, "-b", book)

    # Two of these three share a host, and its folder.
    recorders = [one("a", "btc_mxn"), one("a", "usd_mxn"), one("b", "eth_mxn")]
    eventually(lambda: run("status", "--lake", s3.url)[0] == 0)
    eventually(lambda: len(json.loads(run("status", "--lake", s3.url)[1])["collectors"]) == 3)
    eventually(
        lambda: (
            {
                each["verdict"]
                for each in json.loads(run("status", "--lake", s3.url)[1])["collectors"]
            }
            == {"recording"}
        )
    )
    shown = json.loads(run("status", "--lake", s3.url)[1])["collectors"]
    assert {each["pid"] for each in shown} == {each.pid for each in recorders}
    assert all(each["store"]["url"] == s3.url for each in shown)
    eventually(lambda: len(keys_in(s3.store())) >= 6)
    for each in recorders:
        end(each)
    for book in ("btc_mxn", "usd_mxn", "eth_mxn"):
        times = ticks_of(s3, book)
        assert times == list(range(times[0], times[0] + len(times)))
    assert s3.store().objects(keys.recorders_prefix(TABLE)) == []


def test_a_standby_on_another_host_goes_on_where_the_first_one_ended(
    s3: S3, start: Start, run: Run, exchange: SimulatedExchange, tmp_path: Path
) -> None:
    def one(half: str, *more: str) -> subprocess.Popen[str]:
        options = ["--lake", s3.url, "--state", str(tmp_path / half), "--batch-size", "2"]
        return start("collect", *here(exchange), *options, *more)

    def verdicts() -> dict[int, str]:
        shown = json.loads(run("status", "--lake", s3.url)[1])["collectors"]
        return {each["pid"]: each["verdict"] for each in shown}

    first = one("a")
    eventually(lambda: verdicts() == {first.pid: "recording"})
    second = one("b", "--wait")
    eventually(lambda: verdicts().get(second.pid) == "standby")
    # It is to have sampled for a while.
    before = marks(tmp_path / "a")
    eventually(lambda: min(marks(tmp_path / "a").values()) >= max(before.values()) + 4)
    end(first)
    eventually(lambda: verdicts() == {second.pid: "recording"})
    _, err = end(second)
    assert f"standing by for the recorder {first.pid} on " in err
    for book in BOOKS:
        times = ticks_of(s3, book)
        assert times == list(range(times[0], times[0] + len(times)))


def test_the_local_locks_are_free_again_afterwards(
    s3: S3, exchange: SimulatedExchange, tmp_path: Path
) -> None:
    collector(exchange, s3, tmp_path, ticks=2).run()
    with Table(tmp_path) as table:
        table.lock(BOOKS)


def test_what_nobody_asks_for_is_as_the_store_has_it_on_another_host_too(
    s3: S3, exchange: SimulatedExchange, tmp_path: Path
) -> None:
    asked = {"format": "parquet", "columns": "full", "interval": 2}
    collector(exchange, s3, tmp_path / "one", ticks=2, **asked).run()
    other = collector(exchange, s3, tmp_path / "two", ticks=2)
    other.run()
    plan = other.plan
    assert {"format": plan.format, "columns": plan.columns, "interval": plan.interval} == asked
    data = [key for key in keys_in(s3.store()) if "date=" in key]
    assert {Path(key).suffix for key in data} == {".parquet"}
    with pytest.raises(LakeIdentityError, match="holds interval 2, and interval 1 was asked for"):
        collector(exchange, s3, tmp_path / "three", ticks=1, interval=1).run()


def test_a_start_that_knows_what_the_table_holds_does_not_ask_a_store_that_is_away(
    s3: S3, exchange: SimulatedExchange, tmp_path: Path
) -> None:
    collector(exchange, s3, tmp_path, ticks=2, format="parquet").run()
    s3.gateway.go_down()
    again = collector(exchange, s3, tmp_path, ticks=1)
    again.run()
    assert again.plan.format == "parquet"
    assert again.summary.ticks == 1
