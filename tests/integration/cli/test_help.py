"""What is said of the commands: examples that parse, help that fits, and documents that miss nothing."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from followersdata_async.cli import main
from followersdata_async.cli.app import app
from followersdata_async.cli.examples import EXAMPLES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cyclopts import App

Captured = pytest.CaptureFixture[str]
DOCUMENT = Path("docs/command-line.md").read_text("utf-8")
META = {"--help", "-h", "--version"}


def commands(parent: App = app, path: tuple[str, ...] = ()) -> Iterator[tuple[str, App]]:
    """Every command with its name, subcommands too."""
    for name in parent:
        if name not in META:
            command = parent[name]
            full = (*path, name)
            yield " ".join(full), command
            yield from commands(command, full)


COMMANDS = dict(commands())


def options(command: App) -> set[str]:
    """The options that a command takes; what has a place is no option."""
    if command.default_command is None:
        return set()
    taken = [argument for argument in command.assemble_argument_collection() if argument.index is None]
    return {name for argument in taken for name in argument.names if name.startswith("-")}


def named(text: str) -> set[str]:
    """The options that a text names as code."""
    return {option for code in re.findall(r"`([^`]+)`", text) for option in re.findall(r"(?<!\S)--?[a-z-]+", code)}


def section(title: str) -> str:
    """A section of the document."""
    found = re.search(rf"^{re.escape(title)}\n(.*?)(?=^##|\Z)", DOCUMENT, re.MULTILINE | re.DOTALL)
    assert found is not None, f"docs/command-line.md has no section {title}"
    return found[1]


SHARED = named(section("## Options of many commands"))


# --- help


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_every_command_has_examples_and_they_parse(name: str) -> None:
    """As they are typed, up to a pipe."""
    assert EXAMPLES[name].startswith("Examples:")
    for line in EXAMPLES[name].splitlines()[2:]:
        typed = re.split(r" [<>] ", line.rpartition(" | ")[2].strip())[0]
        program, *arguments = shlex.split(typed)
        assert program == "followersdata"
        app.parse_args(arguments, exit_on_error=False, print_error=False)


@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_help_fits_the_terminal_and_ends_with_examples(
    monkeypatch: pytest.MonkeyPatch, capsys: Captured, name: str, columns: int
) -> None:
    """Without a colour where it goes to a file; the examples are not wrapped."""
    monkeypatch.setenv("COLUMNS", str(columns))
    # It is made once in a process, for whatever standard output was then.
    monkeypatch.setattr(app, "console", Console())
    assert main([*name.split(), "--help"]) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert f"Usage: followersdata {name}".strip() in out
    for line in EXAMPLES[name].splitlines():
        assert line in out
        assert len(line) <= 80
    assert max(map(len, out.splitlines())) <= columns


# --- the document


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_is_in_the_document(name: str) -> None:
    """In its section, or among those of many commands."""
    assert options(COMMANDS[name]) - named(section(f"### `{name}`")) - SHARED == set()


def test_the_document_names_nothing_that_there_is_not() -> None:
    """Neither a command nor an option."""
    sections = re.findall(r"^### `([a-z -]+)`", DOCUMENT, re.MULTILINE)
    rows = re.findall(r"^\| `([a-z][a-z-]*)` \|", DOCUMENT, re.MULTILINE)
    assert sorted(sections) == sorted(COMMANDS)
    assert sorted(rows) == sorted(name for name in COMMANDS if " " not in name)
    taken = set().union(*map(options, COMMANDS.values()))
    assert named(DOCUMENT) - taken == {"--help", "-m"}


# --- completion


def test_bash_completes_commands_and_options(capsys: Captured, tmp_path: Path) -> None:
    """Asked as bash asks."""
    bash = shutil.which("bash")
    assert bash is not None
    assert main(["completion", "bash"]) == 0
    (tmp_path / "script").write_text(capsys.readouterr().out)
    asks = (
        "source {script}; COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); "
        "$(complete -p followersdata | sed 's/.*-F //; s/ .*//'); printf '%s\\n' \"${{COMPREPLY[@]}}\""
    )
    cases = [("followersdata ref", {"refill", "refill-status"}), ("followersdata status --col", {"--column"})]
    for words, completed in cases:
        script = asks.format(script=tmp_path / "script", words=words)
        done = subprocess.run([bash, "-c", script], capture_output=True, text=True, check=True)
        assert completed <= set(done.stdout.split())


@pytest.mark.parametrize("shell", ["zsh", "fish", "powershell"])
def test_other_shells_have_a_script(capsys: Captured, shell: str) -> None:
    """With every command in it."""
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert all(name.split()[0] in script for name in COMMANDS)
