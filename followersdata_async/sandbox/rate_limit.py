"""The rate limit of a panel for each key, and the responses to requests that exceed it (panel-api §1.3). Pure."""

from __future__ import annotations

from collections import deque
from math import ceil
from typing import TYPE_CHECKING, Literal, final

from attrs import define, field, frozen

from .dialects import Response

if TYPE_CHECKING:
    from collections.abc import Mapping

_MAX_KEYS = 10_000
_SAYS = ("header", "status", "text")
_BODY = b'{"error":"Too many requests"}'


@final
@frozen(kw_only=True)
class Quota:
    """A rate limit of ``requests`` in any ``per`` seconds, for each key.

    ``says`` chooses the response to a request that exceeds it: HTTP 429 with
    ``Retry-After`` (``"header"``), HTTP 429 alone (``"status"``), or HTTP 200
    with an error message (``"text"``). With ``"header"`` every response has
    ``X-RateLimit-Limit`` and ``X-RateLimit-Remaining``. The seconds are real
    ones, however fast the sandbox's time runs.

    Raises:
        ValueError: A number is not positive, or ``says`` is none of the three.
    """

    requests: int
    per: float = 1.0
    says: Literal["header", "status", "text"] = "header"

    def __attrs_post_init__(self) -> None:
        if self.requests < 1 or not self.per > 0:
            msg = f"a quota is at least 1 request in more than 0 seconds, not {self.requests} in {self.per}"
            raise ValueError(msg)
        if self.says not in _SAYS:
            msg = f"a quota says {self.says!r}, but must say one of {', '.join(_SAYS)}"
            raise ValueError(msg)


@final
@define
class RateLimiter:
    """A rate limiter that keeps the times of the requests of each key while they count, of the last 10,000 keys."""

    _quota: Quota
    _request_times: dict[str, deque[float]] = field(factory=dict)

    def check(self, key: str, now: float) -> tuple[Mapping[str, str], Response | None]:
        """Count a request of ``key`` at ``now``.

        Returns the headers that its response must have, and the response
        itself if the request exceeds the limit.
        """
        quota = self._quota
        # The dictionary has the keys in the order of their last requests.
        times = self._request_times[key] = self._request_times.pop(key, deque())
        if len(self._request_times) > _MAX_KEYS:
            del self._request_times[next(iter(self._request_times))]
        while times and times[0] <= now - quota.per:
            times.popleft()
        if len(times) < quota.requests:
            times.append(now)
            return self._create_headers(quota.requests - len(times)), None
        headers = self._create_headers(0)
        if quota.says == "header":
            headers["Retry-After"] = str(max(1, ceil(times[0] + quota.per - now)))
        status = 200 if quota.says == "text" else 429
        return headers, Response(status=status, body=_BODY, content_type="application/json", headers=headers)

    def _create_headers(self, remaining: int) -> dict[str, str]:
        if self._quota.says != "header":
            return {}
        return {"X-RateLimit-Limit": str(self._quota.requests), "X-RateLimit-Remaining": str(remaining)}
