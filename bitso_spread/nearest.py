"""What a person may have meant who wrote a name that there is not."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

MISSPELT = 0.8
"""How near a word is to another (of 1) that is the same but for a slip: btc_mnx is to btc_mxn, and
eth_mxn, a book in its own right, is not."""


def did_you_mean(word: str, names: Iterable[str], most: int = 1, *, least: float = 0.6) -> str:
    """Give ``; did you mean btc_mxn?`` to end a sentence with, or nothing if nothing is near."""
    known = {name.lower(): name for name in sorted(names)}
    lower = word.lower()
    close = difflib.get_close_matches(lower, known, most, least)
    # --env is short of --environment, and far from it by count of letters.
    begun = [name for name in known if len(lower) > 2 and name.startswith(lower)]
    found = [known[name] for name in dict.fromkeys([*close, *begun])][:most]
    return f"; did you mean {', '.join(found)}?" if found else ""
