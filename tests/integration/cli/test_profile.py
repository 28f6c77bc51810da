"""Profiles: panels remembered by a name, and their keys where nobody else can read them."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import termios
from typing import TYPE_CHECKING

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends.fail import Keyring as NoKeyring

from followersdata_async.cli import main
from followersdata_async.cli.profile_store import Profile
from followersdata_async.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Captured = pytest.CaptureFixture[str]


class Ring(KeyringBackend):
    """A system's keyring, in memory."""

    priority = 1.0

    def __init__(self) -> None:
        self.keys: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        """What is kept."""
        return self.keys.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        """Keep it."""
        self.keys[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        """Keep it no longer."""
        del self.keys[service, username]


@pytest.fixture(name="ring")
def _ring() -> Iterator[Ring]:
    before = keyring.get_keyring()
    keyring.set_keyring(ring := Ring())
    yield ring
    keyring.set_keyring(before)


@pytest.fixture(autouse=True)
def _no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FOLLOWERSDATA_API_KEY", "FOLLOWERSDATA_API_URL"):
        monkeypatch.delenv(name, raising=False)


def file_in(home: Path) -> Path:
    """Where profiles are kept."""
    (file,) = home.rglob("profiles.json")
    return file


def add(monkeypatch: pytest.MonkeyPatch, name: str, key: str, *arguments: str) -> int:
    """Add a profile, with its key on standard input."""
    monkeypatch.setattr("sys.stdin", io.StringIO(key + "\n"))
    return main(["profile", "add", name, *arguments])


# --- adding


def test_a_key_is_kept_where_nobody_else_can_read_it(
    monkeypatch: pytest.MonkeyPatch, capsys: Captured, home: Path
) -> None:
    """Whatever the user's umask; and it is never shown."""
    before = os.umask(0)
    try:
        assert add(monkeypatch, "main", "secret-key-1", "--url", "https://a.b/api") == 0
    finally:
        os.umask(before)
    file = file_in(home)
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert json.loads(file.read_text()) == {"main": {"url": "https://a.b/api", "key": "secret-key-1"}}
    assert main(["profile", "list", "--format", "json"]) == 0
    written = capsys.readouterr()
    assert json.loads(written.out) == [{"name": "main", "url": "https://a.b/api", "key": "file"}]
    assert "secret-key-1" not in written.out + written.err
    assert "secret" not in repr(Profile(name="main", url="https://a.b/api", key="secret-key-1"))


def test_the_key_is_asked_for_without_an_echo(home: Path) -> None:
    """On a terminal."""
    screen, keyboard = os.openpty()
    code = "import sys; from followersdata_async.cli import main; sys.exit(main(['profile', 'add', 'main']))"
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=keyboard, stdout=keyboard, stderr=keyboard, start_new_session=True) as process:
        shown = b""
        while b"API key of https://followersdata.com/api/v2: " not in shown:
            shown += os.read(screen, 1000)
        assert not termios.tcgetattr(screen)[3] & termios.ECHO
        os.write(screen, b"secret-key-1\n")
        while b"main is remembered" not in shown:
            shown += os.read(screen, 1000)
        assert process.wait() == 0
    os.close(screen)
    os.close(keyboard)
    assert b"secret" not in shown
    assert json.loads(file_in(home).read_text())["main"]["key"] == "secret-key-1"


@pytest.mark.parametrize(
    ("key", "arguments", "says"),
    [
        ("", [], "no API key"),
        ("two words", [], "has a blank or a control character"),
        ("secret-key-1", ["--url", "followersdata.com"], "has no https:// before it"),
    ],
)
def test_what_cannot_be_used_is_not_kept(
    monkeypatch: pytest.MonkeyPatch, capsys: Captured, home: Path, key: str, arguments: list[str], says: str
) -> None:
    """And says what is wrong, before anything is written."""
    assert add(monkeypatch, "main", key, *arguments) == 3
    assert says in capsys.readouterr().err
    assert list(home.rglob("profiles.json")) == []


