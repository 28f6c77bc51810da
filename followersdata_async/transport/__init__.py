"""Requests to answers: the only rooms that call httpx. Bytes in, bytes out."""

from __future__ import annotations

from .lent import LentTransport
from .own import OwnTransport
from .pool import Pool

__all__ = ["LentTransport", "OwnTransport", "Pool"]
