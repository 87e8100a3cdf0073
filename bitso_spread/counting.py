"""How many there are of something, in words."""

from __future__ import annotations

_NO_VERBS = ("", "")


def many(count: int, what: str, verbs: tuple[str, str] = _NO_VERBS) -> str:
    """Give ``1 row`` or ``1,200 rows``; with a verb for one and for several, that after it."""
    return f"{count:,} {word(count, what, verbs)}"


def word(count: int, what: str, verbs: tuple[str, str] = _NO_VERBS) -> str:
    """Give the same without the number: ``row`` of one, and ``rows`` of none or several."""
    if count == 1:
        return f"{what} {verbs[0]}".rstrip()
    return f"{what}{'es' if what.endswith('ch') else 's'} {verbs[1]}".rstrip()