def test_a_key_is_never_an_option(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    """It would stand in the shell's history."""
    assert add(monkeypatch, "main", "secret-key-1", "--key", "secret-key-1") == 2
    assert "--key" in capsys.readouterr().err


def test_another_profile_and_a_change_keep_the_others(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    """Removing one, too."""
    assert add(monkeypatch, "main", "secret-key-1") == 0
    assert add(monkeypatch, "spare", "secret-key-2") == 0
    assert add(monkeypatch, "main", "secret-key-3") == 0
    entries = json.loads(file_in(home).read_text())
    assert {name: entry["key"] for name, entry in entries.items()} == {"main": "secret-key-3", "spare": "secret-key-2"}
    assert main(["profile", "remove", "main"]) == 0
    assert list(json.loads(file_in(home).read_text())) == ["spare"]


def test_a_folder_that_cannot_be_written_to_is_exit_3(
    monkeypatch: pytest.MonkeyPatch, capsys: Captured, home: Path
) -> None:
    """With its name."""
    (home / "config").write_text("a file, not a folder")
    monkeypatch.setattr("followersdata_async.cli.profile_store.user_config_path", lambda name: home / "config" / name)
    assert add(monkeypatch, "main", "secret-key-1") == 3
    assert "profiles.json" in capsys.readouterr().err


# --- using


@pytest.fixture(name="panel")
def _panel() -> Iterator[Sandbox]:
    with Sandbox(serve=True, balances={"sandbox-one": "1.00", "sandbox-two": "2.00"}) as panel:
        yield panel


def balance(capsys: Captured, *arguments: str) -> str:
    """Whose key it was, by what it has."""
    assert main(["balance", "--format", "json", *arguments]) == 0
    return str(json.loads(capsys.readouterr().out)["balance"])


def test_a_profile_is_used_by_its_name_and_main_without_one(
    monkeypatch: pytest.MonkeyPatch, capsys: Captured, panel: Sandbox
) -> None:
    """The environment's key comes between them."""
    add(monkeypatch, "main", "sandbox-one", "--url", panel.url)
    add(monkeypatch, "spare", "sandbox-two", "--url", panel.url)
    capsys.readouterr()
    assert balance(capsys).startswith("1.00")
    assert balance(capsys, "--profile", "spare").startswith("2.00")
    monkeypatch.setenv("FOLLOWERSDATA_API_KEY", panel.key)
    monkeypatch.setenv("FOLLOWERSDATA_API_URL", panel.url)
    assert not balance(capsys).startswith(("1.00", "2.00"))
    assert balance(capsys, "--profile", "main").startswith("1.00")


def test_a_key_in_a_file_is_as_good_as_one_in_the_environment(
    monkeypatch: pytest.MonkeyPatch, capsys: Captured, panel: Sandbox, home: Path
) -> None:
    """Before the profile ``main``."""
    add(monkeypatch, "main", "sandbox-one", "--url", panel.url)
    capsys.readouterr()
    (home / "key").write_text("sandbox-two\n")
    monkeypatch.setenv("FOLLOWERSDATA_API_KEY_FILE", str(home / "key"))
    monkeypatch.setenv("FOLLOWERSDATA_API_URL", panel.url)
    assert balance(capsys).startswith("2.00")


def test_a_profiles_key_never_goes_to_the_environments_address(
    monkeypatch: pytest.MonkeyPatch, capsys: Captured, panel: Sandbox
) -> None:
    """Only to the profile's, or to one that the command line names."""
    add(monkeypatch, "main", "sandbox-one", "--url", "http://127.0.0.1:1/")
    monkeypatch.setenv("FOLLOWERSDATA_API_URL", panel.url)
    capsys.readouterr()
    assert main(["balance"]) == 3
    assert "FOLLOWERSDATA_API_URL is not the address of the profile main" in capsys.readouterr().err
    assert main(["balance", "--profile", "main", "--timeout", "0.1"]) == 4
    monkeypatch.setenv("FOLLOWERSDATA_API_URL", "HTTP://127.0.0.1:1/")
    assert main(["balance", "--timeout", "0.1"]) == 4
    assert panel.requests == 0
    capsys.readouterr()
    assert balance(capsys, "--url", panel.url).startswith("1.00")


@pytest.mark.parametrize("arguments", [["balance", "--profile", ""], ["profile", "add", " "]])
def test_a_name_that_is_empty_is_exit_3(
    monkeypatch: pytest.MonkeyPatch, capsys: Captured, arguments: list[str]
) -> None:
    """A variable was not set: that must not mean the main account."""
    add(monkeypatch, "main", "sandbox-one")
    assert main(arguments) == 3
    assert "the profile's name is empty: was a variable not set?" in capsys.readouterr().err


def test_no_key_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    """Who ends the input has given none."""

    def ended(_: str) -> str:
        raise EOFError

    monkeypatch.setattr("sys.stdin", io.StringIO())
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("getpass.getpass", ended)
    assert main(["profile", "add", "main"]) == 2
    assert capsys.readouterr().err == "followersdata: no key was given: nothing is remembered\n"


@pytest.mark.parametrize(
    ("content", "mode", "says"),
    [
        ('{"main": {"url": "https://a.b/c", "key": "k"}}', 0o644, "others can read it (mode 644): chmod 600 "),
        ('{"main": {"url": "https://a.b/c", "key": "k"}}', 0o620, "others can read it (mode 620)"),
        ("{", 0o600, "cannot be read"),
        ("[]", 0o600, "is no file of profiles"),
        ('{"main": "k"}', 0o600, "the profile 'main' in "),
        ('{"main": {"url": "https://a.b/c", "key": 7}}', 0o600, "has no url and key: add it again"),
        ('{"main": {"url": "ftp://a.b/c", "key": "k"}}', 0o600, "has no https:// before it"),
    ],
)
def test_a_file_that_others_can_read_or_nobody_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: Captured, home: Path, content: str, mode: int, says: str
) -> None:
    """With what to do; nothing is sent, and nothing is changed in it."""
    add(monkeypatch, "main", "secret-key-1")
    file = file_in(home)
    file.write_text(content)
    file.chmod(mode)
    for command in (["balance"], ["profile", "list"]):
        capsys.readouterr()
        assert main(command) == 3
        assert says in capsys.readouterr().err
    assert file.read_text() == content


def test_a_profile_that_cannot_be_read_blocks_no_other_and_can_be_removed(
    monkeypatch: pytest.MonkeyPatch, capsys: Captured, panel: Sandbox, home: Path
) -> None:
    """One of many was edited by hand."""
    add(monkeypatch, "main", "sandbox-one", "--url", panel.url)
    file = file_in(home)
    file.write_text(json.dumps(json.loads(file.read_text()) | {"odd": 7}))
    capsys.readouterr()
    assert balance(capsys).startswith("1.00")
    assert main(["profile", "remove", "odd"]) == 0
    assert list(json.loads(file.read_text())) == ["main"]


def test_a_name_that_nobody_added_is_exit_3(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    """With those that there are."""
    assert main(["balance", "--profile", "spare"]) == 3
    assert "there is no profile 'spare', but none: add it with `followersdata profile add spare`" in (
        capsys.readouterr().err
    )
    add(monkeypatch, "main", "secret-key-1")
    assert main(["profile", "remove", "spare"]) == 3
    assert "there is no profile 'spare', but main" in capsys.readouterr().err


# --- the system's keyring


def test_a_keyring_keeps_the_key_instead_of_the_file(
    monkeypatch: pytest.MonkeyPatch, capsys: Captured, home: Path, ring: Ring, panel: Sandbox
) -> None:
    """Removing the profile removes it there, too."""
    assert add(monkeypatch, "main", "sandbox-one", "--url", panel.url, "--keyring") == 0
    assert "sandbox-one" not in file_in(home).read_text()
    assert ring.keys == {("followersdata", "main"): "sandbox-one"}
    capsys.readouterr()
    assert balance(capsys).startswith("1.00")
    assert main(["profile", "remove", "main"]) == 0
    assert ring.keys == {}


def test_a_keyring_that_has_lost_it_says_so(monkeypatch: pytest.MonkeyPatch, capsys: Captured, ring: Ring) -> None:
    """Instead of sending an empty key."""
    add(monkeypatch, "main", "secret-key-1", "--keyring")
    ring.keys.clear()
    assert main(["balance"]) == 3
    assert "the keyring has no key for the profile 'main'" in capsys.readouterr().err


def test_a_machine_without_a_keyring_says_so(monkeypatch: pytest.MonkeyPatch, capsys: Captured, home: Path) -> None:
    """And keeps nothing."""
    before = keyring.get_keyring()
    keyring.set_keyring(NoKeyring())
    try:
        assert add(monkeypatch, "main", "secret-key-1", "--keyring") == 3
    finally:
        keyring.set_keyring(before)
    assert "the system's keyring does not work here" in capsys.readouterr().err
    assert list(home.rglob("profiles.json")) == []


def test_without_its_extra_the_keyring_says_what_to_install(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    """And keeps nothing either."""
    monkeypatch.setitem(sys.modules, "keyring", None)
    assert add(monkeypatch, "main", "secret-key-1", "--keyring") == 3
    assert "pip install 'followersdata_async[keyring]'" in capsys.readouterr().err
