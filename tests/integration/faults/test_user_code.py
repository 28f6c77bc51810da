"""Code of the user's that raises: it costs no outcome that is known, and never says that nothing was sent."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from followersdata_async import (
    AsyncClient,
    Failed,
    NotSentError,
    Ok,
    OutcomeUnknownError,
    PanelUnavailableError,
    RetryPolicy,
    orders,
)
from followersdata_async.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.anyio

ORDER = orders.Package(service=3, link="https://example.com/p/1")
AT_ONCE = RetryPolicy(initial_delay=0.0)


def raising_at(*numbers: int) -> Callable[[object], Any]:
    """A hook that raises at some of its calls, counted from 1."""
    calls = Counter[str]()

    async def hook(_: object) -> None:
        calls["all"] += 1
        if calls["all"] in numbers:
            msg = f"broken at {calls['all']}"
            raise ValueError(msg)

    return hook


@pytest.mark.parametrize("kind", ["request", "response"])
async def test_a_hook_that_raises_makes_an_order_unknown(kind: str) -> None:
    """A custom client proves nothing, so nobody knows whether the hook came before or after the request."""
    sandbox = Sandbox()
    async with sandbox.http() as http, AsyncClient(sandbox.key, url=sandbox.url, http=http) as client:
        http.event_hooks = {kind: [raising_at(1)]}
        with pytest.raises(OutcomeUnknownError, match="ValueError: broken at 1") as caught:
            await client.add(ORDER)
        assert isinstance(caught.value.__cause__, ValueError)
    assert len(sandbox.orders()) == (kind == "response")


async def test_a_hook_that_raises_costs_its_own_hundred() -> None:
    """The others are refilled, and known."""
    sandbox = Sandbox(past=1000)
    async with sandbox.http() as http:
        client = AsyncClient(sandbox.key, url=sandbox.url, http=http, concurrency=2)
        async with client:
            await client.balance()
            http.event_hooks = {"response": [raising_at(4)]}
            result = await client.multi_refill(range(1, 1001))
    unknown = [outcome for outcome in result.values() if isinstance(outcome, Failed)]
    assert len(result) == 1000
    assert len(unknown) == 100
    assert {type(outcome.error) for outcome in unknown} == {OutcomeUnknownError}


async def test_a_read_goes_on_after_a_hook_has_raised() -> None:
    """It is sent again, as after any failure of a connection."""
    sandbox = Sandbox(past=300)
    async with (
        sandbox.http() as http,
        AsyncClient(sandbox.key, url=sandbox.url, http=http, retry=AT_ONCE) as client,
    ):
        http.event_hooks = {"response": [raising_at(1, 3)]}
        result = await client.multi_status(range(1, 301))
        assert len(result.ok) == 300
        http.event_hooks = {"response": [raising_at(*range(1, 9))]}
        with pytest.raises(PanelUnavailableError, match="ValueError"):
            await client.balance()


async def test_a_limiter_that_raises_costs_its_own_hundred() -> None:
    """Nothing of it was sent."""

    class Limiter:
        def __init__(self) -> None:
            self.calls = 0

        async def wait(self) -> None:
            self.calls += 1
            if self.calls == 4:
                raise LookupError

        def pause(self, duration: float) -> None:
            """Do nothing."""

    sandbox = Sandbox(past=1000)
    async with sandbox.http() as http:
        client = AsyncClient(sandbox.key, url=sandbox.url, http=http, rate_limit=Limiter(), retry=None)
        async with client:
            result = await client.cancel(range(1, 1001))
    failed = [outcome for outcome in result.values() if isinstance(outcome, Failed)]
    assert len(failed) == 100
    assert {type(outcome.error) for outcome in failed} == {NotSentError}


async def test_a_transport_of_the_users_that_raises_is_unknown() -> None:
    """Also with a group of exceptions."""

    def respond(_: httpx.Request) -> httpx.Response:
        raise ExceptionGroup("many", [ValueError("one"), OSError("two")])

    http = httpx.AsyncClient(transport=httpx.MockTransport(respond))
    async with http, AsyncClient("sandbox-key", http=http, retry=None) as client:
        with pytest.raises(OutcomeUnknownError, match="ExceptionGroup: many"):
            await client.add(ORDER)
        outcomes = await client.multi_refill([1])
        assert not isinstance(outcomes[1], Ok)
