"""The rate limit of each key."""

from __future__ import annotations

from typing import Any

import pytest

from followersdata_async import RateLimitedError
from followersdata_async.sandbox import Quota, Sandbox
from tests.helpers.sandbox import ManualClock, create_client

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("says", ["header", "status", "text"])
async def test_a_quota_limits_the_requests_of_each_key(says: Any) -> None:
    """A request that exceeds it is rejected as ``says`` has it."""
    manual = ManualClock()
    async with (
        Sandbox(quota=Quota(requests=2, per=10.0, says=says), clock=manual) as sandbox,
        create_client(sandbox) as panel,
        create_client(sandbox, "sandbox-two") as other,
    ):
        await panel.balance()
        manual.now += 4.5
        await panel.balance()
        with pytest.raises(RateLimitedError) as refused:
            await panel.balance()
        assert refused.value.retry_after == (6.0 if says == "header" else None)
        assert refused.value.http_status == (200 if says == "text" else 429)
        await other.balance()
        manual.now += 5.5
        await panel.balance()
        assert [row["status"] for row in sandbox.log()] == [200, 200, 200 if says == "text" else 429, 200, 200]


async def test_a_quota_with_headers_counts_down() -> None:
    """In every response."""
    quota = Quota(requests=2, per=60.0)
    form = {"key": Sandbox.key, "action": "balance"}
    async with Sandbox(quota=quota, clock=ManualClock()) as sandbox, sandbox.http() as http:
        replies = [await http.post(sandbox.url, data=form) for _ in range(3)]
    limits = [(reply.headers["x-ratelimit-limit"], reply.headers["x-ratelimit-remaining"]) for reply in replies]
    assert limits == [("2", "1"), ("2", "0"), ("2", "0")]
    assert [reply.headers.get("retry-after") for reply in replies] == [None, None, "60"]


@pytest.mark.parametrize("wrong", [{"requests": 0}, {"requests": 1, "per": 0.0}, {"requests": 1, "says": "nothing"}])
def test_an_invalid_quota_is_an_error(wrong: dict[str, Any]) -> None:
    """When it is created."""
    with pytest.raises(ValueError, match=r"^a quota "):
        Quota(**wrong)
