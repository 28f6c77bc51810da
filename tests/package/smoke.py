"""What an installed extra must be able to do: import. Run as ``python -I smoke.py EXTRA``."""

from __future__ import annotations

import importlib
import sys

MODULES = {
    "": ["followersdata_async", "followersdata_async.limits", "followersdata_async.integrations.logging"],
    "cli": ["followersdata_async.cli.commands"],
    "keyring": ["keyring"],
    "sandbox": ["followersdata_async.sandbox"],
    "aiohttp": ["httpx_aiohttp"],
    "http2": ["h2"],
    "ledger": ["followersdata_async.ledger"],
    "postgres": ["followersdata_async.ledger", "psycopg"],
    "procrastinate": ["followersdata_async.integrations.procrastinate"],
    "fastapi": ["followersdata_async.integrations.fastapi", "followersdata_async.integrations.responses"],
    "otel": ["followersdata_async.integrations.opentelemetry"],
}
MODULES["all"] = sorted({module for modules in MODULES.values() for module in modules})

for name in [*MODULES[""], *MODULES[sys.argv[1]]]:
    importlib.import_module(name)
