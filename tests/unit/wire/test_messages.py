"""What is known of a request at any moment."""

from __future__ import annotations

import pytest

from followersdata_async._wire.messages import Trail


@pytest.mark.parametrize(
    ("steps", "sent", "requests"),
    [
        ([], False, 0),
        (["begin"], False, 0),
        (["begin", "leave"], True, 1),
        (["begin", "leave", "leave"], True, 1),
        (["begin", "hand_over"], None, 1),
        (["begin", "hand_over", "leave"], True, 1),
        (["begin", "hand_over", "hold"], False, 0),
        (["begin", "hand_over", "hold", "leave"], True, 1),
        (["begin", "leave", "hold"], True, 1),
        (["begin", "leave", "begin"], False, 1),
        (["begin", "leave", "begin", "hand_over"], None, 2),
    ],
)
def test_a_trail_is_about_the_latest_attempt_and_counts_them_all(
    steps: list[str], sent: bool | None, requests: int
) -> None:
    """``False`` is proof, ``None`` is not; what was seen to leave is not taken back."""
    trail = Trail()
    for step in steps:
        getattr(trail, step)()
    assert (trail.sent, trail.requests) == (sent, requests)
