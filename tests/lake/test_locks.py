"""One writer per book, by locks that die with their process."""

from __future__ import annotations

import errno
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bitso_spread.errors import LakeBusyError, LakeError
from bitso_spread.lake import locks
from bitso_spread.lake.locks import BookLocks
from tests.lake.support import python

HOLD = """
import sys
from pathlib import Path
from bitso_spread.lake.locks import BookLocks

with BookLocks(Path(sys.argv[1])) as held:
    held.acquire(sys.argv[2:])
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / ".bitso-spread" / "locks" / "BitsoSpreadMonitor"


@pytest.fixture
def hold(folder: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Have another process hold the locks of some books."""
    children = []

    def start(*books: str) -> subprocess.Popen[str]:
        child = python(HOLD, folder, *books)
        children.append(child)
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        return child

    yield start
    for child in children:
        child.kill()
        child.communicate()


def test_a_book_that_another_process_holds_is_busy(
    folder: Path, hold: Callable[..., subprocess.Popen[str]]
) -> None:
    hold("btc_mxn")
    with BookLocks(folder) as mine:
        with pytest.raises(LakeBusyError) as busy:
            mine.acquire(["btc_mxn"])
        assert str(busy.value) == (
            "another collector records btc_mxn in this lake: stop it, choose other books, "
            "or give --lake another folder"
        )
        assert not mine.try_acquire("btc_mxn")
        mine.acquire(["usd_mxn"])
        assert mine.held == {"usd_mxn"}


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_the_death_of_its_process_frees_a_lock(
    folder: Path, hold: Callable[..., subprocess.Popen[str]], how: signal.Signals
) -> None:
    child = hold("btc_mxn")
    child.send_signal(how)
    child.wait()
    with BookLocks(folder) as mine:
        assert mine.try_acquire("btc_mxn")


def test_all_locks_are_taken_or_none(
    folder: Path, hold: Callable[..., subprocess.Popen[str]]
) -> None:
    hold("usd_mxn")
    with BookLocks(folder) as mine, BookLocks(folder) as third:
        mine.acquire(["eth_mxn"])
        with pytest.raises(LakeBusyError, match="another collector records usd_mxn"):
            mine.acquire(["btc_mxn", "eth_mxn", "usd_mxn", "xrp_mxn"])
        # What was held before is kept, and nothing is added.
        assert mine.held == {"eth_mxn"}
        assert third.try_acquire("btc_mxn")
        assert third.try_acquire("xrp_mxn")
        assert not third.try_acquire("eth_mxn")


def test_two_holders_in_one_process_exclude_each_other(folder: Path) -> None:
    with BookLocks(folder) as first, BookLocks(folder) as second:
        first.acquire(["btc_mxn"])
        assert not second.try_acquire("btc_mxn")
        first.release(["btc_mxn"])
        assert first.held == frozenset()
        assert second.try_acquire("btc_mxn")


def test_a_lock_that_is_held_is_not_taken_twice(folder: Path) -> None:
    with BookLocks(folder) as mine:
        mine.acquire(["btc_mxn"])
        mine.acquire(["btc_mxn", "usd_mxn"])
        assert not mine.try_acquire("btc_mxn")
        assert mine.held == {"btc_mxn", "usd_mxn"}


def test_the_files_of_dead_processes_mean_nothing(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "btc_mxn.lock").write_text("4711")
    with BookLocks(folder) as mine:
        assert mine.try_acquire("btc_mxn")
    # The file stays: whoever removed it could let two in.
    assert (folder / "btc_mxn.lock").read_text() == "4711"


def test_a_folder_that_cannot_be_made_is_an_error_and_no_neighbour(folder: Path) -> None:
    folder.parent.mkdir(parents=True)
    folder.write_text("")
    with BookLocks(folder) as mine:
        with pytest.raises(LakeError, match=f"cannot make the lock {folder}/btc_mxn.lock: ") as no:
            mine.acquire(["btc_mxn"])
        assert not isinstance(no.value, LakeBusyError)


def test_a_filesystem_without_locks_is_an_error_and_no_neighbour(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = locks._lock

    def refuse(file: object) -> None:
        if "usd_mxn" in str(file):
            raise OSError(errno.ENOLCK, "No locks available")
        lock(file)  # type: ignore[arg-type]

    monkeypatch.setattr(locks, "_lock", refuse)
    with BookLocks(folder) as mine:
        with pytest.raises(LakeError, match=r"usd_mxn.lock: .*No locks available") as no:
            mine.acquire(["btc_mxn", "usd_mxn"])
        assert not isinstance(no.value, LakeBusyError)
        assert mine.held == frozenset()
