"""The guide to many machines is a script: its files and commands, as they stand there, with real processes."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import psycopg

from tests.helpers.sockets import closed_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PAGE = (Path(__file__).parents[3] / "docs/many-machines.md").read_text("utf-8")
FILES = dict(re.findall(r'^```python title="([\w.]+)"\n(.*?)^```', PAGE, re.MULTILINE | re.DOTALL))
COMMANDS = re.findall(r"^```bash\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
CARTS = 60


def until(is_true: Callable[[], object], log: Callable[[], str], *, seconds: float = 90.0) -> None:
    """Wait for what processes do, for far longer than they take."""
    deadline = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < deadline, log()
        time.sleep(0.1)


class Terminal:
    """A shell that is typed into, and what it printed."""

    def __init__(self, folder: Path, process: subprocess.Popen[bytes]) -> None:
        self.folder = folder
        self.process = process
        self.typed = 0

    def type(self, commands: str) -> str:
        """Type some lines, wait until they are done, and return what they printed."""
        assert self.process.stdin is not None
        before = len(self.screen())
        self.typed += 1
        done = f"-- {self.typed} is done"
        self.process.stdin.write(f"{commands}\necho '{done}'\n".encode())
        self.process.stdin.flush()
        until(lambda: done in self.screen()[before:], self.logs)
        return self.screen()[before:].replace(f"{done}\n", "")

    def screen(self) -> str:
        """All that was printed."""
        return (self.folder / "screen").read_text("utf-8")

    def logs(self) -> str:
        """What a person would look at."""
        return "\n".join(path.read_text("utf-8") for path in [self.folder / "screen", *self.folder.glob("*.log")])


@contextmanager
def terminal(folder: Path) -> Iterator[Terminal]:
    """A shell in a folder, in a process group of its own, of which nothing is left afterwards."""
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    with (
        (folder / "screen").open("wb") as screen,
        subprocess.Popen(
            ["/bin/sh"],
            stdin=subprocess.PIPE,
            stdout=screen,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=environment,
            start_new_session=True,
        ) as process,
    ):
        try:
            yield Terminal(folder, process)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


class Shop:
    """What is in its database."""

    def __init__(self, database: str) -> None:
        self.database = database

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        with psycopg.connect(self.database) as connection:
            return connection.execute(query).fetchall()  # type: ignore[call-overload,no-any-return]  # of our own

    def states(self) -> dict[str, str]:
        """Each ref's state."""
        return dict(self.rows("SELECT ref, state FROM followersdata_intents"))

    def jobs(self) -> dict[int, tuple[str, str, int]]:
        """What each job does, its status, and how often it was tried."""
        jobs = self.rows("SELECT id, task_name, status::text, attempts FROM procrastinate_jobs")
        return {id_: (name.removeprefix("followersdata:"), *others) for id_, name, *others in jobs}

    def changes(self) -> int:
        """How many are on record."""
        return len(self.rows("SELECT 1 FROM followersdata_changes"))

    def is_under_way(self) -> bool:
        """Whether orders were placed, are being sent, and are followed."""
        return {"placed", "sending"} <= set(self.states().values()) and self.changes() > 0

    def is_settled(self, left: set[int]) -> bool:
        """Whether nothing is left to place or to follow, and jobs have ended: those that place, and these."""
        open_orders = self.rows("SELECT 1 FROM followersdata_orders WHERE is_open")
        going_on = {
            id_
            for id_, (task, status, _) in self.jobs().items()
            if status in {"todo", "doing"} and (task == "place" or id_ in left)
        }
        return not open_orders and not going_on


def answers(port: int) -> bool:
    """Whether somebody listens on a port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_a_reader_kills_a_worker_and_loses_nothing(database: str, tmp_path: Path) -> None:
    """No order twice, none lost, each placed or in doubt; the worker after it runs what was left, and polls on."""
    environment, tables, panel, worker, order, kill, again, look, stop = COMMANDS
    port, shop = closed_port(), Shop(database)
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, "utf-8")
    with terminal(tmp_path) as shell:
        where = {"postgresql://me@localhost/shop": f"'{database}'", "8099": str(port)}
        shell.type(replaced(environment, where))
        assert "0 unknown" in shell.type(tables)
        shell.type(replaced(panel, {"8099": str(port)}))
        until(lambda: answers(port), shell.logs)
        shell.type(worker)
        assert "carts: {" in shell.type(order)
        until(shop.is_under_way, shell.logs)

        told = shell.type(kill)
        left = {id_ for id_, (_, status, _) in shop.jobs().items() if status == "doing"}
        in_doubt = {ref for ref, state in shop.states().items() if state == "sending"}
        changes = shop.changes()
        assert f"{len(in_doubt)} unknown" in told
        assert left
        shell.type(again)
        until(lambda: shop.is_settled(left), shell.logs)

        told = shell.type(look)
        assert f"{len(in_doubt)} unknown" in told
        assert all(re.search(rf"^ {ref} +unknown ", told, re.MULTILINE) for ref in in_doubt)
        shell.type(order)
        until(lambda: shop.is_settled(left), shell.logs)
        with urlopen(f"http://127.0.0.1:{port}/__sandbox__/orders") as answer:
            taken = [(row["link"].removeprefix("https://example.com/"), str(row["order"])) for row in json.load(answer)]
        shell.type(stop)

    assert len(dict(taken)) == len(taken)
    states = shop.states()
    assert set(states) == {f"cart-{number}" for number in range(1, CARTS + 1)}
    assert {ref for ref, state in states.items() if state != "placed"} == in_doubt
    placed = dict(shop.rows("SELECT ref, order_id FROM followersdata_intents WHERE state = 'placed'"))
    assert placed == {ref: id_ for ref, id_ in taken if ref not in in_doubt}
    assert sorted(id_ for (id_,) in shop.rows("SELECT order_id FROM followersdata_orders")) == sorted(placed.values())
    assert shop.changes() > changes
    tried = {id_: attempts for id_, (task, _, attempts) in shop.jobs().items() if task == "place"}
    assert all(tried[id_] > 1 for id_ in left & tried.keys())


def replaced(commands: str, replacements: dict[str, str]) -> str:
    """Commands with what is another here than on the reader's machine."""
    for old, new in replacements.items():
        assert old in commands
        commands = commands.replace(old, new)
    return commands
