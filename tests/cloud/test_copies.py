"""Copies of objects: how many there are, which stay, and what they are taken for."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from bitso_spread.cloud.objects import Fetched, Found
from bitso_spread.errors import LakeError
from bitso_spread.lake.copies import Copies
from bitso_spread.lake.shown import copies, no_copies, shown


def fetched(
    key: str, data: bytes = b"1234", *, etag: str = "1", sha256: str | None = None
) -> Fetched:
    moment = datetime(2026, 9, 21, tzinfo=UTC)
    return Fetched(Found(key, len(data), etag, moment), data, sha256)


def test_what_was_read_longest_ago_goes_first_and_never_what_is_being_read(tmp_path: Path) -> None:
    there = Copies(tmp_path, kept_bytes=8)
    there.put(fetched("a/1"))
    there.put(fetched("a/2"))
    assert there.has("a/1", "1")
    with there.pinned(["a/2"]):
        there.put(fetched("a/3"))
        assert [path.name for path in sorted(tmp_path.rglob("?"))] == ["a", "2", "3"]
        there.put(fetched("a/4"))
        assert (tmp_path / "a/2").exists()
    there.put(fetched("a/5"))
    assert not there.has("a/2", None)
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["4", "5"]


def test_more_than_the_limit_is_there_while_it_is_read_and_no_longer(tmp_path: Path) -> None:
    there = Copies(tmp_path, kept_bytes=8)
    keys = [f"a/{number}" for number in range(5)]
    with there.pinned(keys):
        for key in keys:
            there.put(fetched(key))
        assert all(there.has(key, "1") for key in keys)
    assert len([*(tmp_path / "a").iterdir()]) == 2


def test_a_copy_of_another_version_is_none(tmp_path: Path) -> None:
    there = Copies(tmp_path)
    there.put(fetched("a", b"old", etag="1"))
    assert not there.has("a", "2")
    there.put(fetched("a", b"new", etag="2"))
    assert there.has("a", "2")
    assert (tmp_path / "a").read_bytes() == b"new"


def test_a_copy_knows_what_it_should_be(tmp_path: Path) -> None:
    there = Copies(tmp_path)
    there.put(fetched("a", sha256="0" * 64))
    assert there.checksum_of("a") == "0" * 64
    assert not there.is_sound("a")
    assert (tmp_path / "a").stat().st_mtime == datetime(2026, 9, 21, tzinfo=UTC).timestamp()


def test_a_file_that_is_no_object_yet_is_taken_if_it_is_there(tmp_path: Path) -> None:
    there = Copies(tmp_path / "copies")
    near = tmp_path / "near"
    assert not there.take("a/b", near)
    near.write_bytes(b"1")
    assert there.take("a/b", near)
    assert there.has("a/b", None)


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", refuse)
    with pytest.raises(
        LakeError, match=r"No space left on device; free space there, or set TMPDIR"
    ):
        Copies(tmp_path).put(fetched("a"))


def test_a_copy_is_called_as_what_it_is_a_copy_of(tmp_path: Path) -> None:
    copies(tmp_path, "s3://bucket/lake")
    assert shown(tmp_path / "a/b") == "s3://bucket/lake/a/b"
    assert shown(f"{tmp_path}-more/a") == f"{tmp_path}-more/a"
    no_copies(tmp_path)
    assert shown(tmp_path / "a") == str(tmp_path / "a")
