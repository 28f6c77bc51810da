"""The same tests on SQLite and on a real PostgreSQL, each with a database of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from followersdata_async import AsyncClient
from followersdata_async.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture(scope="module", params=["asyncio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """The only event loop that database drivers know."""
    return str(request.param)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/orders.db"
    return str(request.getfixturevalue("database"))


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    """A panel to order from."""
    async with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
async def client(sandbox: Sandbox) -> AsyncIterator[AsyncClient]:
    """A client of it."""
    async with sandbox.http() as http, AsyncClient(sandbox.key, url=sandbox.url, http=http) as client:
        yield client
