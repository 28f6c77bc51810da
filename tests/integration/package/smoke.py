"""What an installed extra must be able to do: import, and make what it is for. Run as ``python -I smoke.py EXTRA``."""

from __future__ import annotations

import sys

CLIENT = "from followersdata_async import AsyncClient; AsyncClient('sandbox-key', {})"
PROOFS = {
    "": [
        CLIENT.format(""),
        "from followersdata_async import orders; orders.Package(service=1, link='x')",
        "import followersdata_async.rate_limit, followersdata_async.integrations.logging",
    ],
    "cli": ["from followersdata_async.cli import main; assert main(['--version']) == 0"],
    "keyring": ["import keyring; keyring.get_keyring()"],
    "sandbox": ["from followersdata_async.sandbox import Sandbox\nwith Sandbox(serve=True): pass"],
    "ledger": ["from followersdata_async.ledger import Ledger; Ledger('sqlite:///orders.db')"],
    "postgres": [
        "from followersdata_async.ledger import Ledger; Ledger('postgresql://me@host/shop')",
        "from followersdata_async import rate_limit; rate_limit.PostgresRateLimit('postgresql://me@host/shop', 10)",
    ],
    "procrastinate": [
        (
            "from followersdata_async.integrations.procrastinate import blueprint; "
            "blueprint('postgresql://me@host/shop', panels={'main': lambda: None})"
        )
    ],
    "fastapi": [
        (
            "import followersdata_async.integrations.starlette; "
            "from fastapi import FastAPI; from followersdata_async.integrations.fastapi import install_error_handlers; "
            "install_error_handlers(FastAPI())"
        )
    ],
    "otel": [
        (
            "from followersdata_async.integrations.opentelemetry import instrument; "
            "from followersdata_async import AsyncClient; instrument(AsyncClient('sandbox-key'))"
        )
    ],
}
PROOFS["all"] = [proof for proofs in PROOFS.values() for proof in proofs]

for proof in [*PROOFS[""], *PROOFS[sys.argv[1]]]:
    exec(proof, {})  # noqa: S102 - of our own
