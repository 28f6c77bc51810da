"""Rate limiters for ``AsyncClient(rate_limit=…)``."""

from __future__ import annotations

from .base import AccountLimiter, Limiter, SharedLimiter
from .local import RateLimit
from .postgres import PostgresRateLimit

__all__ = ["AccountLimiter", "Limiter", "PostgresRateLimit", "RateLimit", "SharedLimiter"]
