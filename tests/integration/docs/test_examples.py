"""Every example of the documents in Python is run: by its document from first to last, or by what it needs besides."""

from __future__ import annotations

import ast
import asyncio
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Boolean, Column, Integer, MetaData, Table, insert
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from followersdata_async import AsyncClient, orders
from followersdata_async.ledger import Ledger, ReceiptState
from followersdata_async.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from procrastinate import App

ROOT = Path(__file__).parents[3]
ORDER = orders.Package(service=3, link="https://example.com/p/1")
CARTS = Table("carts", MetaData(), Column("id", Integer, primary_key=True), Column("paid", Boolean))

ELSEWHERE = {
    "README.md": "tests/integration/docs/test_documents.py::test_the_examples_of_a_document_run",
    "docs/tutorial.md": "tests/integration/docs/test_documents.py::test_the_examples_of_a_document_run",
    "docs/bulk-status.md": "tests/integration/docs/test_documents.py::test_the_examples_of_a_document_run",
    "docs/never-twice.md": "tests/integration/docs/test_documents.py::test_the_examples_of_a_document_run",
    "docs/other-panels.md": "tests/integration/docs/test_documents.py::test_the_examples_of_a_document_run",
    "docs/moving.md": "tests/integration/docs/test_documents.py::test_the_examples_of_a_document_run",
    "docs/errors.md": "tests/integration/docs/test_documents.py::test_the_examples_of_a_document_run",
    "docs/sandbox.md": "tests/integration/docs/test_documents.py::test_the_sandboxs_guide_shows_time_passing",
    "docs/testing.md": "tests/integration/integrations/test_pytest.py::test_the_guides_example_passes",
}
"""Documents whose examples other tests run."""


def blocks(document: str) -> list[str]:
    """A document's examples in Python."""
    return re.findall(r"^```python[^\n]*\n(.*?)^```", (ROOT / document).read_text("utf-8"), re.MULTILINE | re.DOTALL)


