"""Limits on how often a panel is asked, for a client's ``rate``."""

from __future__ import annotations

from .local import RateLimit
from .postgres import PostgresRateLimit

__all__ = ["PostgresRateLimit", "RateLimit"]
