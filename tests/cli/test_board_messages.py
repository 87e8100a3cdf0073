"""What is said while the board has the screen."""

from __future__ import annotations

import io

from bitso_spread.cli.board_messages import KEPT_LINES, Messages


def test_lines_wait_while_the_board_is_shown_and_are_said_afterwards_in_order() -> None:
    real = io.StringIO()
    messages = Messages(real)
    print("before", file=messages)
    messages.hold()
    print("one", "two", file=messages)
    messages.write("three\nfo")
    messages.write("ur")
    assert real.getvalue() == "before\n"
    assert list(messages.last) == ["one two", "three"]
    messages.release()
    assert real.getvalue() == "before\none two\nthree\nfour"
    print("\nafter", file=messages)
    assert real.getvalue() == "before\none two\nthree\nfour\nafter\n"


def test_what_was_said_once_is_not_said_again() -> None:
    real = io.StringIO()
    messages = Messages(real)
    for line in ("one", "two"):
        messages.hold()
        print(line, file=messages)
        messages.release()
    assert real.getvalue() == "one\ntwo\n"


def test_of_very_many_lines_the_last_are_kept_and_the_others_counted() -> None:
    real = io.StringIO()
    messages = Messages(real)
    messages.hold()
    for number in range(KEPT_LINES + 3):
        print(number, file=messages)
    messages.release()
    lines = real.getvalue().splitlines()
    assert lines[:2] == ["(3 earlier lines are left out)", "3"]
    assert lines[-1] == str(KEPT_LINES + 2)
    assert len(lines) == KEPT_LINES + 1


def test_a_stderr_that_is_gone_disturbs_nobody() -> None:
    real = io.StringIO()
    messages = Messages(real)
    real.close()
    assert print("x", file=messages) is None
