"""Ctrl-C: it ends within a second, with 130, and says what was and was not sent."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import anyio
import anyio.from_thread
import anyio.lowlevel
import pytest

from followersdata_async import AsyncClient, InvalidRequestError, NotSentError, orders
from followersdata_async.cli import main
from followersdata_async.cli.commands.status import report_batch
from followersdata_async.cli.output import OutputOptions
from followersdata_async.cli.progress import print_message
from followersdata_async.cli.signals import InterruptHandler, get_interrupt_handler, run_interruptible
from followersdata_async.events import RequestEnded, RequestStarted
from followersdata_async.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from followersdata_async.events import ClientEvent

Captured = pytest.CaptureFixture[str]
PLACE = ["--service", "3", "--link", "https://example.com/p/1"]


@pytest.fixture(name="panel")
def _panel(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    # Its time stands still: on a slow machine orders would move on.
    with Sandbox(serve=True, past=30_000, speed=0) as panel:
        monkeypatch.setenv("FOLLOWERSDATA_API_KEY", panel.key)
        monkeypatch.setenv("FOLLOWERSDATA_API_URL", panel.url)
        yield panel


@pytest.fixture(autouse=True)
def _heed() -> Iterator[None]:
    # Whoever runs the tests in the background has them ignore interrupts.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def started(*arguments: str, stdin: Any = subprocess.DEVNULL) -> subprocess.Popen[str]:
    """A command in a process of its own, that hears interrupts."""
    heed = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    code = f"{heed}; import sys; from followersdata_async.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def interrupted(panel: Sandbox, requests: int, *arguments: str) -> tuple[int, str, str]:
    """Interrupt a command when the panel was asked so often: its code, and what it wrote and said."""
    before = panel.requests
    with started(*arguments) as process:
        while panel.requests - before < requests:
            assert process.poll() is None, process.communicate()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err


# --- a command that waits for a panel that does not answer


def test_a_read_is_dropped(panel: Sandbox) -> None:
    """At once; nothing depends on it."""
    panel.next("late", seconds=3600.0)
    code, out, err = interrupted(panel, 1, "balance")
    assert (code, out) == (130, "")
    assert err == "followersdata: interrupted; 0 requests were answered; nothing else was sent\n"


def test_of_a_bulk_read_what_is_known_is_written(panel: Sandbox) -> None:
    """And how many have no answer."""
    panel.next("late", seconds=0.001)
    panel.next("late", seconds=3600.0, times=2)
    code, out, err = interrupted(panel, 3, "status", *map(str, range(1, 301)), "--concurrency", "8", "--format", "json")
    assert (code, [row["id"] for row in json.loads(out)]) == (130, [str(number) for number in range(1, 101)])
    assert err.splitlines() == [
        "100 ids: 100 ok, 0 refused, 0 unreported, 0 failed; 3 requests; 200 have no answer",
        "followersdata: interrupted; 1 requests were answered, 2 that only read were dropped; nothing else was sent",
    ]


def test_an_order_on_its_way_is_said_to_be_unknown(panel: Sandbox) -> None:
    """The panel has taken it; only it knows."""
    panel.next("late", seconds=3600.0, action="add")
    code, out, err = interrupted(panel, 2, "add", *PLACE, "--yes")
    assert (code, out, len(panel.orders())) == (130, "", 1)
    assert err.endswith(
        "followersdata: interrupted; 1 requests were answered, "
        "and nobody knows what became of 1 add: look at the panel before you repeat it\n"
    )


def test_an_order_on_record_stays_on_record(panel: Sandbox, home: Any) -> None:
    """As one of which nobody knows."""
    panel.next("late", seconds=3600.0, action="add")
    where = f"sqlite:///{home}/orders.db"
    code, _, err = interrupted(panel, 2, "place", "--ref", "cart-81", *PLACE, "--yes", "--db", where)
    assert code == 130
    assert "nobody knows what became of 1 add" in err
    with started("ledger", "show", "cart-81", "--db", where, "--format", "json") as process:
        assert json.loads(process.communicate()[0])["state"] in {"intended", "unknown"}


def test_of_a_bulk_write_what_was_answered_is_written(panel: Sandbox) -> None:
    """And nothing more is sent."""
    panel.next("late", seconds=0.001)
    panel.next("late", seconds=3600.0)
    ids = map(str, range(1, 1001))
    code, out, err = interrupted(panel, 2, "cancel", *ids, "--concurrency", "1", "--format", "jsonl")
    assert (code, len(out.splitlines()), panel.requests) == (130, 100, 2)
    assert "; 900 have no answer\n" in err
    assert "1 requests were answered, and nobody knows what became of 1 cancel" in err


def test_watched_orders_are_written_as_they_are_known(panel: Sandbox) -> None:
    """While it looks again and again."""
    with started("add", *PLACE, "--yes", "--format", "json") as process:
        order = json.loads(process.communicate()[0])["order"]
    pace = ["--min-delay", "0.01", "--max-delay", "0.01"]
    code, out, err = interrupted(panel, 3, "watch", str(order), *pace, "--format", "json")
    assert (code, [row["status"] for row in json.loads(out)]) == (130, ["Pending"])
    assert err.startswith("1 ids: 1 ok, ")
    assert "interrupted; " in err


def test_at_the_prompt_nothing_is_ordered(panel: Sandbox) -> None:
    """Nobody has said yes."""
    screen, keyboard = os.openpty()
    with started("add", *PLACE, stdin=keyboard) as process:
        assert process.stderr is not None
        said = ""
        while not said.endswith("[y/N] "):
            said += process.stderr.read(1)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130
        assert "nothing was ordered" in process.stderr.read()
    os.close(screen)
    os.close(keyboard)
    assert panel.orders() == []


@pytest.mark.usefixtures("panel")
def test_a_ledger_is_polled_until_then(home: Any) -> None:
    """Every change that was written is on record."""
    where = ["--db", f"sqlite:///{home}/orders.db"]
    with started("track", "1", "2", *where) as process:
        assert process.wait() == 0
    with started("poll", *where) as process:
        assert process.stdout is not None
        assert {json.loads(process.stdout.readline())["order"] for _ in range(2)} == {1, 2}
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (
        130,
        "followersdata: interrupted; 1 requests were answered; nothing else was sent\n",
    )


def test_a_second_one_ends_it_at_once(panel: Sandbox) -> None:
    """Whatever is on its way."""
    panel.next("late", seconds=3600.0, action="add")
    with started("add", *PLACE, "--yes") as process:
        while panel.requests < 2:
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "nobody knows what became of 1 add" in err


# --- in process: what is under way gets a moment


def interrupt() -> None:
    """Ctrl-C, as a terminal sends it."""
    os.kill(os.getpid(), signal.SIGINT)


def interrupt_at(client: AsyncClient, moment: type[ClientEvent]) -> None:
    """Interrupt when the client tells of this for the first time."""
    pending = [interrupt]
    client.events.add(lambda event: pending.pop()() if isinstance(event, moment) and pending else None)


def test_answer_within_the_grace_period_is_written(panel: Sandbox, capsys: Captured) -> None:
    """Requests that were not sent yet are not sent."""
    ended: list[int] = []

    async def command() -> int:
        async with get_interrupt_handler().count_requests(
            AsyncClient(panel.key, url=panel.url, concurrency=1)
        ) as client:
            interrupt_at(client, RequestStarted)
            output = OutputOptions(format="jsonl")
            return await report_batch("cancel", range(1, 1001), client.stream_cancel, ("accepted",), output)

    assert (run_interruptible(command, ended.append), ended) == (130, [])
    written = capsys.readouterr()
    assert len(written.out.splitlines()) == 100
    assert "; 900 have no answer\n" in written.err
    assert written.err.endswith("interrupted; 1 requests were answered; nothing else was sent\n")


def test_order_answered_within_the_grace_period_is_written(panel: Sandbox, capsys: Captured) -> None:
    """With its id. The commands after it are not run."""

    async def command() -> int:
        async with get_interrupt_handler().count_requests(AsyncClient(panel.key, url=panel.url)) as client:
            interrupt_at(client, RequestStarted)
            with get_interrupt_handler().finish_in_flight():
                print_message(str((await client.add(orders.Package(service=3, link="a.b"))).order))
            await client.balance()
            return 0

    assert run_interruptible(command) == 130
    order = panel.orders()[-1]["order"]
    assert capsys.readouterr().err == (
        f"{order}\nfollowersdata: interrupted; 1 requests were answered; nothing else was sent\n"
    )
    assert panel.requests == 1


async def until_it_exits(command: Callable[[], Awaitable[int]]) -> None:
    """Run a command until it would end the process, which has no time to wait for what is on its way."""
    token, exited = anyio.lowlevel.current_token(), anyio.Event()
    handler = InterruptHandler(
        lambda code: anyio.from_thread.run_sync(exited.set, token=token) if code == 130 else None
    )
    async with anyio.create_task_group() as group:
        group.start_soon(handler.run, command)
        await exited.wait()
        handler.stop_timers()
        group.cancel_scope.cancel()


def test_requests_beyond_the_grace_period_are_abandoned(panel: Sandbox, capsys: Captured) -> None:
    """The known outcomes are written, and the process would exit."""
    panel.next("late", seconds=3600.0)

    async def command() -> int:
        async with get_interrupt_handler().count_requests(AsyncClient(panel.key, url=panel.url)) as client:
            interrupt_at(client, RequestStarted)
            return await report_batch(
                "status", [1, 2], client.stream_status, ("status",), OutputOptions(format="jsonl")
            )

    anyio.run(until_it_exits, command)
    assert "requests; 2 have no answer\n" in capsys.readouterr().err


def test_summary_names_the_writes_in_flight(panel: Sandbox) -> None:
    """Requests that were answered are counted, also those with a refusal. Requests that failed are not."""
    handler = InterruptHandler()
    client = handler.count_requests(AsyncClient(panel.key, url=panel.url))
    common: Any = {"call": 1, "ids": 1, "attempt": 1}
    for action in ("refill", "refill", "add", "status", "status"):
        client.events.emit(RequestStarted(action=action, rate_limit_wait=0.0, **common))
    for error in (InvalidRequestError("no", action="status"), NotSentError("gone")):
        client.events.emit(RequestEnded(action="status", duration=0.1, budget=0, error=error, **common))
    assert handler.summary == (
        "followersdata: interrupted; 1 requests were answered, "
        "and nobody knows what became of 2 refill, 1 add: look at the panel before you repeat it"
    )


def test_in_a_thread_nothing_is_heard(panel: Sandbox) -> None:
    """Signals are for the main thread; a command runs all the same."""
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(main(["balance", "--format", "json"])))
    thread.start()
    thread.join()
    assert codes == [0]
    assert panel.requests == 1
