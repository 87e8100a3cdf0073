"""What every test shares: no test touches the user's own state folder or settings."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

SHARED = Path(__file__).parents[1] / ".." / "shared"


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith(("BITSO_SPREAD_", "BITSO_API_")):
            monkeypatch.delenv(name)
    for name in ("XDG_STATE_HOME", "XDG_CONFIG_HOME", "HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path / "state"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real payloads and of the predecessor's lake, which lies beside the checkout."""
    if not SHARED.is_dir():
        pytest.skip("the shared folder with real data is not beside this checkout")
    return SHARED
