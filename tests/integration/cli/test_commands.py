"""The command line in process, against a sandbox on a real port."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
from decimal import Decimal
from typing import TYPE_CHECKING

import anyio
import pytest

from followersdata_async import AsyncClient, FollowersDataError, orders
from followersdata_async.cli import main
from followersdata_async.sandbox.dialects import DIALECTS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from followersdata_async.sandbox import Sandbox


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox) -> None:
    monkeypatch.setenv("FOLLOWERSDATA_API_KEY", sandbox.key)
    monkeypatch.setenv("FOLLOWERSDATA_API_URL", sandbox.url)


def typed(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    """Put bytes on standard input."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))


Captured = pytest.CaptureFixture[str]


# --- every command


def test_services_and_balance(capsys: Captured) -> None:
    """The catalogue as a list, the balance as one object."""
    assert main(["services", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["name"] == "Followers"
    assert main(["balance", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["currency"] == "USD"


ADD = ["add", "--link", "https://example.com/p"]
EVERY_TYPE: list[tuple[list[str], dict[str, str]]] = [
    (["1", "--quantity", "100"], {"quantity": "100"}),
    (["1", "--quantity", "100", "--runs", "2", "--interval", "5"], {"runs": "2", "interval": "5"}),
    (["2", "--comments-file", "lines.txt"], {"comments": "one\n" * 9 + "two", "quantity": "10"}),
    (["3"], {}),
    (["4", "--quantity", "9", "--keywords-file", "lines.txt"], {"keywords": "one\n" * 9 + "two"}),
    (["5", "--comments-file", "lines.txt"], {"comments": "one\n" * 9 + "two"}),
    (["6", "--quantity", "9", "--usernames-file", "lines.txt"], {"usernames": "one\n" * 9 + "two"}),
    (
        ["7", "--quantity", "9", "--usernames-file", "lines.txt", "--hashtags-file", "lines.txt"],
        {"hashtags": "one\n" * 9 + "two"},
    ),
    (["8", "--quantity", "9", "--hashtag", "#x"], {"hashtag": "#x"}),
    (["9", "--quantity", "9", "--username", "x"], {"username": "x"}),
    (["10", "--quantity", "9", "--media", "a.b"], {"media": "a.b"}),
    (["11", "--quantity", "9", "--username", "x"], {"username": "x"}),
    (["12", "--username", "x", "--comments-file", "lines.txt"], {"username": "x", "quantity": "10"}),
    (["13", "--quantity", "9", "--answer-number", "3"], {"answer_number": "3"}),
    (["14", "--quantity", "9", "--groups-file", "lines.txt"], {"groups": "one\n" * 9 + "two"}),
    (
        [
            "16",
            "--quantity",
            "9",
            "--country",
            "US",
            "--device",
            "1",
            "--type-of-traffic",
            "1",
            "--google-keyword",
            "k",
        ],
        {"device": "1", "google_keyword": "k"},
    ),
    (["17", "--usernames-file", "lines.txt"], {"usernames": "one\n" * 9 + "two", "quantity": "10"}),
    (["3", "--extra", "coupon=X=Y", "--extra", "test=1"], {"coupon": "X=Y", "test": "1"}),
]


@pytest.fixture(name="_lines")
def _lines_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lines.txt").write_text("one\n" * 9 + "\n  two  \n", encoding="utf-8")


@pytest.mark.usefixtures("_lines")
@pytest.mark.parametrize(("arguments", "fields"), EVERY_TYPE)
def test_add_places_an_order_of_every_type(
    sandbox: Sandbox, capsys: Captured, arguments: list[str], fields: dict[str, str]
) -> None:
    """And writes its id; the price is said before."""
    assert main([*ADD, "--service", *arguments, "--yes", "--format", "json"]) == 0
    captured = capsys.readouterr()
    entry = sandbox.orders()[-1]
    assert entry["order"] == json.loads(captured.out)["order"]
    assert fields.items() <= entry["fields"].items()  # type: ignore[attr-defined]
    assert captured.err.splitlines()[-1] == f"order {entry['order']} is placed"
    price = Decimal(captured.err.rpartition("the price is ")[2].split()[0])
    assert price == Decimal(str(entry["charge"]))


def test_add_takes_a_subscription(sandbox: Sandbox) -> None:
    """Which has no link, and a last day."""
    arguments = ["add", "--service", "15", "--username", "x", "--min", "1", "--max", "2", "--delay", "30"]
    assert main([*arguments, "--posts", "3", "--old-posts", "0", "--expiry", "2026-12-24", "--yes"]) == 0
    fields = sandbox.orders()[-1]["fields"]
    assert {"posts": "3", "old_posts": "0", "expiry": "24/12/2026"}.items() <= fields.items()  # type: ignore[attr-defined]


def test_a_dry_run_shows_the_order_and_sends_none(sandbox: Sandbox, capsys: Captured) -> None:
    """With its price."""
    before = len(sandbox.orders())
    assert main([*ADD, "--service", "1", "--quantity", "100", "--dry-run", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "name": "Followers",
        "price": "0.09",
        "service": "1",
        "link": "https://example.com/p",
        "quantity": "100",
    }
    assert len(sandbox.orders()) == before


@pytest.mark.parametrize(("answer", "code"), [("y", 0), (" YES ", 0), ("n", 130), ("", 130), (None, 130)])
def test_somebody_at_a_terminal_is_asked(
    sandbox: Sandbox, capsys: Captured, monkeypatch: pytest.MonkeyPatch, answer: str | None, code: int
) -> None:
    """Nothing but a yes is a yes."""
    typed(monkeypatch, b"" if answer is None else answer.encode() + b"\n")
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    before = len(sandbox.orders())
    assert main([*ADD, "--service", "3"]) == code
    assert len(sandbox.orders()) - before == (1 if code == 0 else 0)
    err = capsys.readouterr().err
    assert "Starter pack (Package): the price is 4.50\nPlace it? [y/N] " in err
    assert ("nothing was ordered" in err) is (code != 0)


def test_where_nobody_can_be_asked_nothing_is_sent(
    sandbox: Sandbox, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A script says --yes."""
    typed(monkeypatch, b"y\n")
    before = sandbox.requests
    assert main([*ADD, "--service", "3"]) == 2
    assert "look with --dry-run, then order with --yes" in capsys.readouterr().err
    assert sandbox.requests == before


@pytest.mark.parametrize(
    ("output_format", "read"),
    [
        ("json", json.loads),
        ("jsonl", lambda out: [json.loads(line) for line in out.splitlines()]),
        ("csv", lambda out: list(csv.DictReader(io.StringIO(out)))),
    ],
)
def test_status_writes_a_row_for_each_id_in_the_order_asked(capsys: Captured, output_format: str, read: object) -> None:
    """The same rows in every format; counts on standard error."""
    assert main(["status", "3", "1", "99999", "3", "--format", output_format]) == 6
    captured = capsys.readouterr()
    rows = read(captured.out)  # type: ignore[operator]
    assert [str(row["id"]) for row in rows] == ["3", "1", "99999"]
    assert [row["outcome"] for row in rows] == ["ok", "ok", "refused"]
    assert rows[2]["error"] == "OrderNotFoundError"
    assert captured.err == "3 ids: 2 ok, 1 refused, 0 unreported, 0 failed; 1 requests\n"


def test_a_table_is_never_cut_outside_a_terminal(capsys: Captured) -> None:
    """However long its rows."""
    assert main(["status", "x" * 300]) == 6
    assert "x" * 300 in capsys.readouterr().out


def test_refill_and_its_status(capsys: Captured) -> None:
    """The refill's id is another one than the order's."""
    code = main(["refill", *map(str, range(1, 21)), "--format", "jsonl"])
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    refills = [str(row["refill"]) for row in rows if row["outcome"] == "ok"]
    assert code == (0 if len(refills) == 20 else 6)
    assert refills
    assert main(["refill-status", *refills, "--format", "jsonl"]) == 0
    assert "Pending" in capsys.readouterr().out


def test_cancel(capsys: Captured) -> None:
    """Refusals are outcomes, and an exit code."""
    assert main(["cancel", "29999", "99999", "--format", "json"]) == 6
    assert [row["id"] for row in json.loads(capsys.readouterr().out)] == ["29999", "99999"]


# --- ids from anywhere


def test_25_000_ids_from_standard_input_are_25_000_lines_and_250_requests(
    sandbox: Sandbox, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the order asked."""
    typed(monkeypatch, "".join(f"{number}\n" for number in range(1, 25_001)).encode())
    before = sandbox.requests
    assert main(["status", "-", "--format", "jsonl"]) == 0
    captured = capsys.readouterr()
    lines = captured.out.splitlines()
    assert [json.loads(line)["id"] for line in lines] == [str(number) for number in range(1, 25_001)]
    assert sandbox.requests - before == 250
    assert captured.err.endswith("250 requests\n")


def test_ids_from_a_file_and_arguments_together(capsys: Captured, tmp_path: Path) -> None:
    """Blank lines and a byte-order mark do not matter; each id is asked once."""
    file = tmp_path / "ids.txt"
    file.write_bytes(b"\xef\xbb\xbf1\r\n\r\n  2\n1\n")
    assert main(["status", "3", "--file", str(file), "--format", "jsonl"]) == 0
    assert [json.loads(line)["id"] for line in capsys.readouterr().out.splitlines()] == ["3", "1", "2"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"1\n2\n3 4\n", "ids.txt:3: the id '3 4' has a comma, a blank or a control character"),
        (b"1\n1,2\n", "ids.txt:2: the id '1,2' has a comma"),
        (b"1\n\xff\xfe\n", "ids.txt:2: the file must be UTF-8 text"),
        (b"1\n2\x002\n", "ids.txt:2: the id '2\\x002' has"),
        (b"", "no ids: give them as arguments, with --file, or on standard input with -"),
        (None, "ids.txt: No such file or directory"),
    ],
)
def test_an_unreadable_file_is_exit_2_with_the_lines_number(
    sandbox: Sandbox, capsys: Captured, tmp_path: Path, content: bytes | None, says: str
) -> None:
    """And nothing is sent."""
    file = tmp_path / "ids.txt"
    if content is not None:
        file.write_bytes(content)
    before = sandbox.requests
    assert main(["status", "--file", str(file)]) == 2
    captured = capsys.readouterr()
    assert says in captured.err
    assert captured.out == ""
    assert sandbox.requests == before


def test_unreadable_standard_input_is_exit_2_too(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its line."""
    typed(monkeypatch, b"1\n2 2\n")
    assert main(["status", "-"]) == 2
    assert "standard input:2: the id '2 2'" in capsys.readouterr().err


@pytest.mark.parametrize(
    "text", ["\ufeffref,id,price\r\na,1,9\r\nb,,9\r\n\r\nc, 2 ,9\r\n", 'id,"a, b"\n1,"x\ny"\n2,z\n']
)
def test_ids_from_a_column_of_a_csv_file(capsys: Captured, tmp_path: Path, text: str) -> None:
    """As spreadsheets write it; rows without an id are passed over."""
    file = tmp_path / "orders.csv"
    file.write_text(text, encoding="utf-8", newline="")
    assert main(["status", "3", "--file", str(file), "--column", "id", "--format", "json"]) == 0
    assert [row["id"] for row in json.loads(capsys.readouterr().out)] == ["3", "1", "2"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("ref,order\n1,2\n", "orders.csv has no column 'id'; it has 'ref', 'order'"),
        ("", "orders.csv has no column 'id'; it has none"),
        ("id,ref,id\n1,a,2\n", "orders.csv has two columns 'id'"),
        ('id\n"1\n', "orders.csv is no CSV after line "),
        ("ref,id\na,1\nb,2 2\n", "orders.csv:3: the id '2 2' has"),
        ("id\n\n", "no ids: give them as arguments"),
    ],
)
def test_a_csv_file_without_readable_ids_is_exit_2(
    sandbox: Sandbox, capsys: Captured, tmp_path: Path, content: str, says: str
) -> None:
    """With the line's number; nothing is sent."""
    file = tmp_path / "orders.csv"
    file.write_text(content, encoding="utf-8")
    before = sandbox.requests
    assert main(["cancel", "--file", str(file), "--column", "id"]) == 2
    captured = capsys.readouterr()
    assert says in captured.err
    assert (captured.out, sandbox.requests) == ("", before)


def test_a_column_needs_a_file(capsys: Captured) -> None:
    """And is not passed over."""
    assert main(["status", "1", "--column", "id"]) == 2
    assert "--column is the column of a CSV file: name it with --file" in capsys.readouterr().err


# --- what is said


@pytest.mark.parametrize("option", ["--verbose", "-v"])
def test_verbose_says_what_is_sent_and_what_comes(sandbox: Sandbox, capsys: Captured, option: str) -> None:
    """On standard error, each line with its time; never the key, and data as ever."""
    assert main(["status", "1", "2", option, "--format", "json"]) == 0
    captured = capsys.readouterr()
    assert len(json.loads(captured.out)) == 2
    lines = captured.err.splitlines()[:-1]
    assert len(lines) >= 2
    assert all(re.match(r"\d\d:\d\d:\d\d (DEBUG|INFO) +", line) for line in lines)
    assert any("status" in line for line in lines)
    assert sandbox.key not in captured.err


def test_verbose_shows_where_an_error_arose(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the one line that there is without it."""
    monkeypatch.setenv("FOLLOWERSDATA_API_KEY", "wrong-secret")
    assert main(["balance"]) == 3
    short = capsys.readouterr().err.splitlines()
    assert main(["balance", "--verbose"]) == 3
    said = capsys.readouterr().err.splitlines()
    assert len(short) == 1
    assert "Traceback (most recent call last):" in said
    assert said[-1] == short[0]
    assert not any("wrong-secret" in line for line in said)


# --- exit codes


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["status"], 2, "no ids"),
        (["status", "1,2"], 2, "argument: the id '1,2'"),
        (["status", "1", "--chunk-size", "0"], 2, "chunk_size is 0, but must be from 1 to 100"),
        (["status", "1", "--chunk-size", "101"], 2, "chunk_size is 101"),
        (["status", "1", "--concurrency", "-1"], 2, "concurrency is -1"),
        (["status", "1", "--format", "xml"], 2, "format"),
        (["nonsense"], 2, "nonsense"),
        (["status", "1", "--key", "secret"], 2, "unknown option --key;"),
        (["balance", "--key", "secret"], 2, "--key"),
        ([*ADD, "--yes", "--service", "99"], 2, "there is no service 99: look at followersdata services"),
        ([*ADD, "--yes", "--service", "1"], 2, "quantity"),
        ([*ADD, "--yes", "--service", "1", "--quantity", "60", "--runs", "5"], 2, "both runs and interval"),
        ([*ADD, "--yes", "--service", "1", "--quantity", "5"], 2, "quantity is 5, and the least is 50"),
        ([*ADD, "--yes", "--service", "1", "--quantity", "60", "--hashtag", "x"], 2, "Default takes "),
        ([*ADD, "--yes", "--service", "2", "--comments-file", "missing.txt"], 2, "missing.txt: No such file"),
        ([*ADD, "--yes", "--service", "3", "--extra", "coupon"], 2, "--extra 'coupon' is no NAME=VALUE"),
        ([*ADD, "--yes", "--service", "3", "--extra", "key=x"], 2, "extra may not hold key"),
        (["balance", "--url", "followersdata.com"], 3, "has no https:// before it"),
        (["balance", "--url", "http://127.0.0.1:1/"], 4, "nothing was sent"),
        (["sandbox", "--port", "70000"], 2, "--port is 70000"),
        (["sandbox", "--past", "0"], 2, "the number of orders is 0"),
        (["sandbox", "--speed", "-1"], 2, "speed is -1"),
        (["sandbox", "--services", "0"], 2, "services is 0"),
        (["sandbox", "--quota", "0"], 2, "a quota is at least 1 request"),
        (["sandbox", "--balance", "sandbox-key"], 2, "must be like sandbox-key=12.50"),
        (["sandbox", "--balance", "real=1"], 2, "a sandbox's keys start with"),
        (["sandbox", "--faults", "nowhere.json"], 2, "--faults nowhere.json cannot be read"),
        (["sandbox", "--faults", "pyproject.toml"], 2, "--faults pyproject.toml cannot be read"),
        (["sandbox", "--max-orders", "0"], 2, "max_orders must be a whole number from 1, got 0"),
        (["sandbox", "--allowed-host", "http://x"], 2, "a host of allowed_hosts must be a name like 'panel.test'"),
        (["sandbox", "--state", "nowhere/sandbox.db"], 2, "the state nowhere/sandbox.db cannot be opened"),
        (["demo", "--orders", "0"], 2, "the number of orders is 0"),
        (["demo", "--latency", "-1"], 2, "--latency is -1"),
    ],
)
def test_what_went_wrong_is_an_exit_code_and_a_line(
    capsys: Captured, arguments: list[str], code: int, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On standard error; standard output stays empty."""
    monkeypatch.setattr("followersdata_async.client.anyio.sleep", _no_wait)
    assert main(arguments) == code
    captured = capsys.readouterr()
    assert says in captured.err
    assert captured.out == ""


async def _no_wait(_: float) -> None:
    await anyio.lowlevel.checkpoint()


def test_without_a_key_it_is_exit_3(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says where to put it."""
    monkeypatch.delenv("FOLLOWERSDATA_API_KEY")
    assert main(["balance"]) == 3
    said = capsys.readouterr().err
    assert "no API key: remember one with `followersdata profile add main`, or set FOLLOWERSDATA_API_KEY" in said


def test_a_refused_key_is_exit_3_and_one_request(
    sandbox: Sandbox, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many ids; the key is not shown."""
    monkeypatch.setenv("FOLLOWERSDATA_API_KEY", "wrong-secret")
    before = sandbox.requests
    assert main(["status", *map(str, range(1, 1001))]) == 3
    assert sandbox.requests - before == 1
    captured = capsys.readouterr()
    assert "Invalid API key" in captured.err
    assert "wrong-secret" not in captured.err + captured.out


def test_an_interrupt_before_anything_was_sent_is_exit_130(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    """Said in a word."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("followersdata_async.cli.options.ConnectionOptions.create_client", interrupt)
    assert main(["balance"]) == 130
    assert capsys.readouterr().err == "followersdata: interrupted; nothing was sent\n"


def test_a_taken_port_is_exit_2(sandbox: Sandbox, capsys: Captured) -> None:
    """With what to do."""
    port = sandbox.url.split(":")[2].partition("/")[0]
    assert main(["sandbox", "--port", port]) == 2
    assert "take another, or 0 for a free one" in capsys.readouterr().err


# --- the sandbox and the demo


def test_demo_reports_the_bulk_status_as_one_object(capsys: Captured) -> None:
    """A request for each hundred; the kinds of outcomes add up to the orders."""
    assert main(["demo", "--orders", "1000", "--latency", "0", "--format", "json"]) == 0
    report = json.loads(capsys.readouterr().out)
    names = ["orders", "requests", "ok", "refused", "unreported", "failed", "seconds", "orders_per_second"]
    assert list(report) == names
    assert (report["orders"], report["requests"]) == (1000, 10)
    assert report["ok"] + report["refused"] + report["unreported"] + report["failed"] == 1000


@pytest.mark.parametrize("orders", ["1", "2", "250"])
def test_demo_ends_with_a_table_of_every_step(capsys: Captured, orders: str) -> None:
    """Also for fewer orders than it places."""
    assert main(["demo", "--orders", orders, "--latency", "0"]) == 0
    out = capsys.readouterr().out
    for word in ("step", "orders per second", "status", "refill", "cancel"):
        assert word in out


def test_the_sandbox_command_serves_until_it_is_stopped(tmp_path: Path) -> None:
    """In a process of its own: it says how to reach it, and an interrupt ends it with 130."""
    # Whoever runs the tests in the background has them ignore interrupts.
    heed = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    code = f"{heed}; import sys; from followersdata_async.cli import main; sys.exit(main(['sandbox', '--port', '0']))"
    with subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        assert process.stderr is not None
        said = [process.stderr.readline() for _ in range(5)]
        url = next(line for line in said if "FOLLOWERSDATA_API_URL" in line).split("=")[1].strip()
        assert main(["balance", "--url", url]) == 0
        process.send_signal(2)
        assert process.wait(timeout=60) == 130


def test_the_sandbox_command_takes_a_script_a_quota_balances_and_a_state(tmp_path: Path) -> None:
    """All of it at once; a restart goes on with what there was, even after a kill."""
    (tmp_path / "script.json").write_text('["maintenance", {"fault": "dropped", "action": "add"}]')
    command = [sys.executable, "-m", "followersdata_async", "sandbox", "--port", "0", "--past", "5", "--speed", "0",
               "--quota", "4", "--quota-per", "3600", "--quota-says", "status", "--balance", "sandbox-key=12.50",
               "--faults", "script.json", "--state", "sandbox.db", "--one-per-link", "--services", "30"]  # fmt: skip

    async def talk(url: str) -> list[str]:
        async with AsyncClient("sandbox-key", url=url, retry=None) as panel:
            calls = [
                panel.balance,
                panel.balance,
                *[lambda: panel.add(orders.Package(service=3, link="a.b"))] * 2,
                panel.services,
            ]
            return [await said_by(call) for call in calls]

    async def said_by(call: Callable[[], Awaitable[object]]) -> str:
        try:
            return str(await call())
        except FollowersDataError as error:
            return type(error).__name__

    told = []
    for _ in range(2):
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=tmp_path) as process:
            assert process.stderr is not None
            said = [process.stderr.readline() for _ in range(5)]
            url = next(line for line in said if "FOLLOWERSDATA_API_URL" in line).split("=")[1].strip()
            told.append(anyio.run(talk, url))
            process.kill()
    first, second = told
    lost = ["OutcomeUnknownError", "ConflictError", "RateLimitedError"]
    assert [first[0], *first[2:]] == [second[0], *second[2:]] == ["PanelUnavailableError", *lost]
    assert "12.50" in first[1]
    assert "8.00000" in second[1]


def test_output_that_nobody_reads_ends_quietly(tmp_path: Path) -> None:
    """``followersdata services | head -1``."""
    code = "import sys; from followersdata_async.cli import main; sys.exit(main(['status', '-', '--format', 'jsonl']))"
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        process.stdin.write("\n".join(map(str, range(1, 2001))))
        process.stdin.close()
        assert process.wait() == 1
        assert "Traceback" not in process.stderr.read()


def test_the_module_runs_as_the_command(tmp_path: Path) -> None:
    """``python -m followersdata_async``."""
    command = [sys.executable, "-m", "followersdata_async", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.strip()


def test_app_imports_no_library_of_another_extra() -> None:
    """A command imports what it alone needs when it runs, so that every other command starts fast."""
    code = "import followersdata_async.cli.app, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) & {"sqlalchemy", "alembic", "starlette", "uvicorn", "keyring"} == set()


def test_without_its_extra_the_command_says_what_to_install(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing else."""
    monkeypatch.delitem(sys.modules, "followersdata_async.cli.app", raising=False)
    monkeypatch.setitem(sys.modules, "cyclopts", None)
    assert main(["balance"]) == 2
    assert capsys.readouterr().err == "followersdata: install its extra first: pip install 'followersdata_async[cli]'\n"


def test_an_import_error_of_ours_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a missing extra is explained away."""
    monkeypatch.setitem(sys.modules, "followersdata_async.cli.app", None)
    with pytest.raises(ImportError):
        main(["balance"])


def test_sandbox_without_its_extra_names_the_package_to_install() -> None:
    """In a process of its own: a server in a thread of this one may still be importing uvicorn."""
    code = "import sys; sys.modules['uvicorn'] = None; import followersdata_async.sandbox"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    last = done.stderr.splitlines()[-1]
    assert last == "ImportError: the sandbox needs its extra: pip install 'followersdata_async[sandbox]'"


def test_the_durable_demo_kills_its_program_and_places_no_order_twice(capsys: Captured) -> None:
    """Each is placed and followed to its end; what nobody knew was looked up."""
    assert main(["demo", "--durable", "--orders", "24", "--latency", "0.02", "--format", "json"]) == 0
    row = json.loads(capsys.readouterr().out)
    step = "followed to their end"
    assert row == {"step": step, "placed": 24, "unknown": 0, "on_the_panel": 24, "twice": 0, "final": 24}


def test_the_durable_demo_says_when_its_program_fails(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    """Instead of showing what did not happen."""
    monkeypatch.setattr("followersdata_async.cli.commands.demo_durable.KEY_VARIABLE", "SOMETHING_ELSE")
    monkeypatch.delenv("FOLLOWERSDATA_API_KEY")
    assert main(["demo", "--durable", "--orders", "2"]) == 2
    assert "the program that places orders ended with 1; it said why" in capsys.readouterr().err


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
def test_demo_passes_in_every_dialect(capsys: Captured, dialect: str) -> None:
    """Every order has its status, whatever the panel's shapes."""
    assert main(["demo", "--orders", "250", "--latency", "0", "--dialect", dialect, "--format", "json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["orders"], report["ok"]) == (250, 250)


def test_a_dialect_that_nobody_speaks_is_exit_2(capsys: Captured) -> None:
    """With those that there are."""
    assert main(["demo", "--dialect", "klingon"]) == 2
    assert "take one of documented, capital" in capsys.readouterr().err
