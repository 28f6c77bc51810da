"""The panel without sockets: faults as a client sees them, changes and resets."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from followersdata_async import (
    FollowersDataError,
    InsufficientFundsError,
    Ok,
    OutcomeUnknownError,
    PanelUnavailableError,
    RateLimitedError,
    RequestTimeoutError,
    Unreported,
)
from followersdata_async.sandbox import Sandbox
from tests.helpers.sandbox import ORDER, create_client

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("fault", "error", "taken"),
    [
        ({"fault": "late", "seconds": 5}, OutcomeUnknownError, True),
        ({"fault": "limited"}, RateLimitedError, False),
        ({"fault": "broken"}, OutcomeUnknownError, False),
        ({"fault": "broken", "taken": True}, OutcomeUnknownError, True),
        ({"fault": "maintenance"}, OutcomeUnknownError, False),
        ({"fault": "refused", "message": "Not enough funds on balance"}, InsufficientFundsError, False),
        ({"fault": "empty"}, OutcomeUnknownError, True),
        ({"fault": "empty", "taken": False}, OutcomeUnknownError, False),
        ({"fault": "cut"}, OutcomeUnknownError, True),
        ({"fault": "garbage"}, OutcomeUnknownError, True),
        ({"fault": "unread"}, OutcomeUnknownError, False),
        ({"fault": "dropped"}, OutcomeUnknownError, True),
        ({"fault": "dropped", "taken": False}, OutcomeUnknownError, False),
        ({"fault": "redirected"}, OutcomeUnknownError, False),
        ({"fault": "dripping", "seconds": 5}, OutcomeUnknownError, True),
    ],
)
async def test_a_fault_decides_whether_an_order_is_taken(
    fault: dict[str, Any], error: type[FollowersDataError], taken: bool
) -> None:
    """``orders`` shows what the client cannot know, and the next order succeeds."""
    # A slow response is waited for in vain, so that wait is short. The order is taken before it begins.
    attempt_timeout = 0.05 if "seconds" in fault else 1.0
    async with (
        Sandbox(faults=[fault]) as sandbox,
        create_client(sandbox, attempt_timeout=attempt_timeout) as first,
        create_client(sandbox) as panel,
    ):
        with pytest.raises(error) as raised:
            await first.add(ORDER)
        assert type(raised.value) is error
        assert len(sandbox.orders()) == taken
        await panel.add(ORDER)
        assert len(sandbox.orders()) == taken + 1
        assert sandbox.log()[0]["fault"] == fault["fault"]


@pytest.mark.parametrize(("fault", "error"), [("broken", PanelUnavailableError), ("dropped", PanelUnavailableError)])
async def test_a_fault_for_one_action_fails_its_reads(fault: str, error: type[FollowersDataError]) -> None:
    """As often as it says; other actions succeed."""
    async with Sandbox(past=3) as sandbox, create_client(sandbox) as panel:
        sandbox.next(fault, action="balance", times=2)
        assert (await panel.multi_status([1, 2, 3])).errors == {}
        for _ in range(2):
            with pytest.raises(error):
                await panel.balance()
        await panel.balance()


async def test_a_late_response_to_a_read_is_a_timeout() -> None:
    """A delay of 0 seconds is not."""
    async with (
        Sandbox() as sandbox,
        create_client(sandbox, attempt_timeout=0.05) as first,
        create_client(sandbox) as panel,
    ):
        sandbox.next("late", seconds=60)
        with pytest.raises(RequestTimeoutError):
            await first.balance()
        sandbox.next("late", seconds=0)
        sandbox.next("dripping", seconds=0)
        assert await panel.balance() == await panel.balance()


async def test_ids_with_a_wrong_or_missing_row_are_unreported() -> None:
    """Neither ok nor failed."""
    async with Sandbox(past=3, faults=["wrong_ids", "missing_ids"]) as sandbox, create_client(sandbox) as panel:
        wrong, missing = [await panel.multi_status([1, 2, 3]) for _ in range(2)]
        assert list(map(type, wrong.values())) == [Unreported] * 3
        assert list(map(type, missing.values())) == [Unreported, Ok, Unreported]


async def test_faults_can_be_listed_and_cleared() -> None:
    """Before they apply."""
    async with Sandbox() as sandbox, create_client(sandbox) as panel:
        sandbox.next("empty", times=None, action="balance")
        assert sandbox.faults() == [{"fault": "empty", "times": None, "action": "balance"}]
        sandbox.clear()
        assert sandbox.faults() == []
        await panel.balance()


async def test_the_catalogue_and_balances_can_be_changed_while_it_runs() -> None:
    """The next request sees the change."""
    async with Sandbox(balances={"sandbox-key": "5"}) as sandbox, create_client(sandbox) as panel:
        sandbox.change(1, rate="4.00")
        await panel.add(ORDER)
        assert (await panel.balance()).balance == Decimal(1)
        with pytest.raises(InsufficientFundsError):
            await panel.add(ORDER)
        sandbox.set_balance(Decimal("100.00"))
        await panel.add(ORDER)
        sandbox.change(1, enabled=False)
        assert 1 not in {service.service for service in await panel.services()}


@pytest.mark.parametrize(
    ("service", "terms", "error"),
    [
        (99, {"rate": "1"}, r"^there is no service 99"),
        ("1", {"rate": "1"}, r"^there is no service '1'"),
        (1, {"price": "1"}, r"^a service has no 'price' to change: it has rate, min"),
        (1, {"rate": "cheap"}, r"^rate is 'cheap', but must be an exact amount"),
        (1, {"rate": 0.9}, r"^rate is 0.9"),
        (1, {"rate": "-1"}, r"^rate is '-1'"),
        (1, {"rate": "1e99"}, r"^rate is '1e99'"),
        (1, {"rate": "9" * 40}, r"^rate is '999"),
        (1, {"min": 0}, r"^min is 0, but must be a whole number from 1"),
        (1, {"max": True}, r"^max is True"),
        (1, {"enabled": "no"}, r"^enabled is 'no', but must be true or false"),
    ],
)
def test_an_invalid_change_is_an_error(service: Any, terms: dict[str, object], error: str) -> None:
    """It changes nothing."""
    sandbox = Sandbox()
    with pytest.raises(ValueError, match=error):
        sandbox.change(service, **terms)


def test_a_real_key_is_never_accepted() -> None:
    """Not even to set its balance, and no message contains it."""
    with pytest.raises(ValueError, match=r"^a sandbox's keys start with 'sandbox-'") as first:
        Sandbox(balances={"3f9c0e": 5})
    with pytest.raises(ValueError, match=r"^a sandbox's keys start with 'sandbox-'") as second:
        Sandbox().set_balance(5, key="3f9c0e")
    with pytest.raises(ValueError, match=r"^balance is 'much', but must be an exact amount"):
        Sandbox().set_balance("much")
    assert "3f9c0e" not in f"{first.value}{second.value}"


@pytest.mark.parametrize("services", [0, 100_001])
def test_a_catalogue_that_is_too_small_or_too_large_is_an_error(services: int) -> None:
    """Before it is created."""
    with pytest.raises(ValueError, match=r"but must be from 1 to 100000$"):
        Sandbox(services=services)


async def test_a_reset_panel_is_new_except_for_its_time() -> None:
    """It has no orders, faults or log, and the initial balances and prices."""
    async with Sandbox(speed=0) as sandbox, create_client(sandbox) as panel:
        await panel.add(ORDER)
        sandbox.change(1, enabled=False)
        sandbox.next("empty")
        sandbox.advance(60)
        now = sandbox.now
        sandbox.reset()
        assert (sandbox.orders(), sandbox.log(), sandbox.faults(), sandbox.requests) == ([], [], [], 0)
        assert sandbox.now == now
        assert (await panel.add(ORDER)).order == 1