def run(example: str, names: dict[str, Any], **replaced: str) -> Any:
    """Run one with these names, with a few texts replaced; what it awaits at its top level is to be awaited."""
    for old, new in replaced.items():
        assert old in example
        example = example.replace(old, new)
    names.setdefault("__name__", "example")
    code = compile(example, "example", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    return eval(code, names)  # noqa: S307 - of our own documents


def test_no_document_has_examples_that_nobody_runs() -> None:
    """Those of the others are below, each by its number; and none hides in an indentation."""
    documents = {
        str(file.relative_to(ROOT)): len(blocks(str(file.relative_to(ROOT))))
        for file in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
    }
    here = {name: count for name, count in documents.items() if count and name not in ELSEWHERE}
    assert here == {"docs/fastapi.md": 1, "docs/ledger.md": 8, "docs/many-machines.md": 8, "docs/observing.md": 3}
    for place in ELSEWHERE.values():
        file, _, name = place.partition("::")
        assert f"def {name}(" in (ROOT / file).read_text("utf-8"), place
    for name in documents:
        hidden = re.findall(r"^    (?:await |async |from \w+ import |import \w+$).*", _unfenced(name), re.MULTILINE)
        assert hidden == [], name


def _unfenced(document: str) -> str:
    return re.sub(r"^```.*?^```", "", (ROOT / document).read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)


@pytest.fixture(name="environment")
def _environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """A panel that the environment names; its orders take seconds."""
    with Sandbox(serve=True, past=2_000, speed=1_000_000) as panel:
        monkeypatch.setenv("FOLLOWERSDATA_API_KEY", panel.key)
        monkeypatch.setenv("FOLLOWERSDATA_API_URL", panel.url)
        yield panel


def test_the_guide_to_fastapi_is_an_app(environment: Sandbox) -> None:
    """With a route for one, and for many."""
    names: dict[str, Any] = {}
    run(*blocks("docs/fastapi.md"), names)
    with TestClient(names["app"]) as client:
        assert client.get("/orders/1").json()["state"] == "completed"
        assert len(client.post("/statuses", json=[1, 2, 3]).json()["outcomes"]) == 3
        assert client.post("/statuses", json=[1] * 1001).status_code == 422
    assert environment.requests == 2


def test_the_guide_to_observing_tells_of_calls(environment: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """And of retries."""
    names: dict[str, Any] = {}
    run(blocks("docs/observing.md")[0], names)
    environment.next("maintenance")

    async def ask() -> None:
        async with names["panel"] as panel:
            await panel.multi_status([1, 2])

    anyio.run(ask)
    first, second = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"status is sent again in \d\.\d s: PanelUnavailableError", first)
    assert re.fullmatch(r"multi_status \{'ok': 2\} 2 requests in \d+\.\d\d s", second) or "1 requests" in second


def test_the_guide_to_observing_has_an_app_with_metrics(tmp_path: Path) -> None:
    """Which starts and ends."""
    names: dict[str, Any] = {}
    run(blocks("docs/observing.md")[2].replace("orders.db", f"{tmp_path}/orders.db"), names)
    with TestClient(names["app"]) as client:
        assert client.get("/").status_code == 404
    assert (tmp_path / "orders.db").exists()


def in_a_shop(
    database: str, what: Callable[[dict[str, Any], AsyncEngine], Awaitable[None]], **names: Any
) -> dict[str, Any]:
    """Do something in the shop of the guides: with its engine, its carts, its order, a panel and a ledger."""

    async def shop() -> None:
        engine = create_async_engine(database)
        async with engine.begin() as connection:
            await connection.run_sync(CARTS.metadata.create_all)
        async with AsyncClient() as panel, Ledger(engine) as ledger:
            names.update(engine=engine, carts=CARTS, order=ORDER, panel=panel, ledger=ledger, insert=insert)
            await what(names, engine)
        await engine.dispose()

    asyncio.run(shop())
    return names


def test_the_guide_to_the_ledger_places_and_follows(
    environment: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From the first example to the last."""
    making, many, limiting, reconciling, outbox, following, health, pruning = blocks("docs/ledger.md")

    async def follow(names: dict[str, Any], _: AsyncEngine) -> None:
        run(making.replace("postgresql://me@host/shop", f"sqlite:///{tmp_path}/other.db"), names)
        await run(outbox, names)
        await run(following, names)
        await run(health, names)
        await run(pruning, names)
        await run(many, names)
        await run(reconciling, names)
        await run(limiting.replace("limited.db", f"{tmp_path}/limited.db"), names)

    in_a_shop(f"sqlite+aiosqlite:///{tmp_path}/shop.db", follow)
    out, _, placed = capsys.readouterr().out.partition("ReceiptState.PLACED\n")
    taken, *others = environment.orders()
    assert len(others) == 26
    assert placed.count(" ReceiptState.PLACED ") == 25
    assert placed.endswith("\nNone\n")
    assert out.startswith(f"ReceiptState.PLACED {taken['order']}\n1 orders polled in 1 chunks\n")
    assert f"\n1 {taken['order']}\n" in out
    _, counted, pruned = out.partition("{<OrderState.COMPLETED: 'completed'>: 1}\n")
    assert counted
    healthy = "0 orders need a person\n0 orders were not polled in time, one of them for 0.0 seconds\n"
    assert re.fullmatch(rf"{healthy}(\d+ {taken['order']}\n)+0 0 0\n", pruned)


def test_the_guide_to_many_machines_places_and_polls(
    environment: Sandbox, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a real PostgreSQL and a worker; engines that are not installed are stood in for by what they do.

    Its files and commands are run by ``test_many_machines.py``.
    """
    monkeypatch.setenv("FOLLOWERSDATA_LEDGER_URL", database)
    making, _, _, deferring, polling, taskiq, temporal, dask = blocks("docs/many-machines.md")
    url = database.replace("postgresql://", "postgresql+psycopg://")

    async def place(names: dict[str, Any], engine: AsyncEngine) -> None:
        run(making, names)
        names["engine"] = engine
        app: App = names["app"]
        async with app.open_async():
            await app.schema_manager.apply_schema_async()
            await run(deferring, names)
            await app.run_worker_async(wait=False, listen_notify=False, install_signal_handlers=False)
            assert (await names["ledger"].receipt("cart-81")).state is ReceiptState.PLACED
        # The worker may have polled before it placed.
        await names["ledger"].poll_once(names["panel"])
        await names["ledger"].track(range(1, 51))

    names = in_a_shop(url, place)
    names["broker"] = SimpleNamespace(task=lambda **_: lambda function: function)
    names["activity"] = SimpleNamespace(defn=lambda function: function)
    run(polling, names)
    run(taskiq, names)
    by_taskiq = names["poll_orders"]
    run(temporal, names)
    assert names["poll_orders"] is not by_taskiq
    looked = sum(asyncio.run(one()) for one in (names["poll"], by_taskiq, names["poll_orders"]))
    with ThreadPoolExecutor(4) as threads:
        names["client"] = SimpleNamespace(
            submit=lambda function, pure: threads.submit(function) if not pure else None,
            gather=lambda futures: [future.result() for future in futures],
        )
        run(dask, names)
        looked += sum(future.result() for future in names["futures"])
    assert looked == 50
    assert len(environment.orders()) == 1
