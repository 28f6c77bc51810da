"""Output that nobody can read: what was sent is still told, and never called "nothing"."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from followersdata_async import AsyncClient
from followersdata_async.cli import main
from followersdata_async.cli.commands.status import report_batch
from followersdata_async.cli.output import CsvWriter, OutputOptions, write_rows
from followersdata_async.cli.progress import escape_controls, print_message
from followersdata_async.cli.signals import run_interruptible
from followersdata_async.errors import AuthenticationError
from followersdata_async.events import RequestEnded
from followersdata_async.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

    from followersdata_async.events import ClientEvent

Captured = pytest.CaptureFixture[str]
ADD = ["add", "--service", "3", "--link", "https://example.com/p/1", "--yes"]
FULL = Path("/dev/full")
ON_LINUX = pytest.mark.skipif(not FULL.exists(), reason="there is no device that is always full")


@pytest.fixture(name="panel")
def _panel(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    with Sandbox(serve=True, past=1_000, speed=0) as panel:
        monkeypatch.setenv("FOLLOWERSDATA_API_KEY", panel.key)
        monkeypatch.setenv("FOLLOWERSDATA_API_URL", panel.url)
        yield panel


def run(*arguments: str, **changes: Any) -> subprocess.CompletedProcess[bytes]:
    """A command in a process of its own."""
    settings: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL}
    return subprocess.run([sys.executable, "-m", "followersdata_async", *arguments], check=False, **settings | changes)


@ON_LINUX
def test_an_order_whose_row_cannot_be_written_is_told_all_the_same(panel: Sandbox) -> None:
    """On standard error, with the code for "look before you repeat"."""
    with FULL.open("w") as full:
        done = run(*ADD, stdout=full)
    (taken,) = panel.orders()
    assert done.returncode == 5
    assert done.stderr.decode().splitlines()[1:] == [
        f"order {taken['order']} is placed",
        (
            "followersdata: the output cannot be written: No space left on device; "
            "what was sent is sent: look before you repeat it"
        ),
    ]


@ON_LINUX
def test_a_look_whose_rows_cannot_be_written_is_one_line(panel: Sandbox) -> None:
    """It may be repeated."""
    with FULL.open("w") as full:
        done = run("balance", stdout=full)
    assert done.returncode == 1
    assert done.stderr == b"followersdata: the output cannot be written: No space left on device\n"
    assert panel.requests == 1


@pytest.mark.parametrize("command", [ADD, ["status", "1"]])
def test_without_a_standard_output_nothing_is_sent(panel: Sandbox, command: list[str]) -> None:
    """Nobody could read the order's id."""
    closing = "import os, sys; os.close(1); os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    whole = [sys.executable, "-c", closing, "-m", "followersdata_async", *command]
    done = subprocess.run(whole, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, panel.requests) == (2, 0)
    assert done.stderr == b"followersdata: standard output is closed: nobody could read what comes\n"


def test_what_an_encoding_does_not_have_is_an_escape() -> None:
    """An order is not lost for the sign of its currency."""
    code = (
        "from followersdata_async.cli.runner import _prepare_streams; _prepare_streams(); print('\\u20bd', '\\ud800')"
    )
    environment = os.environ | {"PYTHONIOENCODING": "latin-1"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True)
    assert done.stdout == b"\\u20bd \\ud800\n"


def test_outcomes_before_a_rejected_key_are_written(panel: Sandbox, capsys: Captured) -> None:
    """A hundred cancellations were sent: their rows are written, and then the error ends the command."""

    async def command() -> int:
        async with AsyncClient(panel.key, url=panel.url, concurrency=1) as client:

            def note(event: ClientEvent) -> None:
                if isinstance(event, RequestEnded):
                    panel.next("refused", message="Incorrect API key", times=None)

            client.events.add(note)
            output = OutputOptions(format="jsonl")
            return await report_batch("cancel", range(1, 301), client.stream_cancel, ("accepted",), output)

    with pytest.raises(AuthenticationError):
        run_interruptible(partial(command))
    written = capsys.readouterr()
    rows = [json.loads(line) for line in written.out.splitlines()]
    known = {row["id"] for row in rows if row.get("error") != "AuthenticationError"}
    assert known == set(range(1, 101))
    assert "have no answer" in written.err


