"""Orders watched on the command line: rows as they change, a live view on a terminal, and the exit code."""

from __future__ import annotations

import csv
import io
import json
import time
from typing import TYPE_CHECKING

import anyio
import pytest

from followersdata_async import AsyncClient, PollPolicy
from followersdata_async.cli import main
from followersdata_async.cli.commands.watch import watch_orders
from followersdata_async.cli.output import OutputOptions
from followersdata_async.sandbox import Sandbox

if TYPE_CHECKING:
    from followersdata_async.cli.output import Format

Captured = pytest.CaptureFixture[str]
FAST = 5000.0
"""How much faster than ours the sandbox's time goes, so that an order ends within a second."""


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox) -> None:
    monkeypatch.setenv("FOLLOWERSDATA_API_KEY", sandbox.key)
    monkeypatch.setenv("FOLLOWERSDATA_API_URL", sandbox.url)


def live_orders(output_format: Format, *, until_final: bool = False) -> int:
    """Place three orders and watch them to their end."""
    began = time.time()

    async def run() -> int:
        async with (
            Sandbox(clock=lambda: began + (time.time() - began) * FAST) as panel,
            panel.http() as http,
            AsyncClient(panel.key, url=panel.url, http=http) as client,
        ):
            form = {"service": "3", "link": "https://example.com/p", "key": panel.key, "action": "add"}
            ids = [(await http.post(panel.url, data=form)).json()["order"] for _ in range(3)]
            policy = PollPolicy(min_delay=0.005, max_delay=0.05)
            return await watch_orders(client, ids, policy, OutputOptions(format=output_format), until_final=until_final)

    return anyio.run(run)


def test_every_change_is_a_line_of_json(capsys: Captured) -> None:
    """With what was before, which is nothing at the first sighting; each order's last one is final."""
    assert live_orders("jsonl") == 0
    changes = [json.loads(text) for text in capsys.readouterr().out.splitlines()]
    assert {tuple(change) for change in changes} == {("order", "before", "after")}
    for order in {change["order"] for change in changes}:
        mine = [change for change in changes if change["order"] == order]
        assert mine[0]["before"] is None
        assert [change["before"] for change in mine[1:]] == [change["after"] for change in mine[:-1]]
        assert mine[-1]["after"]["state"] in {"completed", "partial"}
    assert len({change["order"] for change in changes}) == 3
    assert len(changes) > 3


def test_until_final_writes_nothing_of_an_order_before(capsys: Captured) -> None:
    """One row for each order."""
    assert live_orders("jsonl", until_final=True) == 0
    changes = [json.loads(text) for text in capsys.readouterr().out.splitlines()]
    assert len(changes) == 3
    assert {change["after"]["state"] for change in changes} <= {"completed", "partial"}


def test_csv_has_a_row_for_each_change(capsys: Captured) -> None:
    """With the word of before."""
    assert live_orders("csv") == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert rows[0]["before"] == ""
    assert rows[-1]["status"] in {"Completed", "Partial"}
    assert rows[-1]["before"] in {"Pending", "In progress"}


def test_json_and_tables_have_the_last_status_of_each(capsys: Captured) -> None:
    """In the order asked; the counts are said."""
    assert main(["watch", "3", "1", "2", "--format", "json"]) == 0
    written = capsys.readouterr()
    assert [row["id"] for row in json.loads(written.out)] == ["3", "1", "2"]
    assert written.err == "3 ids: 3 ok, 0 refused, 0 unreported, 0 failed; 1 requests\n"
    assert main(["watch", "3"]) == 0
    assert "Completed" in capsys.readouterr().out


def test_an_order_that_the_panel_does_not_know_is_given_up_and_named(capsys: Captured) -> None:
    """And the code says that not all is well."""
    pace = ["--min-delay", "0.01", "--max-delay", "0.01"]
    assert main(["watch", "1", "99999999", "--format", "jsonl", *pace]) == 6
    written = capsys.readouterr()
    assert [json.loads(text)["order"] for text in written.out.splitlines()] == ["1"]
    assert written.err.startswith("99999999: ")
    assert "1 ok, 1 refused" in written.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "no ids"),
        (["1", "--min-delay", "0"], "min_delay is 0"),
        (["1", "--max-delay", "1"], "max_delay is 1"),
        (["1", "--file", "nowhere.txt"], "nowhere.txt"),
    ],
)
def test_wrong_usage_is_said_before_anything_is_sent(arguments: list[str], said: str, capsys: Captured) -> None:
    """Exit code 2."""
    assert main(["watch", *arguments]) == 2
    assert said in capsys.readouterr().err
