"""``sandbox``: serves a sandbox panel on this machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

import anyio
from cyclopts import Parameter

from .. import exit_codes
from ..input import UsageError
from ..progress import print_message

_MAX_PORT = 65535
_MAX_LATENCY = 3600


async def sandbox(
    *,
    port: int = 8099,
    seed: int = 1,
    latency: float = 0.0,
    dialect: str = "documented",
    past: int = 1_000_000,
    services: int = 24,
    speed: float = 1.0,
    balance: Annotated[tuple[str, ...], Parameter(negative=())] = (),
    quota: int | None = None,
    quota_per: float = 1.0,
    quota_says: Literal["header", "status", "text"] = "header",
    one_per_link: Annotated[bool, Parameter(negative=())] = False,
    faults: Path | None = None,
    state: Path | None = None,
    max_orders: int = 100_000,
    max_body_bytes: int = 1024 * 1024,
    allowed_host: Annotated[tuple[str, ...], Parameter(negative=())] = (),
) -> int:
    """Serve a panel on this machine, to try and to test against, until Ctrl-C. It has a page that shows what happens.

    Parameters
    ----------
    port
        The port to listen on; 0 takes a free one.
    seed
        The same seed gives the same catalogue and orders.
    latency
        Seconds before each answer.
    dialect
        Whose shapes the answers have, one of docs/dialects.md.
    past
        How many orders there are from the beginning: their ids are 1 to this.
    services
        How many services the catalogue has.
    speed
        How many times as fast as ours the sandbox's time goes; 0 lets it stand still until you move it.
    balance
        What a key's account has, as sandbox-key=12.50; may be given again for other keys.
    quota
        How many requests a key may make in --quota-per seconds; without it any number.
    quota_per
        Seconds that --quota is for.
    quota_says
        How too many are refused: HTTP 429 with Retry-After, 429 alone, or a text with HTTP 200.
    one_per_link
        Refuse an order while another of the same service and link is active.
    faults
        A JSON file with a list of faults for the first requests, as docs/sandbox.md describes them.
    state
        A file that keeps orders, refills and balances over restarts; made if it is not there.
    max_orders
        How many orders it keeps besides those of --past; further ones are refused.
    max_body_bytes
        How long the body of a request may be.
    allowed_host
        A host name that the page may be opened by, beside localhost; may be given again for other names.
    """
    from ...sandbox import Quota, Sandbox

    check_sandbox_options(past, latency)
    if not 0 <= port <= _MAX_PORT:
        msg = f"--port is {port}, but must be from 0 to {_MAX_PORT}"
        raise UsageError(msg)
    try:
        panel = Sandbox(
            seed=seed,
            serve=True,
            port=port,
            latency=latency,
            dialect=dialect,
            past=past,
            services=services,
            speed=speed,
            balances=dict(map(_parse_balance, balance)),
            quota=None if quota is None else Quota(requests=quota, per=quota_per, says=quota_says),
            one_per_link=one_per_link,
            faults=[] if faults is None else _read_faults(faults),
            state=state,
            max_orders=max_orders,
            max_body_bytes=max_body_bytes,
            allowed_hosts=allowed_host,
        )
    except OSError as error:
        raise UsageError(str(error)) from error
    try:
        async with panel:
            print_message("A sandbox panel: no money, no real orders; keys start with sandbox-. Ctrl-C ends it.")
            print_message(f"See what happens, and break it, at {panel.page}. In another terminal:")
            print_message(f"  export FOLLOWERSDATA_API_KEY={panel.key}")
            print_message(f"  export FOLLOWERSDATA_API_URL={panel.url}")
            print_message("  followersdata balance")
            await anyio.sleep_forever()
    except OSError as error:
        msg = f"--port {port} cannot be used: {error.strerror}; take another, or 0 for a free one"
        raise UsageError(msg) from error
    return exit_codes.SUCCESS


def check_sandbox_options(orders: int, latency: float) -> None:
    """Check the options that every sandbox of the command line has.

    Raises:
        UsageError: one of them is out of range.
    """
    if orders < 1:
        msg = f"the number of orders is {orders}, but must be at least 1"
        raise UsageError(msg)
    if not 0 <= latency <= _MAX_LATENCY:
        msg = f"--latency is {latency}, but must be from 0 to {_MAX_LATENCY} seconds"
        raise UsageError(msg)


def _parse_balance(text: str) -> tuple[str, str]:
    key, separator, amount = text.partition("=")
    if not separator:
        msg = f"--balance is {text!r}, but must be like sandbox-key=12.50"
        raise UsageError(msg)
    return key, amount


def _read_faults(path: Path) -> list[object]:
    """Return the faults in a file as a list, also if it has only one.

    Raises:
        UsageError: the file cannot be read, or is not JSON.
    """
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        msg = f"--faults {path} cannot be read: {error}"
        raise UsageError(msg) from error
    return content if isinstance(content, list) else [content]
