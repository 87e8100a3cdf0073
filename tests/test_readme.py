"""The README's Python, as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import bitso_spread

README = (Path(__file__).parents[1] / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_a_notebook_records_the_simulated_exchange_and_asks_its_lake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (recording,) = [block for block in BLOCKS if "SimulatedExchange" in block]
    (asking,) = [block for block in BLOCKS if "lake.scan()" in block]
    monkeypatch.chdir(tmp_path)
    exec(compile(recording, "README.md", "exec"), {})  # noqa: S102  (it is ours)
    assert "shape: (3, 5)" in capsys.readouterr().out
    exec(compile(asking, "README.md", "exec"), {})  # noqa: S102
    shapes = re.findall(r"shape: \((\d+), (\d+)\)", capsys.readouterr().out)
    assert [columns for _, columns in shapes] == ["2", "10", "13", "1"]
    assert [rows for rows, _ in shapes[2:]] == ["1", "1"]


def test_every_block_compiles_and_imports_what_there_is() -> None:
    assert len(BLOCKS) >= 2
    for block in BLOCKS:
        compile(block, "README.md", "exec")
        for names in re.findall(r"^from bitso_spread import (.+)$", block, re.MULTILINE):
            assert all(hasattr(bitso_spread, name.strip()) for name in names.split(","))


def test_every_name_that_the_package_offers_is_there() -> None:
    for name in bitso_spread.__all__:
        assert getattr(bitso_spread, name) is not None
    assert dir(bitso_spread) == sorted(bitso_spread.__all__)
    with pytest.raises(AttributeError, match="nothing"):
        _ = bitso_spread.nothing