@pytest.mark.parametrize("output_format", ["table", "json", "jsonl", "csv"])
def test_control_characters_from_a_panel_are_escaped(output_format: Any, capsys: Captured) -> None:
    """In tables and messages. The formats for programs keep the text."""
    write_rows([{"id": 1, "message": "a\x1b[2Jb\nc"}], ("id", "message"), OutputOptions(format=output_format))
    out = capsys.readouterr().out
    assert "\x1b" not in out
    if output_format.startswith("json"):
        row = json.loads(out)[0] if output_format == "json" else json.loads(out)
        assert row["message"] == "a\x1b[2Jb\nc"
    print_message("no: a\x1b[2Jb\nc")
    assert capsys.readouterr().err == "no: a\\x1b[2Jb\\nc\n"
    for text in ("grüße ₽", "Likes\u00a0👨\u200d👩 \u3000"):
        assert escape_controls(text) == text
    assert escape_controls("\x9b2J\u202eabc\u2028") == "\\x9b2J\\u202eabc\\u2028"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        # Where pydantic was imported, as by other tests, the parser has words of its own.
        (["services", "--max-rate", "nan"], "--max-rate"),
        (["balance", "--alert-below", "inf"], "--alert-below"),
        (["add", "--service", "1", "--link", "https://example.com/p", "--yes"], "Default needs quantity, too"),
        ([*ADD, "--extra", "a=1", "--extra", "a=2"], "--extra names a field twice: give each once"),
        (
            ["add", "--service", "1", "--link", "x.y", "--quantity", "100", "--extra", "quantity=900", "--yes"],
            "extra replaces quantity, which is not checked: set the field itself",
        ),
        ([*ADD, "--extra", "service=1"], "extra may not hold service"),
    ],
)
def test_a_mistake_is_one_line_and_orders_nothing(
    panel: Sandbox, capsys: Captured, arguments: list[str], says: str
) -> None:
    """In the words of whoever types it."""
    assert main(arguments) == 2
    assert says in capsys.readouterr().err
    assert panel.orders() == []


@pytest.mark.usefixtures("panel")
def test_a_catalogue_that_was_never_written_is_no_baseline(capsys: Captured, tmp_path: Path) -> None:
    """An export that failed left an empty file: nothing can be told from it."""
    file = tmp_path / "old.json"
    file.write_text("")
    assert main(["services", "--diff", str(file)]) == 2
    assert "old.json is empty: what has written it did not come to its end" in capsys.readouterr().err


def test_nothing_was_sent_is_exit_4(panel: Sandbox, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    """Proven for each of many: it may be sent again as it is."""
    monkeypatch.setenv("FOLLOWERSDATA_API_URL", "http://127.0.0.1:1/")
    assert main(["cancel", "1", "2", "--timeout", "0.5"]) == 4
    assert "NotSentError" in capsys.readouterr().out
    assert panel.requests == 0


def test_what_is_no_amount_is_told_so() -> None:
    """Not a number, which compares with nothing."""
    done = run("services", "--max-rate", "nan")
    assert (done.returncode, done.stderr) == (2, b"followersdata: --max-rate is an amount, and not NaN\n")


CLIPBOARD = "\x1b]52;c;cm0gLXJm\x07"
"""A sequence with which text fills the clipboard of some terminals."""


@pytest.mark.parametrize("output_format", ["table", "csv"])
def test_raw_text_is_written_as_it_came(output_format: Any, capsys: Captured) -> None:
    """For whoever asks for it."""
    row = {"name": f"={CLIPBOARD}"}
    write_rows([row], ("name",), OutputOptions(format=output_format))
    assert "\x1b" not in capsys.readouterr().out
    write_rows([row], ("name",), OutputOptions(format=output_format, raw=True))
    out = capsys.readouterr().out
    assert f"={CLIPBOARD}" in out
    assert "'" not in out


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("=1+1", "'=1+1"),
        ("+49 30", "'+49 30"),
        ("-rm", "'-rm"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\\t=1"),
        (" =1", "' =1"),
        ("\r=1", "'\\r=1"),
        ("\uff1d1", "'\uff1d1"),
        ("-5", "-5"),
        ("+5", "+5"),
        ("-0.25", "-0.25"),
        ("-5-5", "'-5-5"),
        (-5, "-5"),
        (None, ""),
        ("a=b", "a=b"),
        ("a\nb", "a\\nb"),
    ],
)
def test_no_cell_is_run_by_a_spreadsheet(value: object, written: str) -> None:
    """What begins like a formula is text. Numbers stay numbers, also negative ones."""
    stream = io.StringIO()
    CsvWriter(stream, ("name",)).write({"name": value})
    assert stream.getvalue().rstrip("\n") in {written, f'"{written}"'}


def test_a_ref_stays_what_it_is() -> None:
    """It is the user's own, and what results are joined by."""
    stream = io.StringIO()
    CsvWriter(stream, ("ref", "name")).write({"ref": "-7a", "name": "-7a"})
    assert stream.getvalue() == "-7a,'-7a\n"
