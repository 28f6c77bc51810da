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


def test_fast_work_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even a control character is written."""
    screen = terminal(monkeypatch)
    monkeypatch.setattr(progress, "DISPLAY_DELAY", 3600.0)
    with show_spinner("ordering cart-81 …"), show_bar("status", 3) as advance:
        advance()
    assert screen.getvalue() == ""


def test_slow_work_shows_a_bar_with_rate_and_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bar is gone at the end, and standard output is not redirected."""
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


def test_spinner_can_be_cleared(monkeypatch: pytest.MonkeyPatch) -> None:
    """The terminal shows its cursor again."""
    screen = terminal(monkeypatch)
    monkeypatch.setattr(progress, "DISPLAY_DELAY", 0.001)
    with show_spinner("ordering cart-81 …"):
        wait_for(screen, "ordering cart-81 …")
        clear_displays()
        assert "\x1b[?25h" in screen.getvalue()


def test_nothing_is_shown_outside_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long the work takes."""
    monkeypatch.setattr(progress, "DISPLAY_DELAY", 0.0)
    monkeypatch.setattr(sys, "stderr", screen := io.StringIO())
    with show_spinner("ordering cart-81 …"), show_bar("status", 3) as advance:
        advance()
    assert screen.getvalue() == ""


def test_no_color_removes_all_colors(monkeypatch: pytest.MonkeyPatch) -> None:
    """As https://no-color.org defines NO_COLOR."""
    screen = terminal(monkeypatch)
    monkeypatch.setattr(progress, "DISPLAY_DELAY", 0.001)
    monkeypatch.setenv("NO_COLOR", "1")
    with show_bar("status", 3):
        wait_for(screen, "0/3")
    assert "\x1b[3" not in screen.getvalue()
    assert "\x1b[38" not in screen.getvalue()
