"""The folders of the account that runs this, as each system's custom has them."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path


def state_folder(environ: Mapping[str, str], platform: str = sys.platform) -> Path:
    """Give the user's folder for what outlives a run, as each system's custom has it."""
    home = Path(environ["HOME"]) if environ.get("HOME") else _home_of_account()
    if platform == "win32":
        base = environ.get("LOCALAPPDATA") or home / "AppData" / "Local"
    elif platform == "darwin":
        base = home / "Library" / "Application Support"
    else:
        given = environ.get("XDG_STATE_HOME", "")
        # The XDG specification says to ignore what is not absolute.
        base = given if given.startswith("/") else home / ".local" / "state"
    return Path(base) / "bitso-spread"


def _home_of_account() -> Path:
    try:
        return Path.home()
    except RuntimeError:
        # An account without a home, as in some containers; a restart there starts from nothing.
        return Path(tempfile.gettempdir())
