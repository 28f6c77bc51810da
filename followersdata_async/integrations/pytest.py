"""A pytest plugin: a sandbox panel and a client of it for each test, which need neither money nor a network.

It is there wherever this package is installed with its extra ``sandbox``, and
costs nothing where a test does not ask for it. The fixtures are plain ones, so
that they work with pytest-asyncio (strict or auto) as with anyio, on asyncio
and on trio.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..client import AsyncClient
    from ..sandbox import Sandbox

MARK: Final = "followersdata"


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line(
        "markers",
        f"{MARK}(dialect=…, seed=…, faults=[…], …): how the sandbox of followersdata_sandbox is made; "
        "the arguments of followersdata_async.sandbox.Sandbox",
    )


@pytest.fixture
def followersdata_sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """A panel of this test's own: `followersdata_async.sandbox.Sandbox`, made as ``@pytest.mark.followersdata`` says.

    The nearest mark decides each argument. With ``serve=True`` it listens on a
    free loopback port, for programs that the test starts.
    """
    settings: dict[str, Any] = {}
    for mark in request.node.iter_markers(MARK):
        if mark.args:
            pytest.fail(f"@pytest.mark.{MARK} takes arguments by their names, like seed=7", pytrace=False)
        settings = dict(mark.kwargs) | settings
    try:
        from ..sandbox import Sandbox  # noqa: PLC0415 - only where a test asks for it
    except ImportError as error:
        pytest.fail(str(error), pytrace=False)
    try:
        sandbox = Sandbox(**settings)
    except (TypeError, ValueError) as error:
        pytest.fail(f"@pytest.mark.{MARK}: {error}", pytrace=False)
    with sandbox:
        yield sandbox


@pytest.fixture
def followersdata_client(followersdata_sandbox: Sandbox) -> Iterator[AsyncClient]:
    """A client of ``followersdata_sandbox``, in process; it is opened by its first call, on the test's event loop.

    It tries nothing again, so that a fault is seen when it happens. A client
    with other settings is made as any other:
    ``AsyncClient(sandbox.key, url=sandbox.url, http=sandbox.http())``.
    """
    from .fixtures import FixtureClient  # noqa: PLC0415 - only where a test asks for it

    sandbox = followersdata_sandbox
    client = FixtureClient(sandbox.key, url=sandbox.url, http=sandbox.http(), retry=None)
    yield client
    client.end()
