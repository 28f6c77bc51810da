"""Commands in a real terminal: what moves on it, what is left on it, and what keys do."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, final

import anyio
import pytest

from followersdata_async import AsyncClient, orders
from followersdata_async.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@final
class Terminal:
    """A terminal of 80 columns and 24 rows with a shell in it; ``tmux`` plays it."""

    def __init__(self, tmux: str, folder: Path, environment: dict[str, str]) -> None:
        self._tmux = [tmux, "-S", str(folder / "tmux"), "-f", "/dev/null"]
        shell = ["env", "-i", *(f"{name}={value}" for name, value in environment.items()), "sh"]
        self._run("new-session", "-d", "-x", "80", "-y", "24", "-c", str(folder), shlex.join(shell))
        self._commands = 0

    def _run(self, *words: str) -> str:
        return subprocess.run([*self._tmux, *words], capture_output=True, text=True, check=True).stdout

    @property
    def screen(self) -> str:
        """What is on it, without what was scrolled away."""
        return self._run("capture-pane", "-p")

    @property
    def has_a_cursor(self) -> bool:
        """Whether it shows where one types."""
        return self._run("display-message", "-p", "#{cursor_flag}").strip() == "1"

    def type(self, text: str) -> None:
        """Type a line."""
        self._run("send-keys", "-l", text)
        self._run("send-keys", "Enter")

    def press(self, key: str) -> None:
        """Press a key, such as ``C-c``."""
        self._run("send-keys", key)

    def start(self, arguments: str) -> None:
        """Run a command on an empty screen; at its end its exit code is there."""
        self._commands += 1
        # Cleared before the shell does so: what the last command left must not be taken for this one's.
        self._run("send-keys", "-R")
        program = f"{shlex.quote(sys.executable)} -m followersdata_async"
        self.type(f"clear; {program} {arguments}; echo exit code $? of {self._commands}")

    def wait_for(self, pattern: str) -> str:
        """Until it is on the screen: the screen."""
        until = time.monotonic() + 120
        while not re.search(pattern, screen := self.screen):
            if time.monotonic() > until:
                pytest.fail(f"{pattern} did not come; the screen was:\n{screen}", pytrace=False)
            time.sleep(0.02)
        return screen

    def end(self) -> tuple[int, str]:
        """Wait for the end of the command: its exit code, and what it left on the screen."""
        said = rf"(?m)^exit code (\d+) of {self._commands}$"
        screen = self.wait_for(said)
        found = re.search(said, screen)
        assert found is not None
        return int(found[1]), screen[: found.start()]

    def close(self) -> None:
        """End it, and whatever runs in it."""
        self._run("kill-server")


@pytest.fixture(name="panel")
def _panel() -> Iterator[Sandbox]:
    """A panel whose time stands still until it is moved."""
    with Sandbox(seed=1, serve=True, past=300, speed=0) as panel:
        yield panel


@pytest.fixture(name="terminal")
def _terminal(panel: Sandbox, tmp_path: Path) -> Iterator[Terminal]:
    tmux = shutil.which("tmux")
    if tmux is None:
        pytest.fail("this needs tmux: apt-get install tmux", pytrace=False)
    environment = {"FOLLOWERSDATA_API_KEY": panel.key, "FOLLOWERSDATA_API_URL": panel.url}
    environment |= {"HOME": str(tmp_path), "PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}
    terminal = Terminal(tmux, tmp_path, {**environment, "TERM": "tmux-256color", "PS1": "> "})
    yield terminal
    terminal.close()


def placed(panel: Sandbox, count: int) -> list[int | str]:
    """Orders that have just been placed."""

    async def place() -> list[int | str]:
        async with AsyncClient(panel.key, url=panel.url) as client:
            order = orders.Default(service=1, link="https://example.com/p/1", quantity=5000)
            return [(await client.add(order)).order for _ in range(count)]

    return anyio.run(place)


def test_demo_shows_a_bar_with_rate_and_time_left_and_leaves_a_table(terminal: Terminal) -> None:
    """The bar is gone at the end."""
    terminal.start("demo --orders 40000 --latency 0.2")
    terminal.wait_for(r"status .*[━╸╺].* [\d,]+/40000 [\d,]+/s \d:\d\d:\d\d")
    code, left = terminal.end()
    assert code == 0
    assert "placed 3 orders; balance 1000.00000" in left
    for step, count in (("status", 40000), ("refill", 300), ("cancel", 300)):
        assert re.search(rf"(?m)^ *{step} +{count} ", left)
    assert not re.search("[━╸╺]", left)
    assert terminal.has_a_cursor


def test_watch_shows_what_moves_and_leaves_the_last_statuses(terminal: Terminal, panel: Sandbox) -> None:
    """One row for each order."""
    ids = placed(panel, 3)
    terminal.start(f"watch {' '.join(map(str, ids))} --min-delay 0.1 --max-delay 0.3")
    terminal.wait_for(r"pending +3\n(.*\n)*0 of 3 final; \d+ requests, 0 changes in the last minute")
    panel.advance(7 * 86400)
    code, left = terminal.end()
    assert code == 0
    assert "changes in the last minute" not in left
    rows = re.findall(r"(?m)^ *(\d+) +ok +(\w+)", left)
    assert [number for number, _ in rows] == list(map(str, ids))
    assert {status for _, status in rows} <= {"Completed", "Partial", "Canceled"}
    assert terminal.has_a_cursor


def test_rows_that_go_to_a_file_go_there(terminal: Terminal, panel: Sandbox, tmp_path: Path) -> None:
    """All of them, beside a view that moves."""
    ids = placed(panel, 2)
    pace = "--min-delay 0.1 --max-delay 0.3"
    terminal.start(f"watch {' '.join(map(str, ids))} {pace} --format jsonl > rows.jsonl")
    terminal.wait_for(r"0 of 2 final; \d+ requests")
    panel.advance(7 * 86400)
    code, left = terminal.end()
    assert code == 0
    assert "{" not in left
    rows: list[dict[str, Any]] = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert {row["order"] for row in rows} == set(map(str, ids))
    last = {row["order"]: row["after"]["status"] for row in rows}
    assert set(last.values()) <= {"Completed", "Partial", "Canceled"}


def test_ctrl_c_ends_a_watch_with_what_is_known(terminal: Terminal, panel: Sandbox) -> None:
    """And the cursor is there again."""
    (order,) = placed(panel, 1)
    terminal.start(f"watch {order} --min-delay 3600 --max-delay 3600")
    terminal.wait_for(r"0 of 1 final; 1 requests")
    terminal.press("C-c")
    code, left = terminal.end()
    assert code == 130
    assert re.search(rf"(?m)^ *{order} +ok +Pending", left)
    assert "followersdata: interrupted; 1 requests were answered; nothing else was sent" in left
    assert terminal.has_a_cursor


def test_who_does_not_say_yes_orders_nothing(terminal: Terminal, panel: Sandbox) -> None:
    """Neither with another answer nor with Ctrl-C."""
    for answer in (lambda: terminal.type("n"), lambda: terminal.press("C-c"), lambda: terminal.press("C-d")):
        terminal.start("add --service 3 --link https://example.com/p/1")
        terminal.wait_for(r"the price is 4\.50\n(.*\n)*Place it\? \[y/N\]")
        answer()
        code, left = terminal.end()
        assert code == 130
        assert "nothing was ordered" in left
    assert panel.orders() == []
    terminal.start("add --service 3 --link https://example.com/p/1")
    terminal.wait_for(r"Place it\? \[y/N\]")
    terminal.type("y")
    assert terminal.end()[0] == 0
    assert len(panel.orders()) == 1
