"""When a collector is well, by what it last said of itself."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from bitso_spread.health import (
    AHEAD_S,
    IN_MEMORY_S,
    MARGIN_S,
    Health,
    Verdict,
    examine,
    judge,
    judge_afar,
    waiting_for_store,
)
from bitso_spread.lake import layout
from bitso_spread.lake.heartbeat import BookBeat, Heartbeat, HeartbeatFile, Phase, StoreBeat

NOW = 1_000_000.0
BEAT = Heartbeat(
    at=NOW - 0.5,
    host="box",
    pid=42,
    version="0.1.0",
    environment="sim",
    interval=1,
    since=NOW - 5000,
    phase=Phase.RECORDING,
    last_tick=int(NOW) - 1,
    ticks=1000,
    books=(BookBeat("btc_mxn", int(NOW) - 1, "fresh", 0.2),),
    names=("btc_mxn",),
    reconnects=0,
    rejected={},
    rows_in_memory=0,
    rows_in_journal=0,
)


def verdict(beat: Heartbeat) -> Verdict:
    return judge(beat, NOW)[0]


def put(lake: Path, *beats: Heartbeat) -> None:
    folder = layout.heartbeats_folder(lake, layout.TABLE)
    for beat in beats:
        HeartbeatFile(folder, beat.host, beat.pid).write(beat)


def look(lake: Path) -> Health:
    return examine(lake, now=NOW)


def test_a_collector_whose_last_tick_is_young_is_well() -> None:
    assert judge(BEAT, NOW) == (Verdict.RECORDING, None)


@pytest.mark.parametrize("interval", [1, 60])
def test_a_tick_may_be_as_old_as_the_interval_and_a_margin(interval: int) -> None:
    oldest = int(NOW - interval - MARGIN_S)
    assert verdict(replace(BEAT, interval=interval, last_tick=oldest)) is Verdict.RECORDING
    late = replace(BEAT, interval=interval, last_tick=oldest - 1)
    found, reason = judge(late, NOW)
    assert found is Verdict.LATE
    assert reason is not None
    assert "btc_mxn" in reason
    assert "restart it" in reason
    # Of one that is silent as well nobody can say that it lives.
    assert verdict(replace(late, at=NOW - 5)) is Verdict.DEAD


def test_rows_that_are_in_memory_alone_for_long_are_a_complaint(tmp_path: Path) -> None:
    waiting = replace(BEAT, rows_in_memory=34, oldest_in_memory_s=IN_MEMORY_S)
    assert judge(waiting, NOW) == (Verdict.RECORDING, None)
    put(tmp_path, replace(waiting, oldest_in_memory_s=17.2))
    health = look(tmp_path)
    assert health.collectors[0].verdict is Verdict.UNWRITTEN
    (told,) = health.complaints
    assert told == (
        "the collector of btc_mxn (box, pid 42) has 34 rows in memory alone, since its disk has "
        "taken none for 17 s: make room, or see to the disk; a restart before that loses them"
    )
    # They are beside the point where no row comes at all.
    assert verdict(replace(waiting, oldest_in_memory_s=99, last_tick=int(NOW) - 60)) is Verdict.LATE


def test_one_that_gives_no_sign_of_life_is_dead_whatever_its_interval() -> None:
    silent = replace(BEAT, interval=3600, at=NOW - MARGIN_S - 1.1)
    assert verdict(silent) is Verdict.DEAD
    assert verdict(replace(silent, phase=Phase.STANDBY)) is Verdict.DEAD


def test_a_clock_that_was_set_back_is_not_health() -> None:
    ahead = int(NOW + AHEAD_S)
    assert verdict(replace(BEAT, last_tick=ahead)) is Verdict.RECORDING
    assert verdict(replace(BEAT, last_tick=ahead + 1)) is Verdict.AHEAD
    assert verdict(replace(BEAT, at=NOW + 3600)) is Verdict.AHEAD


@pytest.mark.parametrize("phase", [Phase.STARTING, Phase.STANDBY, Phase.ENDING])
def test_one_that_does_not_record_is_neither_well_nor_ill(phase: Phase, tmp_path: Path) -> None:
    put(tmp_path, replace(BEAT, phase=phase, last_tick=None, books=()))
    health = look(tmp_path)
    assert not health.collectors[0].is_ill
    assert not health.is_well
    (told,) = health.complaints
    assert told.startswith(f"no collector records into {tmp_path} ({phase.value}): start one")
    put(tmp_path, BEAT)
    assert look(tmp_path).is_well


def test_without_a_collector_there_is_one_line_that_says_so(tmp_path: Path) -> None:
    for lake in (tmp_path, tmp_path / "nowhere"):
        (told,) = look(lake).complaints
        assert told.startswith(f"no collector records into {lake}: start one")
        assert not look(lake).is_well
    assert list(tmp_path.iterdir()) == []


def test_one_that_is_dead_is_told_beside_one_that_is_well(tmp_path: Path) -> None:
    put(tmp_path, BEAT, replace(BEAT, pid=7, at=NOW - 7000, since=NOW - 9000, names=("usd_mxn",)))
    health = look(tmp_path)
    assert [one.verdict for one in health.collectors] == [Verdict.DEAD, Verdict.RECORDING]
    assert not health.is_well
    (told,) = health.complaints
    assert "usd_mxn (box, pid 7) has given no sign of life for 117 min" in told
    assert f"start it again, or remove {health.collectors[0].path}" in told


def test_one_that_died_while_it_stood_by_makes_nobody_ill(tmp_path: Path) -> None:
    idle = replace(BEAT, pid=7, at=NOW - 7000, phase=Phase.STANDBY, last_tick=None, books=())
    put(tmp_path, BEAT, idle)
    health = look(tmp_path)
    assert Verdict.DEAD in {one.verdict for one in health.collectors}
    assert health.is_well


def test_a_file_that_cannot_be_read_is_told_and_hides_no_other(tmp_path: Path) -> None:
    put(tmp_path, BEAT)
    bad = layout.heartbeats_folder(tmp_path, layout.TABLE) / "box-0-0.json"
    bad.write_text("{")
    health = look(tmp_path)
    assert {one.verdict for one in health.collectors} == {Verdict.UNREADABLE, Verdict.RECORDING}
    assert not health.is_well
    assert str(bad) in health.complaints[0]


def test_another_table_of_the_lake_is_another_matter(tmp_path: Path) -> None:
    put(tmp_path, BEAT)
    assert examine(tmp_path, "Other", now=NOW).collectors == ()
    # The table's own folder stands for its lake.
    (tmp_path / layout.TABLE).mkdir()
    assert examine(tmp_path / layout.TABLE, now=NOW).is_well


def test_many_books_are_named_in_short() -> None:
    names = tuple(f"a{number}_mxn" for number in range(54))
    reason = judge(replace(BEAT, names=names, at=0.0), NOW)[1]
    assert reason is not None
    assert "a0_mxn, a1_mxn and 52 more" in reason


STORE = StoreBeat("s3://bucket/lake", 12, NOW - 3600, "s3://bucket/lake does not answer")


def test_files_that_wait_for_the_store_are_told_and_are_no_illness(tmp_path: Path) -> None:
    put(tmp_path, replace(BEAT, store=STORE))
    health = look(tmp_path)
    assert health.is_well
    (remark,) = health.remarks
    assert remark == (
        "12 files wait on box for s3://bucket/lake since 1970-01-12T12:46Z: s3://bucket/lake does "
        "not answer"
    )
    assert health.collectors[0].beat is not None
    assert health.collectors[0].beat.store == STORE


def test_books_that_another_recorder_has_in_the_store_are_told() -> None:
    other = replace(STORE, trouble=None, unleased=("btc_mxn",), files=1)
    remark = waiting_for_store(replace(BEAT, store=other))
    assert remark is not None
    assert remark.endswith(": another recorder has btc_mxn there")
    assert waiting_for_store(replace(BEAT, store=other, phase=Phase.STANDBY)) is None
    assert waiting_for_store(replace(BEAT, store=replace(STORE, trouble=None))) is None


def test_one_on_another_host_is_judged_by_its_own_clock_but_for_its_silence() -> None:
    # It gives a sign every 20 s, and its clock may be off by some seconds.
    late = replace(BEAT, at=NOW - 50, last_tick=int(NOW) - 70)
    assert judge_afar(late, NOW, 45.0)[0] is Verdict.LATE
    ticking = replace(BEAT, at=NOW - 50, last_tick=int(NOW) - 51)
    assert judge_afar(ticking, NOW, 45.0) == (Verdict.RECORDING, None)
    assert judge_afar(ticking, NOW + 10, 45.0)[0] is Verdict.DEAD
    ahead = replace(BEAT, at=NOW + 30, last_tick=int(NOW) + 30)
    assert judge_afar(ahead, NOW, 45.0)[0] is Verdict.RECORDING


def test_what_a_version_without_stores_wrote_is_read(tmp_path: Path) -> None:
    put(tmp_path, BEAT)
    (path,) = layout.heartbeats_folder(tmp_path, layout.TABLE).iterdir()
    data = json.loads(path.read_text())
    del data["store"]
    path.write_text(json.dumps(data))
    assert look(tmp_path).collectors[0].beat == BEAT
