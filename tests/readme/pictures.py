"""The README's two pictures, in files."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from PIL import Image, ImageChops, ImageStat

from tests.readme.blocks import ROOT
from tests.readme.board_picture import board_svg
from tests.readme.report_picture import take

BOARD = ROOT / ".pictures" / "board.svg"
REPORT = ROOT / ".pictures" / "report.png"
# Of 255, in the mean: what two runs of one browser differ by is a hundredth of it.
_ALIKE = 1.0


def make_pictures() -> list[str]:
    """Make both anew where they look different, and say what was done."""
    BOARD.parent.mkdir(exist_ok=True)
    svg = board_svg()
    said = ["the board: as it was"]
    if not BOARD.is_file() or BOARD.read_text(encoding="utf-8") != svg:
        BOARD.write_text(svg, encoding="utf-8")
        said = ["the board: made"]
    if shutil.which("chromium") is None:
        return [*said, "the report: as it was, for there is no chromium to draw it"]
    with tempfile.TemporaryDirectory() as temporary:
        picture = Path(temporary) / "report.png"
        take(Path(temporary), picture)
        if REPORT.is_file() and alike(picture, REPORT):
            return [*said, "the report: as it was"]
        shutil.copyfile(picture, REPORT)
    return [*said, "the report: made"]


def alike(one: Path, other: Path) -> bool:
    """Tell whether nobody could tell two pictures apart."""
    with Image.open(one) as first, Image.open(other) as second:
        if first.size != second.size:
            return False
        difference = ImageChops.difference(first.convert("L"), second.convert("L"))
        return ImageStat.Stat(difference).mean[0] < _ALIKE
