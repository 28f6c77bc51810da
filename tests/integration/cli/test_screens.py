"""What commands write on a terminal of 80 and of 120 columns, compared with what they wrote when it was looked at.

``FOLLOWERSDATA_SCREENS=write`` writes them anew: then look at the difference.
"""

from __future__ import annotations

import io
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from followersdata_async.cli import main
from followersdata_async.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

SCREENS = Path(__file__).parent / "screens"
_BOLD = re.compile(r"\x1b\[[01]m")
ORDER = ["--service", "3", "--link", "https://example.com/p/1"]
COMMANDS = {
    "services": ["services"],
    "services-chosen": ["services", "--search", "followers", "--max-rate", "3", "--sort", "rate"],
    "balance-low": ["balance", "--alert-below", "5000"],
    "add-dry-run": ["add", *ORDER, "--dry-run"],
    "add": ["add", *ORDER, "--yes"],
    "status": ["status", "1", "2", "3", "999999", "x"],
    "refill": ["refill", "1", "2", "3"],
    "cancel": ["cancel", "1", "2"],
    "unknown-service": ["add", "--service", "99", "--link", "https://example.com/p/1", "--dry-run"],
    "unknown-command": ["statsu", "1"],
    "no-such-id": ["status", "1,2"],
}


@pytest.fixture(autouse=True)
def _panel(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A panel whose time stands still."""
    with Sandbox(seed=1, serve=True, past=300, speed=0) as panel:
        monkeypatch.setenv("FOLLOWERSDATA_API_KEY", panel.key)
        monkeypatch.setenv("FOLLOWERSDATA_API_URL", panel.url)
        yield


def written(monkeypatch: pytest.MonkeyPatch, command: list[str]) -> str:
    """What a command writes and says on a terminal, and how it ends."""
    screen = io.StringIO()
    monkeypatch.setattr(screen, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setattr(sys, "stderr", screen)
    # What works in a moment shows no sign of it; on a slow machine it might.
    monkeypatch.setattr("followersdata_async.cli.progress.DISPLAY_DELAY", 3600.0)
    code = main(command)
    return f"$ followersdata {' '.join(command)}\n{screen.getvalue()}exit code {code}\n"


@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize("name", COMMANDS)
def test_a_screen_is_as_it_was(monkeypatch: pytest.MonkeyPatch, name: str, columns: int) -> None:
    """Without colours, and no table is wider than the terminal; an error is one line, which the terminal wraps."""
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("NO_COLOR", "1")
    lines = _BOLD.sub("", written(monkeypatch, COMMANDS[name])).splitlines()
    assert max(map(len, lines[1:])) <= columns or "followersdata: " in lines[1]
    shown = "\n".join(line.rstrip() for line in lines) + "\n"
    file = SCREENS / f"{name}-{columns}.txt"
    if os.environ.get("FOLLOWERSDATA_SCREENS") == "write":
        file.parent.mkdir(exist_ok=True)
        file.write_text(shown, "utf-8")
    assert shown == file.read_text("utf-8")
