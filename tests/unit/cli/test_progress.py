"""Signs of life: on a terminal only, on standard error, and not for what is over in a moment."""

from __future__ import annotations

import io
import sys
import time
from typing import TYPE_CHECKING

from followersdata_async.cli import progress
from followersdata_async.cli.progress import clear_displays, show_bar, show_spinner

if TYPE_CHECKING:
    import pytest


def terminal(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """A terminal in place of standard error; called by the test, as pytest sets the stream after fixtures."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setattr(sys, "stderr", screen := io.StringIO())
    monkeypatch.setattr(screen, "isatty", lambda: True)
    return screen


def wait_for(screen: io.StringIO, words: str) -> None:
    """Until it is on the screen."""
    while words not in screen.getvalue():
        time.sleep(0.01)


def test_what_is_over_in_a_moment_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even a control character."""
    screen = terminal(monkeypatch)
    monkeypatch.setattr(progress, "DISPLAY_DELAY", 3600.0)
    with show_spinner("ordering cart-81 …"), show_bar("status", 3) as advance:
        advance()
    assert screen.getvalue() == ""


def test_what_takes_longer_has_a_bar_with_its_rate_and_the_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which is gone at the end; data on standard output stays there."""
    screen = terminal(monkeypatch)
    monkeypatch.setattr(progress, "DISPLAY_DELAY", 0.001)
    out = sys.stdout
    with show_bar("status", 3) as advance:
        wait_for(screen, "0/3")
        assert sys.stdout is out
        advance()
        time.sleep(0.01)
        advance()
        wait_for(screen, "2/3")
        wait_for(screen, "/s")
        wait_for(screen, "0:00:0")
    assert screen.getvalue().endswith("\x1b[1A\x1b[2K")


def test_a_sign_of_life_can_be_taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the terminal has its cursor again."""
    screen = terminal(monkeypatch)
    monkeypatch.setattr(progress, "DISPLAY_DELAY", 0.001)
    with show_spinner("ordering cart-81 …"):
        wait_for(screen, "ordering cart-81 …")
        clear_displays()
        assert "\x1b[?25h" in screen.getvalue()


def test_a_file_or_a_pipe_gets_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long it takes."""
    monkeypatch.setattr(progress, "DISPLAY_DELAY", 0.0)
    monkeypatch.setattr(sys, "stderr", screen := io.StringIO())
    with show_spinner("ordering cart-81 …"), show_bar("status", 3) as advance:
        advance()
    assert screen.getvalue() == ""


def test_without_colours_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """NO_COLOR, as https://no-color.org has it."""
    screen = terminal(monkeypatch)
    monkeypatch.setattr(progress, "DISPLAY_DELAY", 0.001)
    monkeypatch.setenv("NO_COLOR", "1")
    with show_bar("status", 3):
        wait_for(screen, "0/3")
    assert "\x1b[3" not in screen.getvalue()
    assert "\x1b[38" not in screen.getvalue()
