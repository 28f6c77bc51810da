"""The pytest plugin, as users have it: in a test run of their own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

GUIDE = Path(__file__).parents[3] / "docs" / "testing.md"


def ran(folder: Path, *arguments: str, **files: str) -> str:
    """What pytest says of these files; warnings are errors."""
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text, "utf-8")
    # A configuration of its own: the folder may lie in this project's. Without it pytest-asyncio warns, too.
    scope = "" if "no:asyncio" in arguments else "asyncio_default_fixture_loop_scope = function\n"
    (folder / "pytest.ini").write_text(f"[pytest]\n{scope}", "utf-8")
    plain = ["-W", "error", "-p", "no:cacheprovider", "-p", "no:xdist"]
    command = [sys.executable, "-m", "pytest", *plain, *arguments]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def test_the_guides_example_passes(tmp_path: Path) -> None:
    """Under pytest-asyncio, strict as it is by default."""
    files = dict(re.findall(r'^```python title="(\w+)\.py"\n(.*?)^```', GUIDE.read_text(), re.MULTILINE | re.DOTALL))
    assert list(files) == ["reseller", "test_reseller"]
    assert " 6 passed" in ran(tmp_path, **files)


def test_the_guides_example_fails_when_the_reseller_orders_twice(tmp_path: Path) -> None:
    """The ledger tells."""
    files = dict(re.findall(r'^```python title="(\w+)\.py"\n(.*?)^```', GUIDE.read_text(), re.MULTILINE | re.DOTALL))
    careless = files["reseller"].replace("self.to_look_at.append(customer)", "await self.panel.add(order)")
    out = ran(tmp_path, **files | {"reseller": careless})
    assert " 1 failed, 5 passed" in out
    assert "test_a_lost_answer_is_looked_at_and_never_repeated" in out


BOTH_LOOPS = """
import pytest
from followersdata_async import OutcomeUnknownError, orders
from followersdata_async.sandbox import Sandbox

pytestmark = [pytest.mark.anyio, pytest.mark.followersdata(seed=3, past=5)]
ORDER = orders.Package(service=3, link="a.b")

@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    return request.param

@pytest.fixture
async def placed(followersdata_client):
    return await followersdata_client.add(ORDER)

async def test_fixtures_share_the_client(placed, followersdata_client, followersdata_sandbox):
    assert (await followersdata_client.multi_status([placed.order])).ok
    assert [taken["order"] for taken in followersdata_sandbox.orders()] == [6] == [placed.order]

@pytest.mark.followersdata(seed=4, faults=["dropped"])
async def test_the_nearest_mark_counts_first(followersdata_client, followersdata_sandbox):
    with pytest.raises(OutcomeUnknownError):
        await followersdata_client.add(ORDER)
    assert len(followersdata_sandbox.orders()) == 1
    assert followersdata_sandbox.orders()[0]["order"] == 6

async def test_nothing_is_left_of_other_tests(followersdata_sandbox):
    assert followersdata_sandbox.orders() == []

async def test_it_can_be_opened_by_hand(followersdata_client):
    async with followersdata_client as panel:
        assert str((await panel.balance()).balance) == "1000.00000"
"""


def test_it_works_with_anyio_on_both_loops(tmp_path: Path) -> None:
    """In tests and in asynchronous fixtures, without pytest-asyncio."""
    assert " 8 passed" in ran(tmp_path, "-p", "no:asyncio", test_it=BOTH_LOOPS)


SERVED = """
import json, urllib.request
import pytest

@pytest.mark.followersdata(serve=True)
def test_another_program_can_reach_it(followersdata_sandbox):
    form = b"key=sandbox-key&action=balance"
    with urllib.request.urlopen(followersdata_sandbox.url, form) as answer:
        assert json.load(answer)["balance"] == "1000.00000"

KEPT = []

@pytest.mark.asyncio
async def test_a_client_ends_with_its_test(followersdata_client):
    KEPT.append(followersdata_client)
    await followersdata_client.balance()

@pytest.mark.asyncio
async def test_and_says_so(followersdata_sandbox):
    with pytest.raises(Exception, match="the client is closed"):
        await KEPT[0].balance()
"""


def test_it_serves_other_programs_and_ends_with_the_test(tmp_path: Path) -> None:
    """No client outlives its panel."""
    assert " 3 passed" in ran(tmp_path, test_it=SERVED)


@pytest.mark.parametrize(
    ("mark", "words"),
    [
        ("dialect='klingon'", "@pytest.mark.followersdata: there is no dialect 'klingon': take one of"),
        ("faults=['lost']", "@pytest.mark.followersdata: fault 1: there is no fault 'lost'"),
        ("speech='turkish'", "unexpected keyword argument 'speech'"),
        ("'turkish'", "@pytest.mark.followersdata takes arguments by their names, like seed=7"),
    ],
)
def test_a_mark_that_makes_no_sense_fails_its_test_in_one_line(tmp_path: Path, mark: str, words: str) -> None:
    """Not with the plugin's own traceback."""
    text = f"import pytest\n@pytest.mark.followersdata({mark})\ndef test_it(followersdata_sandbox): pass\n"
    out = ran(tmp_path, test_it=text)
    assert words in out
    assert "integrations/pytest.py" not in out


def test_without_the_extra_it_says_what_to_install(tmp_path: Path) -> None:
    """And tests that do not ask for it run."""
    blocked = "import sys\nsys.modules['starlette'] = None\n"
    text = "def test_one(followersdata_sandbox): pass\ndef test_two(): pass\n"
    out = ran(tmp_path, conftest=blocked, test_it=text)
    assert "the sandbox needs its extra: pip install 'followersdata_async[sandbox]'" in out
    assert " 1 passed, 1 error" in out


def test_the_marker_and_the_fixtures_are_known(tmp_path: Path) -> None:
    """Also under --strict-markers."""
    out = ran(tmp_path, "--markers") + ran(tmp_path, "--fixtures")
    assert "@pytest.mark.followersdata(dialect=" in out
    assert "followersdata_sandbox" in out
    assert "followersdata_client" in out


def test_nothing_of_the_sandbox_is_imported_for_tests_that_do_not_ask(tmp_path: Path) -> None:
    """The plugin is lazy."""
    text = "import sys\ndef test_it(): assert not {'uvicorn', 'starlette'} & sys.modules.keys()\n"
    assert " 1 passed" in ran(tmp_path, "-p", "no:anyio", test_it=text)
