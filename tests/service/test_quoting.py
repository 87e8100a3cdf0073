"""A word comes out of each target as it went in: read by the target itself where it is here."""

from __future__ import annotations

import json
import re
from importlib import import_module
from importlib.util import find_spec

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bitso_spread.errors import UsageError
from bitso_spread.service.quoting import (
    check_path,
    check_word,
    compose_string,
    exec_form,
    systemd_value,
    systemd_word,
)
from tests.service.support import AWKWARD, WORDS, argv_of_systemd


@settings(max_examples=20, deadline=None)
@example(AWKWARD)
@given(st.lists(WORDS, max_size=40))
def test_systemd_reads_each_word_of_a_command_as_it_was(words: list[str]) -> None:
    line = " ".join(["/bin/echo", *map(systemd_word, words)])
    assert argv_of_systemd(f"[Service]\nExecStart={line}\n") == ["/bin/echo", *words]


@given(WORDS)
@example("a b$c%d")
def test_a_word_for_systemd_stays_on_its_line(word: str) -> None:
    assert not re.search(r"[\x00-\x1f\x7f]", systemd_word(word))


def test_a_dollar_sign_is_doubled_in_commands_alone() -> None:
    assert systemd_word("/srv/$a") == '"/srv/$$a"'
    assert systemd_value("/srv/$a") == '"/srv/$a"'


@pytest.mark.parametrize("plain", ["--book", "btc_mxn,usd_mxn", "/var/lib/x-1.0", "a=b", "0.5"])
def test_plain_words_stay_readable(plain: str) -> None:
    assert systemd_word(plain) == plain


@given(st.lists(WORDS))
@example(AWKWARD)
def test_a_dockerfile_s_exec_form_is_one_line_of_json(words: list[str]) -> None:
    text = exec_form(words)
    assert json.loads(text) == words
    assert "\n" not in text


@pytest.mark.skipif(find_spec("yaml") is None, reason="PyYAML is not installed")
@given(WORDS)
@example("a\x85b")
def test_a_yaml_string_is_the_same_in_its_parser(word: str) -> None:
    yaml = import_module("yaml")
    # What Compose then replaces.
    assert yaml.safe_load(compose_string(word)).replace("$$", "$") == word


@pytest.mark.parametrize("word", AWKWARD)
def test_a_compose_string_leaves_no_variable_and_no_line(word: str) -> None:
    text = compose_string(word)
    assert "$" not in text.replace("$$", "")
    assert text.isprintable()


def test_what_is_no_text_is_refused() -> None:
    with pytest.raises(UsageError, match=r"--lake .* not UTF-8"):
        check_word("/srv/\udcff", "--lake")
    with pytest.raises(UsageError, match=r"--lake .* control character"):
        check_path("/srv/a\nb", "--lake")
