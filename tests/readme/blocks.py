"""The README's generated blocks, between markers that a reader does not see, and its sections."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
_BLOCK = re.compile(r"<!-- (help|example): ([a-z -]+) -->\n(.*?)<!-- end -->\n", re.DOTALL)
_CODE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)

Key = tuple[str, str]
"""``help`` or ``example``, and of which command; ``bitso-spread`` is the program itself."""


def blocks(text: str) -> dict[Key, str]:
    """Give what stands in each block.

    Raises:
        ValueError: a block is there twice.
    """
    found: dict[Key, str] = {}
    for kind, command, body in _BLOCK.findall(text):
        if (kind, command) in found:
            raise ValueError(f"two blocks: {kind} of {command}")
        found[kind, command] = body
    return found


def filled(text: str, fill: Callable[[Key, str], str]) -> str:
    """Give the text with each block as `fill` says, which is told what stands there now."""

    def body(match: re.Match[str]) -> str:
        kind, command, before = match.groups()
        return f"<!-- {kind}: {command} -->\n{fill((kind, command), before)}<!-- end -->\n"

    return _BLOCK.sub(body, text)


def without_blocks(text: str) -> str:
    """Give what people have written."""
    return _BLOCK.sub("", text)


def folded(summary: str, code: str) -> str:
    """Make a block that opens when it is asked for."""
    return f"<details>\n<summary>{summary}</summary>\n\n{code}\n</details>\n"


def code(text: str, language: str) -> str:
    """Make a block that is shown as it stands."""
    return f"```{language}\n{text}\n```\n"


def section(text: str, command: str) -> str:
    """Give the section of a command: from the one heading that names it to the next of its level.

    Raises:
        ValueError: no heading names it, or more than one.
    """
    prose = _CODE.sub(lambda found: " " * len(found[0]), text)
    headings = list(re.finditer(r"^(#{2,3}) .*$", prose, re.MULTILINE))
    own = [n for n, each in enumerate(headings) if f"`{command}`" in each[0]]
    if len(own) != 1:
        raise ValueError(f"{len(own)} headings name `{command}`")
    start = headings[own[0]]
    after = (each for each in headings[own[0] + 1 :] if len(each[1]) <= len(start[1]))
    end = next((each.start() for each in after), len(text))
    return text[start.start() : end]
