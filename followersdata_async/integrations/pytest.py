"""A pytest plugin: a sandbox and a client of it for each test, without money and without a network.

pytest loads it wherever this package is installed with the extra ``sandbox``.
The fixtures are synchronous, so that they work with pytest-asyncio (strict or
auto) and with anyio, on asyncio and on trio.
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
    """Register the marker."""
    config.addinivalue_line(
        "markers",
        f"{MARK}(dialect=…, seed=…, faults=[…], …): arguments of the Sandbox that followersdata_sandbox creates",
    )


@pytest.fixture
def followersdata_sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """Create a ``Sandbox`` for one test, with the arguments of ``@pytest.mark.followersdata``.

    The nearest marker wins for each argument. With ``serve=True`` the sandbox
    listens on a free loopback port, for programs that the test starts.
    """
    settings: dict[str, Any] = {}
    for mark in request.node.iter_markers(MARK):
        if mark.args:
            pytest.fail(f"@pytest.mark.{MARK} takes arguments by their names, like seed=7", pytrace=False)
        settings = dict(mark.kwargs) | settings
    try:
        from ..sandbox import Sandbox  # noqa: PLC0415 - only tests that use the fixture pay for the import
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
    """Create a client of ``followersdata_sandbox``, without a network and without retries.

    Its first call opens it, because only the test has an event loop. For other
    settings create a client of your own:
    ``AsyncClient(sandbox.key, url=sandbox.url, http=sandbox.http())``.
    """
    from ..client import AsyncClient  # noqa: PLC0415 - only tests that use the fixture pay for the import

    sandbox = followersdata_sandbox
    client = AsyncClient(sandbox.key, url=sandbox.url, http=sandbox.http(), retry=None)
    # A custom HTTP client needs neither opening nor closing, so the pipeline alone has a state.
    client._pipeline.opens_on_use = True  # noqa: SLF001
    yield client
    client._pipeline.mark_closed()  # noqa: SLF001
