"""The README's picture can be made at any time."""

from __future__ import annotations

from pathlib import Path

from tests.report.picture import HEIGHT, WIDTH, take


def test_it_is_made_by_the_tool_itself(tmp_path: Path) -> None:
    picture = tmp_path / "report.png"
    take(tmp_path, picture, hours=1)
    data = picture.read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    assert [int.from_bytes(data[at : at + 4]) for at in (16, 20)] == [WIDTH, HEIGHT]
    # An empty page compresses to a tenth of this.
    assert len(data) > 50_000
