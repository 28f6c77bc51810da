"""Sample responses of many panels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from followersdata_async._batch.operations import CANCEL, REFILL, REFILL_STATUS, STATUS, Operation

SAMPLES = Path(__file__).parent.parent / "samples"
CASES = [json.loads(line) for line in (SAMPLES / "answers.jsonl").read_text(encoding="utf-8").splitlines()]
OPERATIONS: dict[str, Operation[Any]] = {
    operation.action: operation for operation in (STATUS, REFILL, REFILL_STATUS, CANCEL)
}
