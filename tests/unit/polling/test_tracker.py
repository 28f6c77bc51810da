"""When an order is given up."""

from __future__ import annotations

from typing import Any

import pytest

from followersdata_async import OrderStatus, PollPolicy
from followersdata_async._polling.tracker import TrackedOrder
from followersdata_async.errors import InvalidRequestError, OrderNotFoundError, PanelError, PanelUnavailableError
from followersdata_async.models import Failed, Ok, OrderState, Outcome, Refused, Unreported

NOT_FOUND = Refused(7, OrderNotFoundError("Incorrect order ID"))


def is_open_after(*outcomes: Outcome[OrderStatus]) -> bool:
    """Return whether an order is still polled after these polls."""
    order = TrackedOrder(7, changed_at=0)
    for now, outcome in enumerate(outcomes, 1):
        order.record_outcome(outcome, now, PollPolicy(max_not_found=3), max_retry_after=60)
    return order.is_open


@pytest.mark.parametrize("error", [OrderNotFoundError("no"), InvalidRequestError("no")])
def test_an_order_is_given_up_once_it_was_often_not_found(error: PanelError) -> None:
    """In a row, and alone."""
    refused = Refused(7, error)
    assert is_open_after(refused, refused)
    assert not is_open_after(refused, refused, refused)


@pytest.mark.parametrize(
    "outcome", [Unreported(7), Failed(7, PanelUnavailableError("down")), Refused(7, PanelError("x"))]
)
def test_other_outcomes_start_the_count_again(outcome: Outcome[OrderStatus]) -> None:
    """They say nothing of whether there is such an order."""
    assert is_open_after(NOT_FOUND, NOT_FOUND, outcome, NOT_FOUND, NOT_FOUND)


def test_the_policy_says_which_states_are_final() -> None:
    """A panel can cancel what it has called partial."""

    def seen(state: OrderState, **policy: Any) -> TrackedOrder:
        order = TrackedOrder(7, changed_at=0)
        status = OrderStatus(status=state.value, state=state)
        order.record_outcome(Ok(7, status), 1, PollPolicy(**policy), max_retry_after=60)
        assert order.get_latest() == Ok(7, status)
        return order

    assert not seen(OrderState.PARTIAL).is_open
    assert seen(OrderState.PARTIAL, final_states=PollPolicy().final_states - {OrderState.PARTIAL}).is_open
    assert seen(OrderState.PAUSED).is_open
    assert not seen(OrderState.PAUSED, final_states=[OrderState.PAUSED]).is_open
    assert seen(OrderState.COMPLETED, final_states=[OrderState.PAUSED]).is_open


def test_a_rejection_of_several_ids_together_is_not_counted() -> None:
    """It can be for another id, so it neither counts nor starts the count again."""
    shared = Refused(7, OrderNotFoundError("Incorrect order IDs"), is_shared=True)
    assert is_open_after(*[shared] * 9)
    assert not is_open_after(NOT_FOUND, shared, NOT_FOUND, shared, NOT_FOUND)
