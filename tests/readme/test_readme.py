"""What the README says of each command, held against the program itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.cli.support import commands
from tests.readme.__main__ import PROGRAM, example_block, help_block, regenerated
from tests.readme.blocks import README, ROOT, blocks, section, without_blocks
from tests.readme.examples import EXAMPLES, checks, words
from tests.readme.program import HOME, help_of

ALL = sorted(commands())
COMMANDS = [name for name in ALL if " " not in name]
TEXT = README.read_text(encoding="utf-8")
BLOCKS = blocks(TEXT)
MAKE = "it has changed: .venv/bin/python -m tests.readme"


@pytest.fixture(scope="module")
def examples() -> Iterator[dict[str, Future[str]]]:
    """All examples, run side by side: most of their time is waiting for seconds to pass."""
    with ThreadPoolExecutor(4) as pool:
        yield {name: pool.submit(example_block, name) for name in sorted(EXAMPLES)}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_section_with_an_example_and_its_help(command: str) -> None:
    own = section(TEXT, command)
    keys = [("help", name) for name in ALL if name.split()[0] == command]
    assert set(blocks(own)) == {("example", command), *keys}, MAKE
    # A person, and not the program, says what it is for.
    assert len(without_blocks(own).split()) > 15


@pytest.mark.parametrize("command", [PROGRAM, *ALL])
def test_the_help_that_it_shows_is_the_program_s_own(command: str) -> None:
    assert BLOCKS["help", command] == help_block(command), MAKE


@pytest.mark.parametrize("command", COMMANDS)
def test_the_example_that_it_shows_says_what_it_says_here(
    command: str, examples: dict[str, Future[str]]
) -> None:
    example, shown = EXAMPLES[command], BLOCKS["example", command]
    assert all(f"$ {line}\n" in shown for line in example.lines), MAKE
    assert any(line.startswith(f"bitso-spread {command} ") for line in example.lines)
    assert example.shape(shown) == example.shape(examples[command].result()), MAKE


def test_every_link_within_it_leads_somewhere() -> None:
    headings = re.findall(r"^#{2,3} (.*)$", without_blocks(TEXT), re.MULTILINE)
    anchors = {re.sub(r"[^a-z0-9 -]", "", each.lower()).replace(" ", "-") for each in headings}
    links = re.findall(r"\]\(#([^)]*)\)", TEXT)
    assert len(links) > len(COMMANDS)
    assert set(links) <= anchors


def test_blocks_are_of_commands_that_there_are() -> None:
    assert {command for _, command in BLOCKS} == {PROGRAM, *ALL}
    assert set(EXAMPLES) == set(COMMANDS)


def test_made_anew_it_stays_as_it_is() -> None:
    assert regenerated(TEXT, ("help",)) == TEXT, MAKE


def test_what_cannot_be_made_stays_and_is_told() -> None:
    text = "<!-- help: nothing -->\nold\n<!-- end -->\n<!-- example: nothing -->\n<!-- end -->\n"
    failed = []
    assert regenerated(text, on_failure=lambda key, _: failed.append(key)) == text
    assert failed == [("help", "nothing"), ("example", "nothing")]
    with pytest.raises(LookupError, match=r"examples\.py has none"):
        regenerated(text, ("examples",))


def test_help_depends_on_nobody_s_terminal_or_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = help_of("query")
    settings = {"COLUMNS": "40", "LANG": "C", "LC_ALL": "C", "FORCE_COLOR": "1", "TERM": "xterm"}
    for name, value in (settings | {"TERMINAL_WIDTH": "60", "BITSO_SPREAD_LAKE": "x"}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    assert help_of("query") == before
    assert max(map(len, before.splitlines())) == 100


def test_nothing_of_the_machine_that_made_it_is_in_it() -> None:
    made = "".join(BLOCKS.values())
    for path in (ROOT, Path.home(), "/tmp", "/root"):  # noqa: S108  (nothing is written there)
        assert str(path) not in made
    assert HOME in made


def test_what_has_no_section_of_its_own_is_found_out() -> None:
    text = "## A: `a`\none\n```sh\n# `b`\n```\n### More\ntwo\n## Other\nthree\n"
    assert section(text, "a") == text.partition("## Other")[0]
    for command in ("b", "c"):
        with pytest.raises(ValueError, match=f"0 headings name `{command}`"):
            section(text, command)
    with pytest.raises(ValueError, match="2 headings"):
        section(text + "## Again: `a`\n", "a")
    with pytest.raises(ValueError, match="two blocks: help of a"):
        blocks("<!-- help: a -->\n<!-- end -->\n" * 2)


def test_only_what_differs_each_time_may_differ_in_an_example() -> None:
    one = "at 07:28:05 btc_mxn 18.2 fresh\n2 rows of 54 ──\n"
    other = "2 rows of 7 ────\nat 11:02:59 btc_mxn   18.25  quiet\n"
    assert words(one) == words(other)
    assert words(one) != words(one.replace("rows", "lines"))
    assert words(one) != words(one.replace("fresh", "unknown"))
    check = "ok   REST host                127.0.0.1 is an address\n"
    assert checks(check) == checks(check.replace("127.0.0.1", "::1"))
    assert checks(check) != checks(check.replace("REST", "feed"))
