"""Make anew all of the README that the program itself has to say: ``python -m tests.readme``.

With ``help``, ``examples`` or ``pictures`` only those. A new command needs a section of its own,
with the lines ``<!-- help: NAME -->`` and ``<!-- end -->``, and the like of ``example``, and in
tests/readme/examples.py what to type.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from tests.readme.blocks import README, Key, blocks, code, filled, folded
from tests.readme.examples import EXAMPLES
from tests.readme.pictures import make_pictures
from tests.readme.program import help_of

PARTS = ("help", "examples", "pictures")
PROGRAM = "bitso-spread"

OnFailure = Callable[[Key, BaseException], None]


def raise_it(_: Key, error: BaseException) -> None:
    """Stop at what fails."""
    raise error


def help_block(command: str) -> str:
    """Make the block of a help text."""
    words = [] if command == PROGRAM else command.split()
    line = " ".join((PROGRAM, *words, "--help"))
    return folded(f"<code>{line}</code>", code(help_of(*words), "text"))


def example_block(command: str, before: str = "") -> str:
    """Make the block of an example: as it was, unless more has changed than does each time."""
    if (example := EXAMPLES.get(command)) is None:
        raise LookupError("tests/readme/examples.py has none")
    block = code(example.run(), "console")
    if example.is_long:
        block = folded("what it says", block)
    return before if example.shape(before) == example.shape(block) else block


def regenerated(text: str, parts: tuple[str, ...] = PARTS, on_failure: OnFailure = raise_it) -> str:
    """Give the README with its blocks anew; of what fails, the block stays as it was."""
    makers = {"help": lambda key, _: help_block(key), "example": example_block}
    wanted = {key: body for key, body in blocks(text).items() if _part(key) in parts}
    # Most of the time is waiting.
    with ThreadPoolExecutor(4) as pool:
        made = {key: pool.submit(makers[key[0]], key[1], before) for key, before in wanted.items()}

    def fill(key: Key, before: str) -> str:
        if key not in made:
            return before
        if (error := made[key].exception()) is None:
            return made[key].result()
        on_failure(key, error)
        return before

    return filled(text, fill)


def _part(key: Key) -> str:
    return "help" if key[0] == "help" else "examples"


def main(parts: tuple[str, ...]) -> None:
    """Write it."""
    if unknown := set(parts) - set(PARTS):
        raise SystemExit(f"there are {', '.join(PARTS)}: not {', '.join(unknown)}")
    parts = parts or PARTS
    failures: list[str] = []

    def note(key: Key, error: BaseException) -> None:
        failures.append(f"{' of '.join(key)}: {type(error).__name__}: {error}")

    before = README.read_text(encoding="utf-8")
    after = regenerated(before, parts, note)
    README.write_text(after, encoding="utf-8")
    print("README.md:", "as it was" if after == before else "made anew")
    if "pictures" in parts:
        print("\n".join(make_pictures()))
    if failures:
        raise SystemExit("\n".join(("left as they were:", *failures)))


if __name__ == "__main__":
    main(tuple(sys.argv[1:]))
