"""What people are told of where a file lies: its path, or the URL of what it is a copy of."""

from __future__ import annotations

from pathlib import Path

# The folders into which objects are copied while they are read, each with the URL of its lake.
_COPIES: dict[str, str] = {}


def copies(folder: Path, url: str) -> None:
    """Have files below a folder called as the objects are that they are copies of."""
    _COPIES[str(folder)] = url


def no_copies(folder: Path) -> None:
    """Have files below a folder called as they are again."""
    _COPIES.pop(str(folder), None)


def shown(path: Path | str) -> str:
    """Give the name under which a person finds a file, or a folder."""
    text = str(path)
    for folder, url in _COPIES.items():
        if text == folder or text.startswith(f"{folder}/"):
            return url + text[len(folder) :]
    return text
