"""Durable orders: on record before they are sent, placed once, whatever breaks (extra ``ledger``, ``postgres``)."""

from __future__ import annotations

try:
    from .ledger import Ledger
except ImportError as _error:
    _msg = "followersdata_async.ledger needs its extra: pip install 'followersdata_async[ledger]'"
    raise ImportError(_msg) from _error
from .poller import Polling, PollReport
from .receipts import Evidence, Receipt, ReceiptState
from .store_tracked import Recorded

__all__ = ["Evidence", "Ledger", "PollReport", "Polling", "Receipt", "ReceiptState", "Recorded"]
