"""The sandbox's own time."""

from __future__ import annotations

from typing import Any

import pytest

from followersdata_async import OrderState
from followersdata_async.sandbox import Sandbox
from tests.helpers.sandbox import ORDER, ManualClock, create_client

pytestmark = pytest.mark.anyio


async def test_orders_move_when_the_time_is_advanced() -> None:
    """With speed 0 nothing else moves them."""
    manual = ManualClock()
    async with Sandbox(speed=0, clock=manual) as sandbox, create_client(sandbox) as panel:
        order = (await panel.add(ORDER)).order
        manual.now += 1e6
        assert (await panel.status(order)).state is OrderState.PENDING
        sandbox.advance(40)
        assert (await panel.status(order)).state is OrderState.IN_PROGRESS
        sandbox.advance(3600 * 24)
        assert (await panel.status(order)).is_final
        assert sandbox.now == 1e9 + 40 + 3600 * 24


async def test_the_time_runs_at_the_given_speed() -> None:
    """Two real seconds are two hours of the sandbox."""
    manual = ManualClock()
    async with Sandbox(speed=3600, clock=manual) as sandbox, create_client(sandbox) as panel:
        order = (await panel.add(ORDER)).order
        manual.now += 2
        assert (await panel.status(order)).is_final


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf"), "60", True, None])
def test_the_time_can_only_be_advanced_by_a_number_of_seconds(seconds: Any) -> None:
    """Not moved back."""
    with pytest.raises(ValueError, match=r"^time moves on by 0 to "):
        Sandbox().advance(seconds)


@pytest.mark.parametrize("speed", [-1.0, float("nan"), 1e12])
def test_an_invalid_speed_is_an_error(speed: float) -> None:
    """The message says what is valid."""
    with pytest.raises(ValueError, match=r"^speed is .*, but must be from 0 to 1000000000"):
        Sandbox(speed=speed)
