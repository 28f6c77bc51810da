"""Sample responses of many panels, and the functions that read them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from followersdata_async._wire import decoding as answers
from followersdata_async._wire import encoding

if TYPE_CHECKING:
    from collections.abc import Callable

    from followersdata_async._wire.messages import Request

SAMPLES = Path(__file__).parent.parent / "samples"
CASES = [json.loads(line) for line in (SAMPLES / "answers.jsonl").read_text(encoding="utf-8").splitlines()]
READERS: dict[str, tuple[Callable[[Any], Request], Callable[[Any], Request], Callable[..., Any]]] = {
    "status": (encoding.status_request, encoding.statuses_request, answers.order_statuses),
    "refill": (encoding.refill_request, encoding.refills_request, answers.refills),
    "refill_status": (encoding.refill_status_request, encoding.refill_statuses_request, answers.refill_statuses),
    "cancel": (encoding.cancel_request, encoding.cancel_request, answers.cancellations),
}
