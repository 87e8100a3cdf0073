"""The page in a real browser: what a person sees, and what it fetches."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from bitso_spread.lake.reader import Lake
from bitso_spread.report import gather, page
from tests.report.browser import Browser, eventually
from tests.report.support import put

KNOWN, GAP = 400, 200

Colour = list[int]
"""Red, green, blue and alpha, from 0 to 255."""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of two books: of one are 400 s, a gap of 200 s, and 400 s; of the other the first."""
    folder = tmp_path_factory.mktemp("report")
    wave = [0.2 + 0.001 * (number % 50) for number in range(KNOWN)]
    put(folder, [*wave, *[None] * GAP, *wave])
    put(folder, wave, book="usd_mxn", environment="sim")
    path = folder / "report.html"
    path.write_text(page(gather(Lake(folder), [0.22])), encoding="utf-8")
    return path


@pytest.fixture
def opened(browser: Browser, report: Path) -> Iterator[Browser]:
    browser.mouse("mouseMoved", 0, 0)
    browser.open(report)
    yield browser
    browser.scheme()
    browser.size()


def hover(browser: Browser, selector: str, share: float, number: int = 0) -> tuple[float, float]:
    """Point at something, so far from its left to its right; give where that is."""
    box = browser.box(selector, number)
    place = box["x"] + box["width"] * share, box["y"] + box["height"] / 2
    browser.mouse("mouseMoved", *place)
    return place


def legend(browser: Browser, number: int = 0) -> str:
    text: str = browser.run(f"document.querySelectorAll('.u-legend')[{number}].innerText")
    return " ".join(text.split())


def pixels(browser: Browser, number: int, share: float) -> list[Colour]:
    """Give the colours of a column of a plot, top to bottom."""
    column: list[int] = browser.run(
        f"""(() => {{
        const over = document.querySelectorAll(".u-over")[{number}];
        const canvas = over.parentNode.querySelector("canvas");
        const ratio = canvas.width / canvas.clientWidth;
        const x = Math.round((over.offsetLeft + over.offsetWidth * {share}) * ratio);
        const y = Math.round(over.offsetTop * ratio);
        const all = canvas.getContext("2d").getImageData(x, y, 1, over.offsetHeight * ratio);
        return Array.from(all.data);
        }})()"""
    )
    return [column[at : at + 4] for at in range(0, len(column), 4)]


def colour(browser: Browser, name: str) -> Colour:
    """Give a colour of the page as it is now."""
    style = "getComputedStyle(document.documentElement)"
    text: str = browser.run(f"{style}.getPropertyValue('--{name}').trim()")
    return [int(text[at : at + 2], 16) for at in (1, 3, 5)] + [255]


def near(one: Colour, other: Colour) -> bool:
    return all(abs(a - b) <= 4 for a, b in zip(one, other, strict=True))


def is_grey(browser: Browser, number: int, share: float) -> bool:
    """Tell whether a column of a plot is shown as one of which nothing is known."""
    return near(pixels(browser, number, share)[2], colour(browser, "gap"))


def test_it_loads_without_a_complaint_and_without_the_network(
    opened: Browser, report: Path
) -> None:
    assert opened.complaints() == []
    asked = [event["request"]["url"] for event in opened.events("Network.requestWillBeSent")]
    assert [url for url in asked if not url.startswith("data:")] == [report.as_uri()]
    assert opened.run("document.querySelectorAll('.u-over').length") == 4
    assert opened.run("document.querySelector('.mark').innerText").startswith("SIMULATED")


def test_its_policy_stops_what_would_fetch_or_run(opened: Browser) -> None:
    opened.run(
        """(() => {
        const image = document.createElement("img");
        image.src = "http://127.0.0.1:9/x.png";
        const script = document.createElement("script");
        script.textContent = "window.ran = true";
        document.body.append(image, script);
        })()"""
    )
    eventually(lambda: str(opened.complaints()).count("Content Security Policy") >= 2)
    assert opened.run("window.ran === undefined")


def test_pointing_at_a_chart_tells_the_values_of_both(opened: Browser) -> None:
    hover(opened, ".u-over", 0.26)
    eventually(lambda: "2024-07-26 03:19:" in legend(opened))
    assert "UTC" in legend(opened)
    assert "0.2" in legend(opened).partition("Spread")[2]
    assert "%" in legend(opened).partition("Spread")[2]
    bid, _, ask = legend(opened, 1).partition("Best bid")[2].partition("Best ask")
    assert "997." in bid
    assert "1,000 MXN" in ask


def test_a_gap_is_grey_has_no_line_and_says_that_nothing_is_known(opened: Browser) -> None:
    gap, spread = colour(opened, "gap"), colour(opened, "spread")
    inside, outside = pixels(opened, 0, 0.503), pixels(opened, 0, 0.253)
    # But for the grid, and the threshold.
    assert sum(near(pixel, gap) for pixel in inside) > 0.8 * len(inside)
    assert not any(near(pixel, spread) for pixel in inside)
    assert any(near(pixel, spread) for pixel in outside)
    assert not any(near(pixel, gap) for pixel in outside)
    hover(opened, ".u-over", 0.5)
    eventually(lambda: "nothing known" in legend(opened))
    assert "2024-07-26 03:21:40 UTC for 200 s" in legend(opened)
    assert not any(digit in legend(opened).partition("Spread")[2] for digit in "0123456789")


