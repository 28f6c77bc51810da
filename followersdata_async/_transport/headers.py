"""The headers of every request; the key is in none of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .body import ACCEPT_ENCODING

if TYPE_CHECKING:
    from .._settings import Settings

USER_AGENT = "followersdata-async"


def headers_for(settings: Settings) -> dict[str, str]:
    """The headers of a form that wants JSON."""
    return {
        "accept": "application/json",
        "accept-encoding": ACCEPT_ENCODING,
        "content-type": "application/x-www-form-urlencoded",
        "user-agent": settings.user_agent or USER_AGENT,
    }
