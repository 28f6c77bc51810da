"""What is known of a request at any moment."""

from __future__ import annotations

import pytest

from followersdata_async._wire.messages import SendState


@pytest.mark.parametrize(
    ("steps", "sent", "requests"),
    [
        ([], False, 0),
        (["start_attempt"], False, 0),
        (["start_attempt", "mark_sent"], True, 1),
        (["start_attempt", "mark_sent", "mark_sent"], True, 1),
        (["start_attempt", "mark_handed_over"], None, 1),
        (["start_attempt", "mark_handed_over", "mark_sent"], True, 1),
        (["start_attempt", "mark_handed_over", "mark_not_sent"], False, 0),
        (["start_attempt", "mark_handed_over", "mark_not_sent", "mark_sent"], True, 1),
        (["start_attempt", "mark_sent", "mark_not_sent"], True, 1),
        (["start_attempt", "mark_sent", "start_attempt"], False, 1),
        (["start_attempt", "mark_sent", "start_attempt", "mark_handed_over"], None, 2),
    ],
)
def test_a_send_state_is_about_the_latest_attempt_and_counts_them_all(
    steps: list[str], sent: bool | None, requests: int
) -> None:
    """``False`` is proof, ``None`` is not; what was seen to leave is not taken back."""
    state = SendState()
    for step in steps:
        getattr(state, step)()
    assert (state.sent, state.requests) == (sent, requests)