def test_a_drag_zooms_all_charts_and_a_button_leads_back(opened: Browser) -> None:
    # From the price of the first book, whose gap it reaches into, to that of the second, which
    # ends where the gap begins.
    def zoomed() -> list[bool]:
        return [is_grey(opened, number, 0.1) for number in range(4)]

    assert zoomed() == [False] * 4
    x, y = hover(opened, ".u-over", 0.42, number=1)
    end = x + opened.box(".u-over", 1)["width"] * 0.1
    opened.mouse("mousePressed", x, y)
    opened.mouse("mouseMoved", end, y)
    opened.mouse("mouseReleased", end, y)
    eventually(lambda: zoomed() == [True] * 4)
    opened.run("document.querySelector('[data-zoom=all]').click()")
    eventually(lambda: zoomed() == [False] * 4)


@pytest.mark.parametrize(
    ("buttons", "share", "time"),
    [
        ("nearer", 0.01, "03:19:1"),
        ("nearer later", 0.91, "03:30:5"),
        ("nearer earlier", 0.01, "03:15:0"),
        ("nearer farther", 0.255, "03:19:1"),
    ],
)
def test_buttons_zoom_and_move(opened: Browser, buttons: str, share: float, time: str) -> None:
    for name in buttons.split():
        opened.run(f"document.querySelector('[data-zoom={name}]').click()")
    hover(opened, ".u-over", share)
    eventually(lambda: f" {time}" in legend(opened))


WRITTEN = """(() => {
    window.written = [];
    const fill = CanvasRenderingContext2D.prototype.fillText;
    CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {
        written.push([text, y]);
        return fill.call(this, text, x, y);
    };
    dispatchEvent(new Event("resize"));
})()"""


def written(browser: Browser) -> list[tuple[str, float]]:
    """Give what the charts have written, and how far from the top, once they are drawn anew."""
    browser.run(WRITTEN)
    eventually(lambda: browser.run("written.length"))
    found: list[list[Any]] = browser.run("written")
    return [(text, y) for text, y in found]


def test_thresholds_are_labelled_within_the_chart_and_not_one_upon_another(
    browser: Browser, tmp_path: Path
) -> None:
    # The scale of one spread of 0.25 ends a little above 0.5.
    put(tmp_path, [0.25])
    path = tmp_path / "report.html"
    limits = [0.011, 0.101, 0.102, 0.103, 0.4999]
    path.write_text(page(gather(Lake(tmp_path), limits)), encoding="utf-8")
    browser.open(path)
    texts = [f"{limit} %" for limit in limits]
    labels = {text: y for text, y in written(browser) if text in texts}
    assert list(labels) == ["0.4999 %", "0.103 %", "0.011 %"]
    assert labels["0.4999 %"] > 13
    assert all(below - above >= 13 for above, below in pairwise(labels.values()))


def test_a_second_is_not_cut_into_times_that_read_alike(browser: Browser, tmp_path: Path) -> None:
    put(tmp_path, [0.25])
    path = tmp_path / "report.html"
    path.write_text(page(gather(Lake(tmp_path), [0.1])), encoding="utf-8")
    browser.open(path)
    times = [text for text, _ in written(browser) if text.startswith("03:15:")]
    assert sorted(times) == ["03:15:00", "03:15:00", "03:15:01", "03:15:01"]
    assert (
        browser.run("document.querySelector('canvas').ariaLabel") == "Spread of btc_mxn over time"
    )


def test_where_nothing_is_known_there_is_nothing_to_zoom(browser: Browser, tmp_path: Path) -> None:
    put(tmp_path, [None] * 10)
    path = tmp_path / "report.html"
    path.write_text(page(gather(Lake(tmp_path), [0.1])), encoding="utf-8")
    browser.open(path)
    assert browser.complaints() == []
    assert browser.run("document.querySelectorAll('nav, canvas').length") == 0


@pytest.mark.parametrize(
    ("place", "said"),
    [
        (".bars span", "% of the known time"),
        (".heat td", "2024-07-26 00:00 to 01:00: nothing known"),
    ],
)
def test_bars_and_hours_have_tips(opened: Browser, place: str, said: str) -> None:
    tip = "document.getElementById('tip')"

    def told() -> bool:
        # Scrolling hides a tip, so that the event of what was brought into view may hide the first.
        hover(opened, place, 0.5)
        return said in opened.run(f"{tip}.hidden ? '' : {tip}.innerText")

    eventually(told)


def test_the_dark_has_colours_of_its_own_and_paper_is_light(opened: Browser) -> None:
    light = colour(opened, "bg")
    opened.scheme("dark")
    assert colour(opened, "bg") != light
    eventually(lambda: is_grey(opened, 0, 0.503))
    opened.run("dispatchEvent(new Event('beforeprint'))")
    assert colour(opened, "bg") == light
    eventually(lambda: is_grey(opened, 0, 0.503))
    opened.run("dispatchEvent(new Event('afterprint'))")
    assert colour(opened, "bg") != light
    paper = base64.b64decode(opened.call("Page.printToPDF")["data"])
    assert paper.startswith(b"%PDF")


def test_the_hours_of_a_day_stand_side_by_side_and_fill_the_line(opened: Browser) -> None:
    cells = "document.querySelector('.heat tbody tr').cells"
    boxes = opened.run(f"Array.from({cells}, (cell) => cell.getBoundingClientRect().toJSON())")
    assert len(boxes) == 25
    assert {box["y"] for box in boxes} == {boxes[0]["y"]}
    assert all(left["right"] < right["right"] for left, right in pairwise(boxes))
    whole = opened.box("figure")
    assert boxes[-1]["right"] > whole["x"] + whole["width"] * 0.98


def test_a_narrow_screen_is_not_overflowed(opened: Browser) -> None:
    opened.size(360)
    eventually(lambda: opened.run("document.documentElement.scrollWidth") <= 360)
    eventually(lambda: 150 < opened.box(".u-over")["width"] < 300)
