"""What an import brings with it: what the package stands on, and nothing that only some need."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

ANYWAY = "import httpx, attrs, cattrs, anyio.abc, anyio.lowlevel"
NEEDED_BY_SOME = ("cli", "integrations", "ledger", "orders", "sandbox")


def loaded(code: str) -> set[str]:
    """The modules that a Python has after it."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; import sys, json; print(json.dumps(list(sys.modules)))"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(json.loads(done.stdout))


def test_an_import_brings_only_what_the_package_stands_on() -> None:
    """No other distribution is loaded, and none of what has an extra or a room of its own."""
    before = loaded(ANYWAY)
    brought = loaded(f"{ANYWAY}; import followersdata_async") - before
    ours = {name for name in brought if name.partition(".")[0] == "followersdata_async"}
    packages = {name.partition(".")[0] for name in brought - ours}
    assert packages - {name.partition(".")[0] for name in before} - sys.stdlib_module_names == set()
    assert {name for name in ours if name.split(".")[1:2] and name.split(".")[1] in NEEDED_BY_SOME} == set()


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("from followersdata_async import orders", {"sqlalchemy", "starlette"}),
        ("import followersdata_async.ledger", {"psycopg", "procrastinate", "starlette", "rich"}),
        ("import followersdata_async.sandbox", {"httpx2", "sqlalchemy", "rich"}),
        ("import followersdata_async.integrations.fastapi", {"sqlalchemy", "uvicorn", "rich"}),
        ("import followersdata_async.integrations.opentelemetry", {"opentelemetry.sdk", "fastapi"}),
        ("from followersdata_async.cli import main", {"rich", "cyclopts", "sqlalchemy", "keyring"}),
    ],
)
def test_a_room_brings_no_other(code: str, absent: set[str]) -> None:
    """Each extra is paid for by those who use it."""
    assert (loaded(code) - loaded(ANYWAY)) & absent == set()


def test_orders_are_there_when_they_are_asked_for() -> None:
    """As an attribute, by name, and with everything; what is not there is said as ever."""
    for use in (
        "import followersdata_async as f; f.orders.Default",
        "from followersdata_async import orders; orders.Default",
        "from followersdata_async import *; orders.Default",
    ):
        assert "followersdata_async.orders.types" in loaded(use)
    with pytest.raises(subprocess.CalledProcessError):
        loaded("import followersdata_async as f; f.nothing")
