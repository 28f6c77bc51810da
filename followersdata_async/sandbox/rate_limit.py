"""How many requests each key may make: a panel's rate limit, and how it says so (panel-api §1.3). Pure."""

from __future__ import annotations

from collections import deque
from math import ceil
from typing import TYPE_CHECKING, Literal, final

from attrs import define, field, frozen

from .dialects import Reply

if TYPE_CHECKING:
    from collections.abc import Mapping

_SAYS = ("header", "status", "text")
_BODY = b'{"error":"Too many requests"}'


@final
@frozen(kw_only=True)
class Quota:
    """At most ``requests`` in any ``per`` seconds, for each key.

    What is too much is answered by HTTP 429 with ``Retry-After`` and, as every
    answer, with ``X-RateLimit-Limit`` and ``X-RateLimit-Remaining``
    (``says="header"``), by HTTP 429 alone (``"status"``), or with HTTP 200 and a
    text (``"text"``). Seconds are real ones, however fast the sandbox's time goes.

    Raises:
        ValueError: a number is not more than 0, or ``says`` is none of the three.
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
class Meter:
    """When each key asked, as far as it still counts."""

    _quota: Quota
    _asked: dict[str, deque[float]] = field(factory=dict)

    def allowance(self, key: str, now: float) -> tuple[Mapping[str, str], Reply | None]:
        """What the answer to a key that asks now has to say of it, and the answer itself if it is no."""
        quota = self._quota
        asked = self._asked.setdefault(key, deque())
        while asked and asked[0] <= now - quota.per:
            asked.popleft()
        if len(asked) < quota.requests:
            asked.append(now)
            return self._headers(quota.requests - len(asked)), None
        headers = self._headers(0)
        if quota.says == "header":
            headers["Retry-After"] = str(max(1, ceil(asked[0] + quota.per - now)))
        status = 200 if quota.says == "text" else 429
        return headers, Reply(status=status, body=_BODY, content_type="application/json", headers=headers)

    def _headers(self, remaining: int) -> dict[str, str]:
        if self._quota.says != "header":
            return {}
        return {"X-RateLimit-Limit": str(self._quota.requests), "X-RateLimit-Remaining": str(remaining)}
