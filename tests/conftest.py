"""What every test shares: no test touches the user's own state folder or settings."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# How long an example takes is the machine's business, and others may be at work on it.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")

SHARED = Path(__file__).parents[1] / ".." / "shared"


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith(("BITSO_SPREAD_", "BITSO_API_")):
            monkeypatch.delenv(name)
    for name in ("XDG_STATE_HOME", "XDG_CONFIG_HOME", "HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path / "state"))


@pytest.fixture(autouse=True)
def _own_log() -> Iterator[None]:
    """Take back what a command, run in this process, has done to the loggers."""
    loggers = [logging.getLogger(name) for name in (None, "bitso_spread")]
    before = [(logger, logger.level, logger.handlers[:], logger.propagate) for logger in loggers]
    yield
    for logger, level, handlers, propagate in before:
        logger.setLevel(level)
        logger.handlers, logger.propagate = handlers, propagate


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real payloads and of the predecessor's lake, which lies beside the checkout."""
    if not SHARED.is_dir():
        pytest.skip("the shared folder with real data is not beside this checkout")
    return SHARED
