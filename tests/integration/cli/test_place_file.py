"""The orders of a CSV file: every line is checked first, each order is placed once, and each has a line of results."""

from __future__ import annotations

import csv
import errno
import io
import json
import sys
from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from followersdata_async import OutcomeUnknownError, orders
from followersdata_async.cli import main
from followersdata_async.ledger import Ledger
from followersdata_async.sandbox import Sandbox

if TYPE_CHECKING:
    from pathlib import Path

Captured = pytest.CaptureFixture[str]
HEADER = "id,service,link,quantity\n"


@pytest.fixture
def panel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """A panel of the test's own, named by the environment, and a ledger."""
    monkeypatch.chdir(tmp_path)
    with Sandbox(serve=True) as panel:
        monkeypatch.setenv("FOLLOWERSDATA_API_KEY", panel.key)
        monkeypatch.setenv("FOLLOWERSDATA_API_URL", panel.url)
        monkeypatch.setenv("FOLLOWERSDATA_LEDGER_URL", f"sqlite:///{tmp_path}/orders.db")
        yield panel


def write_orders(folder: Path, count: int) -> Path:
    """A file of orders of 0.09 each, under the refs o-0, o-1, …."""
    file = folder / "orders.csv"
    lines = [f"o-{number},1,https://example.com/p/{number},100\n" for number in range(count)]
    file.write_text(HEADER + "".join(lines), encoding="utf-8")
    return file


def place(*options: str, file: str = "orders.csv") -> int:
    """Run the command."""
    return main(["place", "--file", file, "--ref-column", "id", *options])


