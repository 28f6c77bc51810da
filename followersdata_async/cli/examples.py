"""Examples of use, at the end of the help of each command."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_LINES: Mapping[str, tuple[str, ...]] = {
    "": ("demo", "profile add main", "balance", "status 23501 23502 --format json", "status --help"),
    "services": (
        "services --search instagram --max-rate 2 --sort rate",
        "services --format json > old.json",
        "services --diff old.json",
    ),
    "balance": ("balance", "balance --alert-below 50", "balance --watch --every 300 --alert-below 50"),
    "add": (
        "add --service 1 --link https://x.example --quantity 90 --dry-run",
        "add --service 1 --link https://x.example --quantity 90",
        "add --service 2 --link https://x.example --comments-file c.txt",
    ),
    "status": (
        "status 23501 23502",
        "status --file orders.csv --column id --format csv > statuses.csv",
        "seq 1 25000 | followersdata status - --format jsonl > statuses.jsonl",
    ),
    "watch": ("watch 23501 23502", "watch --file ids.txt --until-final --format jsonl"),
    "refill": ("refill 23501", "refill --file orders.csv --column id"),
    "refill-status": ("refill-status 1 2 3",),
    "cancel": ("cancel 23501", "cancel --file ids.txt --format json"),
    "demo": ("demo", "demo --orders 100000 --latency 0.2", "demo --durable"),
    "place": (
        "place --ref cart-81 --service 3 --link https://x.example/p",
        "place --ref cart-82 --service 3 --link https://x.example/q --yes",
        "place --file orders.csv --ref-column id --dry-run",
    ),
    "track": ("track 23501 23502", "track --file orders.csv --column id"),
    "poll": ("poll", "poll --once --max-requests 100"),
    "ledger": ("ledger unknown",),
    "ledger show": ("ledger show cart-81",),
    "ledger unknown": ("ledger unknown --format json", "ledger unknown --db postgresql://shop@db/shop"),
    "ledger reconcile": ("ledger reconcile", "ledger reconcile --format json"),
    "ledger resolve": ("ledger resolve cart-81 --order 23501", "ledger resolve cart-81 --not-placed"),
    "ledger prune": ("ledger prune --older-than 90", "ledger prune --older-than 30 --db postgresql://shop@db/shop"),
    "ledger upgrade": ("ledger upgrade --db postgresql://shop@db/shop",),
    "profile": ("profile add main",),
    "profile add": (
        "profile add main",
        "profile add spare --url https://panel.example/api/v2 --keyring",
        "profile add main < key.txt",
    ),
    "profile list": ("profile list",),
    "profile remove": ("profile remove spare",),
    "sandbox": ("sandbox", "sandbox --speed 1000 --latency 0.05", "sandbox --dialect strict --state panel.jsonl"),
    "completion": ("completion bash > ~/.followersdata.bash",),
}


def _format_examples(lines: tuple[str, ...]) -> str:
    return "Examples:\n\n" + "\n".join(f"  {line if '|' in line else 'followersdata ' + line}" for line in lines)


EXAMPLES: Mapping[str, str] = {command: _format_examples(lines) for command, lines in _LINES.items()}
