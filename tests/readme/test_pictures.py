"""The README's pictures show what they should, and can be made at any time."""

from __future__ import annotations

import html
import re
from pathlib import Path

from PIL import Image, ImageStat

from tests.readme import board_picture, report_picture
from tests.readme.blocks import README, ROOT
from tests.readme.pictures import BOARD, REPORT, alike

MAKE = "it looks different: .venv/bin/python -m tests.readme pictures"


def words_of(svg: str) -> str:
    texts = re.findall(r"<text[^>]*>(.*?)</text>", svg, re.DOTALL)
    return " ".join(" ".join(html.unescape(text) for text in texts).split())


def test_both_are_in_the_readme() -> None:
    text = README.read_text(encoding="utf-8")
    for picture in (BOARD, REPORT):
        assert f'<img src="{picture.relative_to(ROOT).as_posix()}" alt="' in text


def test_the_board_is_what_its_renderer_draws_now() -> None:
    assert BOARD.read_text(encoding="utf-8") == board_picture.board_svg(), MAKE


def test_the_board_shows_books_spreads_states_and_an_alert() -> None:
    svg = board_picture.board_svg()
    said = words_of(svg)
    for book in board_picture.BOOKS:
        assert book in said
    assert "bitso-spread SIMULATED 12 books, widest spread first 2024-07-26 23:25:40 UTC" in said
    assert re.search(r"! usdt_mxn 18\.521 18\.593 18\.5570 0\.3872 [▁-█]{20} 0\.0270 0\.4997", said)
    assert {"fresh", "quiet", "unknown"} <= set(said.split())
    assert "! usdt_mxn above 0.35 % for 2 min 2 s, up to 0.4997 %" in said
    assert "batch 340/600 ━" in said


def test_the_board_fetches_nothing() -> None:
    svg = board_picture.board_svg()
    assert re.findall(r"https?://[^\s\"]*", svg.partition("-->")[2]) == []
    assert "url(" not in svg.replace("url(#", "")


def test_the_board_of_a_light_terminal_has_the_same_words() -> None:
    light = board_picture.board_svg(theme=board_picture.LIGHT)
    assert words_of(light) == words_of(board_picture.board_svg())


def test_the_report_is_made_by_the_tool_itself(tmp_path: Path) -> None:
    picture = tmp_path / "report.png"
    report_picture.take(tmp_path, picture)
    with Image.open(picture) as made:
        assert made.size == (report_picture.WIDTH, report_picture.HEIGHT)
        whole = made.convert("RGB")
    colours = whole.getcolors(1 << 16)
    assert colours is not None
    assert len(colours) > 100, "the page is blank"
    bar = [int(mean // 16) for mean in ImageStat.Stat(whole.crop((50, 20, 70, 40))).mean]
    assert bar == [9, 6, 0], "SIMULATED does not stand across the top"
    assert REPORT.stat().st_size < 150_000
    assert alike(picture, REPORT), MAKE


def test_an_empty_page_is_not_alike(tmp_path: Path) -> None:
    empty = tmp_path / "empty.png"
    Image.new("RGB", (report_picture.WIDTH, report_picture.HEIGHT), "white").save(empty)
    assert not alike(empty, REPORT)
    Image.new("RGB", (10, 10)).save(empty)
    assert not alike(empty, REPORT)
