"""The file in which a collector says how it is."""

from __future__ import annotations

import errno
import json
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from bitso_spread.errors import LakeError
from bitso_spread.lake.heartbeat import BookBeat, Heartbeat, HeartbeatFile, Phase, paths, read

BEAT = Heartbeat(
    at=1_000_000.5,
    host="box",
    pid=42,
    version="0.1.0",
    environment="sim",
    interval=1,
    since=999_000.0,
    phase=Phase.RECORDING,
    last_tick=1_000_000,
    ticks=1000,
    books=(
        BookBeat("btc_mxn", 1_000_000, "fresh", 0.2),
        BookBeat("usd_mxn", 999_999, "held", None),
    ),
    names=("btc_mxn", "usd_mxn", "eth_mxn"),
    reconnects=2,
    rejected={"crossed": 3},
    rows_in_memory=0,
    rows_in_journal=612,
    oldest_in_memory_s=0.25,
)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    file = HeartbeatFile(tmp_path / "new" / "folder", "box.example/../x", 42)
    file.write(BEAT)
    assert paths(tmp_path / "new" / "folder") == [file.path]
    assert file.path.parent == tmp_path / "new" / "folder"
    assert read(file.path) == BEAT


def test_two_collectors_of_one_name_have_two_files(tmp_path: Path) -> None:
    # Process numbers begin anew in each container, and hosts may share a name.
    one, other = HeartbeatFile(tmp_path, "box", 7), HeartbeatFile(tmp_path, "box", 7)
    one.write(BEAT)
    other.write(replace(BEAT, ticks=5))
    assert sorted(read(path).ticks for path in paths(tmp_path)) == [5, 1000]


def test_nothing_is_left_of_a_file_that_is_removed(tmp_path: Path) -> None:
    file = HeartbeatFile(tmp_path, "box", 42)
    file.write(BEAT)
    file.remove()
    file.remove()
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_still_hears_a_heartbeat(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = HeartbeatFile(tmp_path, "box", 42)
    file.write(BEAT)
    blocks = file.path.stat().st_size

    def full(_: Path, __: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    shorter = replace(BEAT, at=1_000_001.5, rejected={})
    file.write(shorter)
    assert read(file.path) == shorter
    assert paths(tmp_path) == [file.path]
    # It takes no block that it does not have already.
    assert file.path.stat().st_size == blocks


def test_a_disk_that_refuses_from_the_start_is_an_error_that_can_be_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        HeartbeatFile(tmp_path / "file", "box", 42).write(BEAT)


def test_a_reader_never_sees_half_a_heartbeat(tmp_path: Path) -> None:
    file = HeartbeatFile(tmp_path, "box", 42)
    file.write(BEAT)
    stop = threading.Event()

    def write() -> None:
        ticks = 0
        while not stop.is_set():
            ticks += 1
            names = tuple(f"book{number}_mxn" for number in range(ticks % 500))
            file.write(replace(BEAT, ticks=len(names), names=names))

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for _ in range(300):
            # Not by `read`, which looks again where it finds half of one.
            beat = json.loads(file.path.read_bytes())
            assert beat["at"] == BEAT.at
    finally:
        stop.set()
        thread.join()


def test_what_a_later_version_says_besides_is_passed_over(tmp_path: Path) -> None:
    file = HeartbeatFile(tmp_path, "box", 42)
    file.write(BEAT)
    data = json.loads(file.path.read_text())
    data["mood"] = "fine"
    data["books"][0]["depth"] = 3
    file.path.write_text(json.dumps(data))
    assert read(file.path) == BEAT


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", "null", '{"at": "soon"}', "\x00" * 4096, "\ud800"]
)
def test_what_is_no_heartbeat_is_one_line(text: str, tmp_path: Path) -> None:
    path = tmp_path / "box-1-0.json"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(LakeError, match=r"box-1-0\.json") as told:
        read(path)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("key", "value"),
    [("at", None), ("at", "now"), ("interval", []), ("last_tick", "x"), ("phase", "dozing"),
     ("books", [{"book": "btc_mxn"}]), ("names", 3)],
)  # fmt: skip
def test_a_value_of_another_kind_is_one_line(key: str, value: object, tmp_path: Path) -> None:
    file = HeartbeatFile(tmp_path, "box", 42)
    file.write(BEAT)
    data = json.loads(file.path.read_text())
    data[key] = value
    file.path.write_text(json.dumps(data))
    with pytest.raises(LakeError):
        read(file.path)
