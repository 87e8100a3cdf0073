"""How each target reads a word: what must be written so that it comes out as it went in.

systemd splits a line at spaces, takes C's escapes in double quotes, ``%`` as a specifier and, in
command lines alone, ``$`` as a variable (systemd.syntax(7), systemd.service(5)). Compose takes
YAML, in which it replaces ``$`` (``$$`` is one). A Dockerfile's exec form is JSON, in which
nothing is replaced. Airflow's is Python, and Jinja where it is not told otherwise.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

from bitso_spread.errors import UsageError

_PLAIN = re.compile(r"[A-Za-z0-9_./:=,+@-]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def check_word(text: str, what: str) -> str:
    """Give a word back that can be written into a file.

    Raises:
        UsageError: it holds bytes that are no text.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UsageError(f"{what} {text!r} holds bytes that are not UTF-8") from None
    return text


def check_path(text: str, what: str) -> str:
    """Give a path back that every target can hold.

    Raises:
        UsageError: it holds a control character, or bytes that are no text.
    """
    if _CONTROL.search(text):
        raise UsageError(f"{what} {text!r} holds a control character")
    return check_word(text, what)


def systemd_value(text: str) -> str:
    """Write a word of a setting, such as ``Environment=``, in which ``$`` means nothing."""
    if _PLAIN.fullmatch(text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    quoted = _CONTROL.sub(_c_escape, escaped)
    return f'"{quoted}"'


def _c_escape(control: re.Match[str]) -> str:
    return f"\\x{ord(control[0]):02x}"


def systemd_word(text: str) -> str:
    """Write a word of a command line, after its program."""
    return systemd_value(text).replace("$", "$$")


def exec_form(words: Iterable[str]) -> str:
    """Write a command of a Dockerfile that no shell reads."""
    return json.dumps(list(words), ensure_ascii=False)


def compose_string(text: str) -> str:
    """Write a YAML string of a compose file, in which no variable is looked up."""
    return f'"{"".join(map(_yaml_character, text.replace("$", "$$")))}"'


def _yaml_character(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    if character.isprintable():
        return character
    # JSON's pairs of surrogates are not YAML.
    return f"\\U{ord(character):08x}"