def read_results(folder: Path) -> list[dict[str, str]]:
    """The lines of the results."""
    with (folder / "orders.results.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_each_line_is_placed_once(panel: Sandbox, tmp_path: Path, capsys: Captured) -> None:
    """The same command again sends nothing, and one with more lines sends those."""
    write_orders(tmp_path, 25)
    assert place("--dry-run", "--format", "json") == 0
    written = capsys.readouterr()
    assert json.loads(written.out) == [{"service": "1", "name": "Followers", "orders": 25, "cost": "2.25"}]
    assert "orders to place: 25, for 2.25 USD\nthe balance is 1000.00000 USD, and 997.75000 after them" in written.err
    assert panel.orders() == []
    assert place("--yes") == 0
    assert "25 placed; a line for each is in orders.results.csv" in capsys.readouterr().err
    assert place("--yes") == 0
    assert "on record as placed, and not sent again: 25\nnothing is left to place\n" in capsys.readouterr().err
    write_orders(tmp_path, 30)
    assert place("--yes") == 0
    results = read_results(tmp_path)
    assert [row["ref"] for row in results] == [f"o-{number}" for number in range(30)]
    assert sorted(int(row["order"]) for row in results) == [order["order"] for order in panel.orders()]
    assert {(row["state"], Decimal(row["cost"])) for row in results} == {("placed", Decimal("0.09"))}
    assert len({order["link"] for order in panel.orders()}) == 30


def test_nothing_is_sent_without_consent(panel: Sandbox, tmp_path: Path, capsys: Captured) -> None:
    """Asked on a terminal; without one, an option is needed."""
    write_orders(tmp_path, 2)
    assert place() == 2
    assert "look with --dry-run, then order with --yes" in capsys.readouterr().err
    assert panel.orders() == []


@pytest.mark.parametrize("answer", ["n\n", ""])
def test_a_no_places_nothing(
    panel: Sandbox, tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    """Nor does the end of the input."""
    write_orders(tmp_path, 2)
    stdin = io.StringIO(answer)
    monkeypatch.setattr(stdin, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdin", stdin)
    assert place() == 130
    assert capsys.readouterr().err.endswith("Place them? [y/N] nothing was ordered\n")
    assert panel.orders() == []


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("a,1,https://x.example,12x", "quantity must be a whole number in digits, got '12x'"),
        ("a,1,https://x.example,-5", "quantity must be a whole number in digits, got '-5'"),
        ("a,1,https://x.example,", "Default needs quantity, too"),
        ("a,1,,100", "Default needs link, too"),
        ("a,1,https://x.example,1", "quantity is 1, and the least is 50 (of a)"),
        ("a,999,https://x.example,100", "there is no service 999"),
        (",1,https://x.example,100", "the order has no ref: fill in 'id'"),
        ("a,1,https://x.example", "the line must have 4 cells, like the header, and has 3"),
        ("a,1,https://x.example,100,7", "the line must have 4 cells, like the header, and has 5"),
        ("o-1,1,https://x.example,100", "the ref 'o-1' is on line 3, too: give each order one of its own"),
        ("a,,https://x.example,100", "service is empty: fill it in, or give all lines one with --service"),
        ('a,1,"https://x.example\x07",100', "link must be one line without control characters"),
    ],
)
def test_a_wrong_line_is_named_before_anything_is_sent(
    panel: Sandbox, tmp_path: Path, capsys: Captured, line: str, problem: str
) -> None:
    """By its number, with what is wrong."""
    file = write_orders(tmp_path, 5)
    file.write_text(file.read_text("utf-8") + line + "\n", encoding="utf-8")
    assert place("--yes") == 2
    err = capsys.readouterr().err
    assert err.startswith("followersdata: orders.csv has wrong lines, and nothing was sent:\n")
    assert f"\norders.csv:7: {problem}" in err
    assert panel.orders() == []


def test_many_wrong_lines_are_counted(panel: Sandbox, tmp_path: Path, capsys: Captured) -> None:
    """The first twenty are shown; a cell of many lines is one line of the file."""
    lines = ['x,1,"a\nb",100\n', *(f"y-{number},1,https://x.example,none\n" for number in range(30))]
    (tmp_path / "orders.csv").write_text(HEADER + "".join(lines), encoding="utf-8")
    assert place("--yes") == 2
    err = capsys.readouterr().err
    assert "orders.csv:2: link must be one line" in err
    assert "orders.csv:4: quantity" in err
    assert err.rstrip().endswith("… and 11 more")
    assert panel.orders() == []


@pytest.mark.parametrize(
    ("text", "options", "problem"),
    [
        ("", (), "has no column 'id'; it has none"),
        ("ref,service\n", (), "has no column 'id'; it has 'ref', 'service'. Name the one with --ref-column"),
        ("id,link\n", (), "has no column 'service'"),
        (
            "id,service,lnk,Note\n",
            (),
            "not fields of an order: 'lnk', 'Note'. Rename them, or pass --ignore-columns lnk,Note",
        ),
        ("id,service,link,link\n", (), "has two columns 'link': rename one"),
        (HEADER, (), "has no orders, only a header"),
        (HEADER + '"a,1\n', (), "is not CSV after line"),
        (HEADER, ("--ref", "a"), "with --file, refs and fields are columns"),
        (HEADER, ("--quantity", "5"), "with --file, refs and fields are columns"),
    ],
)
def test_a_file_that_is_none_is_a_mistake(
    panel: Sandbox, tmp_path: Path, capsys: Captured, text: str, options: tuple[str, ...], problem: str
) -> None:
    """It says what to do."""
    (tmp_path / "orders.csv").write_text(text, encoding="utf-8")
    assert place("--yes", *options) == 2
    assert problem in capsys.readouterr().err
    assert panel.orders() == []


def test_one_order_needs_a_ref_and_a_service(panel: Sandbox, capsys: Captured) -> None:
    """Or many a file."""
    assert main(["place", "--ref", "a", "--yes"]) == 2
    assert "give --ref and --service for one order, or --file for many" in capsys.readouterr().err
    assert panel.orders() == []


def test_files_of_spreadsheets_are_read(panel: Sandbox, tmp_path: Path) -> None:
    """With semicolons, a byte order mark, blank lines, columns of one's own, and cells of many lines."""
    comments = "\n".join(f"Nice {number}" for number in range(12))
    text = (
        "\ufeffsep=;\r\n"
        "ref;link;comments;customer;extra.note;expiry\r\n"
        f'a;https://example.com/a;"{comments}";Ms A;hello;\r\n'
        "\r\n"
        ";;;;;\r\n"
        f'b;https://example.com/b;"{comments}\nGreat";Mr B;;\r\n'
    )
    (tmp_path / "orders.csv").write_text(text, encoding="utf-8", newline="")
    assert main(["place", "--file", "orders.csv", "--service", "2", "--ignore-columns", "customer", "--yes"]) == 0
    assert {(order["link"], order["quantity"]) for order in panel.orders()} == {
        ("https://example.com/a", 12),
        ("https://example.com/b", 13),
    }


def test_an_empty_account_stops_and_says_so(panel: Sandbox, tmp_path: Path, capsys: Captured) -> None:
    """Every line of the results says what became of its order."""
    panel.set_balance("0.50")
    write_orders(tmp_path, 400)
    assert place("--yes", "--concurrency", "1") == 1
    err = capsys.readouterr().err
    assert "the balance does not cover all of them: placing will stop when it is used up" in err
    assert "5 placed, 1 refused, 394 not sent; a line for each is in orders.results.csv\nstopped: " in err
    results = read_results(tmp_path)
    assert Counter(row["state"] for row in results) == {"placed": 5, "refused": 1, "not_sent": 394}
    assert {row["error"] for row in results if row["state"] != "placed"} == {"InsufficientFundsError"}
    assert "to send the others, run the same command again" in err
    panel.set_balance(1_000)
    assert place("--yes") == 0
    assert len({order["link"] for order in panel.orders()}) == len(panel.orders()) == 400


def test_a_ref_of_another_order_is_named_before_anything_is_sent(
    panel: Sandbox, tmp_path: Path, capsys: Captured
) -> None:
    """A line that was changed after its order was placed."""
    file = write_orders(tmp_path, 3)
    assert place("--yes") == 0
    file.write_text(file.read_text("utf-8").replace("/p/1,", "/changed,") + "o-9,1,https://x.example,100\n", "utf-8")
    for option in ("--yes", "--dry-run"):
        assert place(option) == 2
        assert "line 3: the ref 'o-1' was used for another order: take a new one" in capsys.readouterr().err
    assert len(panel.orders()) == 3


def test_results_of_an_earlier_run_do_not_outlive_a_kill(
    panel: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They would be wrong."""
    write_orders(tmp_path, 2)
    assert place("--yes") == 0
    write_orders(tmp_path, 3)

    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("followersdata_async.cli.commands.place_file.show_bar", fail)
    assert place("--yes") == 130
    assert not (tmp_path / "orders.results.csv").exists()
    assert len(panel.orders()) == 2


def test_unknown_orders_are_listed_and_not_sent(panel: Sandbox, tmp_path: Path, capsys: Captured) -> None:
    """And the exit code says so."""
    write_orders(tmp_path, 3)

    class Lost:
        async def add(self, _: object) -> None:
            raise OutcomeUnknownError("cut off", action="add")

    async def lose() -> None:
        async with Ledger(f"sqlite:///{tmp_path}/orders.db") as ledger:
            order = orders.Default(service=1, link="https://example.com/p/1", quantity=100)
            await ledger.place(Lost(), order, ref="o-1")  # type: ignore[arg-type]

    anyio.run(lose)
    assert place("--yes") == 5
    assert "look for the unknown ones at the panel" in capsys.readouterr().err
    assert [row["state"] for row in read_results(tmp_path)] == ["placed", "unknown", "placed"]
    assert len(panel.orders()) == 2


def test_results_that_cannot_be_written_are_noticed_first(
    panel: Sandbox, tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is sent, if possible. The same command writes them later."""
    write_orders(tmp_path, 2)
    assert place("--yes", "--results", f"{tmp_path}/none/results.csv") == 2
    assert "Nothing was sent: name another file with --results" in capsys.readouterr().err
    assert place("--yes", "--results", "orders.csv") == 2
    assert "--results would replace the orders in orders.csv" in capsys.readouterr().err
    assert panel.orders() == []
    monkeypatch.setattr("followersdata_async.cli.commands.place_file.CsvWriter", raise_full)
    assert place("--yes") == 5
    assert "The orders are on record: run the command again" in capsys.readouterr().err
    assert len(panel.orders()) == 2


def raise_full(*_: object) -> None:
    """Find the disk full."""
    raise OSError(errno.ENOSPC, "No space left on device")
