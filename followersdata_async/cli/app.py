"""The commands: each opens a client, makes one call and writes what came."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

from cyclopts import App, Parameter

from .._pacing import PollPolicy
from ..client import AsyncClient
from ..orders import Order
from . import exit_codes
from .commands.add import placed
from .commands.balance import shown as shown_balance
from .commands.balance import watched as watched_balance
from .commands.ledgers import ledger, place, poll, track
from .commands.profile import profile
from .commands.sandbox import check_sandbox, sandbox
from .commands.services import Choice, compared, listed
from .commands.status import answered
from .examples import EXAMPLES
from .input import check_amount
from .options import (
    DEFAULT_CONNECTION,
    DEFAULT_CONSENT,
    DEFAULT_IDS,
    DEFAULT_ORDER,
    DEFAULT_POLL_POLICY,
    ConnectionOptions,
    ConsentOptions,
    IdArgument,
    IdOptions,
    OrderOptions,
)
from .output import Format, to_row, write_row
from .progress import print_message, show_spinner
from .runner import run as run_command
from .signals import get_interrupt_handler

if TYPE_CHECKING:
    from attrs import AttrsInstance

    from .._batch.stream import Outcomes
    from ..models import Id

    Value = TypeVar("Value", bound=AttrsInstance)

app: App = App(
    name="followersdata",
    help="Order from a social-media panel and follow the orders. "
    "The key is read from FOLLOWERSDATA_API_KEY, the file that FOLLOWERSDATA_API_KEY_FILE names, or a profile.",
    help_format="plaintext",
    help_epilogue=EXAMPLES[""],
    version_flags=["--version"],
)
app.command(place, help_epilogue=EXAMPLES["place"])
app.command(track, help_epilogue=EXAMPLES["track"])
app.command(poll, help_epilogue=EXAMPLES["poll"])
app.command(ledger)
app.command(profile)
app.command(sandbox, help_epilogue=EXAMPLES["sandbox"])


@app.command(help_epilogue=EXAMPLES["services"])
async def services(
    *,
    search: str | None = None,
    max_rate: Decimal | None = None,
    sort: Literal["service", "name", "type", "category", "rate", "min", "max"] | None = None,
    diff: Path | None = None,
    connection: ConnectionOptions = DEFAULT_CONNECTION,
    format: Format = "table",
) -> int:
    """Show the catalogue, or what has changed in it.

    Parameters
    ----------
    search
        Only services whose name, category or type has all of these words.
    max_rate
        Only services that cost at most this for a thousand.
    sort
        By what to sort; without it as the panel does.
    diff
        Show what is different from this file, which --format json or jsonl has written.
    format
        How it is written to standard output.
    """
    choice = Choice(search=search, max_rate=max_rate, sort=sort)
    async with connection.create_client() as client:
        with show_spinner("reading the catalogue …"):
            catalogue = await client.services()
    return listed(catalogue, choice, format) if diff is None else compared(diff, catalogue, choice, format)


@app.command(help_epilogue=EXAMPLES["balance"])
async def balance(
    *,
    watch: Annotated[bool, Parameter(negative=())] = False,
    every: float = 60.0,
    alert_below: Decimal | None = None,
    connection: ConnectionOptions = DEFAULT_CONNECTION,
    format: Format = "table",
) -> int:
    """Show what the account has.

    Parameters
    ----------
    watch
        Look again and again, and write a line of JSON for each change, until Ctrl-C.
    every
        With --watch: seconds between two looks.
    alert_below
        Below this, say so and ring; without --watch the exit code is 7 then.
    format
        How it is written to standard output, without --watch.
    """
    check_amount("--alert-below", alert_below)
    async with connection.create_client() as client:
        if watch:
            return await watched_balance(client, every, alert_below)
        return await shown_balance(client, alert_below, format)


@app.command(help_epilogue=EXAMPLES["add"])
async def add(
    *,
    service: str,
    order: OrderOptions = DEFAULT_ORDER,
    consent: ConsentOptions = DEFAULT_CONSENT,
    connection: ConnectionOptions = DEFAULT_CONNECTION,
    format: Format = "table",
) -> int:
    """Place an order. It is checked and priced first; it costs money, and is never sent twice.

    Parameters
    ----------
    service
        The service's id, from `followersdata services`.
    format
        How it is written to standard output.
    """
    consent.check()
    async with connection.create_client() as client:

        async def send(order: Order, _: Decimal | None) -> int:
            with show_spinner("ordering …"), get_interrupt_handler().finish_in_flight():
                receipt = await client.add(order)
            # On standard error, too: standard output may be read by nobody.
            print_message(f"order {receipt.order} is placed")
            write_row(to_row(receipt), ("order", "charge", "currency"), format)
            return exit_codes.SUCCESS

        return await placed(client, service, order, consent, format, send)


@app.command(help_epilogue=EXAMPLES["status"])
async def status(
    *ids: IdArgument,
    source: IdOptions = DEFAULT_IDS,
    connection: ConnectionOptions = DEFAULT_CONNECTION,
    format: Format = "table",
) -> int:
    """Show how orders are doing.

    Parameters
    ----------
    ids
        The orders' ids; - reads them from standard input.
    format
        How it is written to standard output.
    """
    columns = ("status", "charge", "start_count", "remains", "currency")
    return await _batch(
        "status", source.read_ids(ids), connection, lambda client: client.stream_status, columns, format
    )


@app.command(help_epilogue=EXAMPLES["watch"])
async def watch(
    *ids: IdArgument,
    source: IdOptions = DEFAULT_IDS,
    until_final: Annotated[bool, Parameter(negative=())] = False,
    min_delay: float = DEFAULT_POLL_POLICY.min_delay,
    max_delay: float = DEFAULT_POLL_POLICY.max_delay,
    connection: ConnectionOptions = DEFAULT_CONNECTION,
    format: Format = "table",
) -> int:
    """Watch orders until all are final: a live view on a terminal, then the last status of each.

    Parameters
    ----------
    ids
        The orders' ids; - reads them from standard input.
    until_final
        Write nothing of an order until it is final.
    min_delay
        Seconds between two looks at an order that has just moved.
    max_delay
        Seconds between two looks at an order that has not moved for long.
    format
        How it is written to standard output; jsonl and csv have a row for each change, as it is seen.
    """
    from .commands.watch import watched

    poll_policy = PollPolicy(min_delay=min_delay, max_delay=max_delay)
    asked = source.read_ids(ids)
    async with connection.create_client() as client:
        return await watched(client, asked, poll_policy, format, until_final=until_final)


@app.command(help_epilogue=EXAMPLES["refill"])
async def refill(
    *ids: IdArgument,
    source: IdOptions = DEFAULT_IDS,
    connection: ConnectionOptions = DEFAULT_CONNECTION,
    format: Format = "table",
) -> int:
    """Ask for refills of orders. It is never sent twice.

    Parameters
    ----------
    ids
        The orders' ids; - reads them from standard input.
    format
        How it is written to standard output.
    """
    return await _batch(
        "refill", source.read_ids(ids), connection, lambda client: client.stream_refill, ("refill",), format
    )


@app.command(help_epilogue=EXAMPLES["refill-status"])
async def refill_status(
    *ids: IdArgument,
    source: IdOptions = DEFAULT_IDS,
    connection: ConnectionOptions = DEFAULT_CONNECTION,
    format: Format = "table",
) -> int:
    """Show how refills are doing.

    Parameters
    ----------
    ids
        The refills' ids, not the orders'; - reads them from standard input.
    format
        How it is written to standard output.
    """
    return await _batch(
        "refill status",
        source.read_ids(ids),
        connection,
        lambda client: client.stream_refill_status,
        ("status",),
        format,
    )


@app.command(help_epilogue=EXAMPLES["cancel"])
async def cancel(
    *ids: IdArgument,
    source: IdOptions = DEFAULT_IDS,
    connection: ConnectionOptions = DEFAULT_CONNECTION,
    format: Format = "table",
) -> int:
    """Ask to cancel orders. Accepted means asked for: their status tells whether it was done.

    Parameters
    ----------
    ids
        The orders' ids; - reads them from standard input.
    format
        How it is written to standard output.
    """
    return await _batch(
        "cancel", source.read_ids(ids), connection, lambda client: client.stream_cancel, ("accepted",), format
    )


@app.command(help_epilogue=EXAMPLES["demo"])
async def demo(
    *,
    durable: Annotated[bool, Parameter(negative=())] = False,
    orders: int | None = None,
    latency: float = 0.05,
    dialect: str = "documented",
    format: Format = "table",
) -> int:
    """Show the main job against an embedded sandbox: no account, no money, no network.

    Parameters
    ----------
    durable
        Place orders on record by a program that is killed half-way, and show that none is placed twice or lost.
    orders
        How many orders' status to ask, 10000 unless you say so; with --durable how many to place, 200.
    latency
        Seconds that the sandbox takes to answer.
    dialect
        Whose shapes its answers have, one of docs/dialects.md.
    format
        How the result is written to standard output; json is the bulk status alone, or with --durable the last step.
    """
    if durable:
        from .commands.demo_durable import demo as run_demo
    else:
        from .commands.demo import demo as run_demo
    count = (_FEW if durable else _MANY) if orders is None else orders
    check_sandbox(count, latency)
    return await run_demo(count, latency, dialect, format)


@app.command(help_epilogue=EXAMPLES["completion"])
def completion(shell: Literal["bash", "zsh", "fish", "powershell"]) -> int:
    """Write the script that completes commands and options in a shell.

    Parameters
    ----------
    shell
        Which shell.
    """
    sys.stdout.write(app.generate_completion(prog_name="followersdata", shell=shell))
    return exit_codes.SUCCESS


_MANY = 10_000
_FEW = 200


async def _batch(
    title: str,
    ids: Sequence[Id],
    connection: ConnectionOptions,
    stream: Callable[[AsyncClient], Callable[[Iterable[Id]], Outcomes[Value]]],
    columns: Sequence[str],
    format: Format,
) -> int:
    async with connection.create_client() as client:
        return await answered(title, ids, stream(client), columns, format)


def run(arguments: Sequence[str]) -> int:
    """Run one command."""
    return run_command(app, arguments)
