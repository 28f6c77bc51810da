"""Signs of life: on a terminal only, and on standard error."""

from __future__ import annotations

import io
import sys

import pytest

from followersdata_async.cli.progress import bar, working


@pytest.mark.parametrize("terminal", [True, False])
def test_signs_of_life_are_for_terminals(terminal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file or a pipe gets none."""
    monkeypatch.setattr(sys, "stderr", screen := io.StringIO())
    monkeypatch.setattr(screen, "isatty", lambda: terminal)
    with working("ordering cart-81 …"):
        pass
    with bar("status", 3) as advance:
        advance()
    assert ("ordering cart-81 …" in screen.getvalue()) is terminal
    assert ("status" in screen.getvalue()) is terminal
