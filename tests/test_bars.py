import io

import pytest
from rich.console import Console

from catchment.bars import Bars


def terminal() -> tuple[Console, io.StringIO]:
    screen = io.StringIO()
    return Console(
        file=screen, force_terminal=True, force_interactive=True, width=80, _environ={"TERM": "xterm"}
    ), screen


def test_long_work_is_seen_on_a_terminal_while_it_lasts() -> None:
    console, screen = terminal()
    with Bars(console) as bars:
        bars("payloads become events", 3, 10)
        bars("payloads become events", 10, 10)
    assert "payloads become events" in screen.getvalue()
    assert "3/10" in screen.getvalue()


def test_nothing_is_drawn_where_no_terminal_is() -> None:
    screen = io.StringIO()
    with Bars(Console(file=screen)) as bars:
        bars("payloads become events", 3, 10)
    assert screen.getvalue() == ""


def test_two_works_one_after_the_other_each_have_their_line() -> None:
    console, screen = terminal()
    with Bars(console) as bars:
        for what in ("models are built", "trials are tried"):
            bars(what, 0, 2)
            bars(what, 2, 2)
    assert "models are built" in screen.getvalue()
    assert "trials are tried" in screen.getvalue()


def test_a_bar_cut_off_by_an_error_leaves_the_cursor_visible() -> None:
    console, screen = terminal()
    with pytest.raises(KeyboardInterrupt), Bars(console) as bars:
        bars("payloads become events", 3, 10)
        raise KeyboardInterrupt
    assert "\x1b[?25h" in screen.getvalue()
