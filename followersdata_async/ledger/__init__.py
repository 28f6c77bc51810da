"""Orders that are on record before they are sent, and placed at most once (extra ``ledger`` or ``postgres``)."""

from __future__ import annotations

from ..models import Evidence, Receipt, ReceiptState

try:
    from .ledger import Ledger
except ImportError as _error:
    _msg = "followersdata_async.ledger needs its extra: pip install 'followersdata_async[ledger]'"
    raise ImportError(_msg) from _error
from .bulk_placement import PlacementProgress, Placements
from .findings import Reconciliation, Suggestion
from .health import LedgerHealth
from .poller import Polling, PollReport
from .retention import PruneReport
from .spending import SpendingLimit
from .store_tracked import Recorded

__all__ = [
    "Evidence",
    "Ledger",
    "LedgerHealth",
    "PlacementProgress",
    "Placements",
    "PollReport",
    "Polling",
    "PruneReport",
    "Receipt",
    "ReceiptState",
    "Reconciliation",
    "Recorded",
    "SpendingLimit",
    "Suggestion",
]
