"""Without an extra, what needs it says which."""

from __future__ import annotations

import subprocess
import sys

import pytest

BLOCKED = "import sys; sys.modules[{blocked!r}] = None; {code}"


@pytest.mark.parametrize(
    ("blocked", "code", "said"),
    [
        (
            "sqlalchemy",
            "import followersdata_async.ledger",
            "needs its extra: pip install 'followersdata_async[ledger]'",
        ),
        (
            "aiosqlite",
            "from followersdata_async.ledger import Ledger; Ledger('sqlite:///a.db')",
            "this ledger needs its extra: pip install 'followersdata_async[ledger]'",
        ),
        (
            "psycopg",
            "from followersdata_async.ledger import Ledger; Ledger('postgresql://a@b/c')",
            "this ledger needs its extra: pip install 'followersdata_async[postgres]'",
        ),
    ],
)
def test_a_missing_extra_is_named(blocked: str, code: str, said: str) -> None:
    """Where it is used."""
    command = [sys.executable, "-c", BLOCKED.format(blocked=blocked, code=code)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert said in done.stderr


def test_a_missing_extra_is_one_line_on_the_command_line() -> None:
    """With the exit code of a configuration."""
    code = "from followersdata_async.cli import main; sys.exit(main(['ledger', 'unknown']))"
    command = [sys.executable, "-c", BLOCKED.format(blocked="sqlalchemy", code=code)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    expected = "followersdata: followersdata_async.ledger needs its extra: pip install 'followersdata_async[ledger]'\n"
    assert (done.returncode, done.stdout, done.stderr) == (3, "", expected)
