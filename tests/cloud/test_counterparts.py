"""What a lake relies on, with servers of other makers: Azure's, Google's, and another like S3.

Where one is not installed its tests are skipped, and say so; `.ci/run` installs them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from bitso_spread.clock import SYSTEM_CLOCK
from bitso_spread.cloud import keys
from bitso_spread.cloud.claim import claim
from bitso_spread.cloud.compaction import compact
from bitso_spread.cloud.connect import Patience
from bitso_spread.cloud.errors import AbsentError, ChangedError, ExistsError, RefusedError
from bitso_spread.cloud.lease import EXPIRES_S, RENEWS_S
from bitso_spread.cloud.version import Version
from bitso_spread.doctor import Outcome
from bitso_spread.doctor.store import CONDITIONS, check_store
from bitso_spread.errors import LakeError
from bitso_spread.lake.journal import Identity
from bitso_spread.lake.layout import DAILY_TABLE, TABLE
from bitso_spread.lake.reader import Lake
from bitso_spread.sim.server import SimulatedExchange
from tests.cli.support import Run, here
from tests.cloud import counterparts
from tests.cloud.counterparts import BUCKET, Counterpart, Server
from tests.cloud.half_support import an_uploader, finish, keys_in, rows_in, waiting
from tests.cloud.lease_support import Host
from tests.lake.compact_support import TODAY, batch
from tests.lake.support import DAY, a_batch, once, rows_of

KEY = f"{TABLE}/date=20260921/order_book=btc_mxn/minutes=0/a.csv"
NEVER = Version('"00000000000000000000000000000000"', "1")
SIMULATED = Identity("sim", None, "csv", "five", 1)
# One attempt, which a busy machine has time for.
ONCE = Patience(connect_s=15, request_s=30, retries=0, retry_s=30)
STARTS = {
    "azurite": counterparts.azurite,
    "seaweedfs": counterparts.seaweedfs,
    "fake-gcs-server": counterparts.fake_gcs_server,
}


@pytest.fixture(scope="session", params=STARTS)
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    with STARTS[request.param](tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture
def there(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Counterpart]:
    """A place of its own in each server."""
    with at(server, monkeypatch) as place:
        yield place


class at:  # noqa: N801  (used as a context)
    def __init__(self, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        self.gateway = server.gateway()
        self.scheme, self.environ = server.scheme, server.environ
        self.monkeypatch = monkeypatch

    def __enter__(self) -> Counterpart:
        for name in os.environ:
            if name.startswith(("AWS_", "AZURE_", "GOOGLE_")) or name.lower().endswith("_proxy"):
                self.monkeypatch.delenv(name)
        self.gateway.come_up()
        for name, value in self.environ(self.gateway.url).items():
            self.monkeypatch.setenv(name, value)
        return Counterpart(f"{self.scheme}://{BUCKET}/lakes/{uuid4().hex}", self.gateway)

    def __exit__(self, *error: object) -> None:
        self.gateway.go_down()


def copy(lake: Path, there: Counterpart) -> None:
    store = there.store()
    for path in sorted((lake / TABLE).rglob("*.csv")):
        store.put_new(path.relative_to(lake).as_posix(), path.read_bytes())


def test_what_was_put_is_found_and_read(there: Counterpart) -> None:
    store = there.store()
    store.put_new(KEY, b"hello\n")
    store.put_new("empty", b"")
    (found,) = store.objects(TABLE)
    fetched = store.fetch(KEY)
    assert (found.key, found.size, fetched.data) == (KEY, 6, b"hello\n")
    assert fetched.sha256 == "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"
    assert found.etag == fetched.found.etag == store.fetch(KEY).found.etag
    assert store.head(KEY) == fetched.found
    assert store.get("empty") == b""
    assert store.level(f"{TABLE}/date=20260921").folders == ("order_book=btc_mxn",)
    assert store.folders() == [TABLE]
    assert store.folders("nothing") == []


def test_an_object_is_only_put_where_there_is_none(there: Counterpart) -> None:
    store = there.store()
    store.put_new(KEY, b"first")
    with pytest.raises(ExistsError):
        store.put_new(KEY, b"second")
    assert store.get(KEY) == b"first"


def test_an_object_is_only_replaced_as_it_was_seen(there: Counterpart) -> None:
    store = there.store()
    put = store.put_new(KEY, b"first")
    second = store.replace(KEY, b"second", put)
    with pytest.raises(ChangedError):
        store.replace(KEY, b"third", put)
    with pytest.raises(ChangedError):
        store.replace(KEY, b"third", NEVER)
    assert store.get(KEY) == b"second"
    assert store.fetch(KEY).found.version == second
    store.replace(KEY, b"third", store.fetch(KEY).found.version)
    assert store.get(KEY) == b"third"


def test_an_object_that_is_gone_is_not_replaced(there: Counterpart) -> None:
    store = there.store()
    put = store.put_new(KEY, b"first")
    store.delete(KEY)
    store.delete(KEY)
    with pytest.raises(ChangedError):
        store.replace(KEY, b"second", put)
    assert store.head(KEY) is None
    with pytest.raises(AbsentError):
        store.get(KEY)


def test_a_table_is_claimed_once(there: Counterpart) -> None:
    claim(there.store(), TABLE, SIMULATED)
    claim(there.store(), TABLE, SIMULATED)
    with pytest.raises(LakeError, match="holds environment sim, and environment production"):
        claim(there.store(), TABLE, Identity("production", None, "csv", "five", 1))


def test_wrong_credentials_are_told_in_a_line(
    there: Counterpart, monkeypatch: pytest.MonkeyPatch
) -> None:
    if there.url.startswith("gs:"):
        pytest.skip("fake-gcs-server looks at no credentials")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", "YW5vdGhlcg==")
    # Azurite calls it by another name than Azure does.
    told = r"(takes no such credentials|may not be used so) \(403 \w+\)"
    with pytest.raises(RefusedError, match=told):
        there.store().folders()


def test_a_collection_is_queried_and_found_whole(
    there: Counterpart, run: Run, exchange: SimulatedExchange, tmp_path: Path
) -> None:
    where = ["--lake", there.url, "--state", str(tmp_path)]
    batches = ["--batch-size", "2", "--batches", "2", "-b", "btc_mxn,usd_mxn"]
    status, out, err = run("collect", *here(exchange), *where, *batches)
    assert status == 0, err
    assert len(out.split()) == 4
    assert waiting(tmp_path) == []
    status, out, _ = run("query", "--lake", there.url, "--format", "csv")
    assert (status, len(out.splitlines())) == (0, 1 + 2 * 4)
    status, out, err = run("verify", *where)
    assert status == 0, out + err
    # It has ended in order, and given back what it had.
    assert there.store().objects(keys.recorders_prefix(TABLE)) == []


def test_the_doctor_finds_it_fit_and_leaves_nothing_there(
    there: Counterpart, tmp_path: Path
) -> None:
    findings = [*check_store(there.url, TABLE, ["btc_mxn"], tmp_path, SYSTEM_CLOCK)]
    assert [each.detail for each in findings if each.outcome != Outcome.OK] == []
    assert there.store().objects() == []


def test_files_wait_while_the_store_is_away_and_are_put_once(
    there: Counterpart, tmp_path: Path
) -> None:
    made = [a_batch("btc_mxn", DAY + 10 * number) for number in range(4)]
    finish(tmp_path, *((each, [row for _, row in rows_of(each)]) for each in made[:2]))
    uploader = an_uploader(there, tmp_path, patience=ONCE)
    uploader.step()
    there.gateway.go_down()
    finish(tmp_path, *((each, [row for _, row in rows_of(each)]) for each in made[2:]))
    uploader.step()
    assert "does not answer" in (uploader.trouble or "")
    assert len(waiting(tmp_path)) == 2
    there.gateway.come_up()
    # Put, and the answer lost: the file is found there the next time.
    there.gateway.harm("lose", "put", times=1)
    uploader.step()
    there.gateway.heal()
    uploader.step()
    assert waiting(tmp_path) == []
    assert rows_in(there.store()) == once([row for each in made for row in rows_of(each)])


def test_days_are_compacted_and_read_as_before(there: Counterpart, tmp_path: Path) -> None:
    for day in (0, 1):
        for minutes in (0, 10, 20):
            batch(tmp_path, minutes, day=day)
    copy(tmp_path, there)
    before = Lake(tmp_path).read()
    assert Lake(there.url).read().equals(before)
    compact(Lake(there.url), today=TODAY)
    batch(tmp_path, 30, day=1)
    late = next((tmp_path / TABLE).rglob("minutes=30/*.csv"))
    there.store().put_new(late.relative_to(tmp_path).as_posix(), late.read_bytes())
    # The day is made anew in place of the file that there is, and what is in it is deleted.
    compact(Lake(there.url), today=TODAY, prune=True)
    assert Lake(there.url).read().equals(Lake(tmp_path).read())
    assert keys_in(there.store()) == []
    assert len(there.store().objects(DAILY_TABLE)) == 2


def test_a_recorder_that_lives_keeps_its_book_and_a_dead_one_loses_it(there: Counterpart) -> None:
    a, b = (Host(there.store(patience=ONCE), name) for name in "ab")
    assert a.takes("btc_mxn", "usd_mxn") == [True, True]
    for _ in range(int(EXPIRES_S // RENEWS_S) + 2):
        a.passes(RENEWS_S)
        b.passes(RENEWS_S)
        a.leases.renew()
        assert b.takes("btc_mxn") == [False]
    for _ in range(int(EXPIRES_S // RENEWS_S) + 1):
        b.passes(RENEWS_S - 1)
        b.takes("btc_mxn")
    assert b.takes("btc_mxn") == [True]
    a.passes(1)
    a.leases.renew()
    assert a.leases.books == frozenset()
    assert a.takes("btc_mxn", "usd_mxn") == [False, True]
    b.leases.end(leaves_files=False)
    assert a.takes("btc_mxn") == [True]


def test_a_store_that_knows_no_conditions_is_read_and_not_recorded_into(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "server").mkdir()
    with (
        counterparts.rclone(tmp_path / "server") as server,
        at(server, monkeypatch) as there,
    ):
        with pytest.raises(LakeError, match="has no conditional puts"):
            claim(there.store(), TABLE, SIMULATED)
        findings = [*check_store(there.url, TABLE, ["btc_mxn"], tmp_path, SYSTEM_CLOCK)]
        assert [each.check for each in findings if each.outcome == Outcome.FAILED] == [CONDITIONS]
        batch(tmp_path, 0)
        copy(tmp_path, there)
        assert Lake(there.url).read().equals(Lake(tmp_path).read())
