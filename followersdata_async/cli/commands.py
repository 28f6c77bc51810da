"""The commands: each opens a client, makes one call and writes what came."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

from cyclopts import App, CycloptsError, Parameter

from ..client import AsyncClient
from ..errors import FollowersDataError
from ..orders import Order
from ..pacing import PollPolicy
from . import exits
from .batches import collected, reported
from .input import UsageError, ids_from
from .ledgers import ledger, place, poll, track
from .options import (
    DEFAULT_CONSENT,
    DEFAULT_FIELDS,
    DEFAULT_PACE,
    DEFAULT_PANEL,
    ConsentOptions,
    Ids,
    OrderFields,
    Panel,
    PanelOptions,
)
from .ordering import placed
from .progress import say
from .render import Format, row_of, write, write_one
from .sandboxes import check_sandbox, sandbox

if TYPE_CHECKING:
    from attrs import AttrsInstance

    from ..dispatch import Outcomes
    from ..models import Id

    Value = TypeVar("Value", bound=AttrsInstance)

app: App = App(
    name="followersdata",
    help="Order from a social-media panel and follow the orders. "
    "The key is read from FOLLOWERSDATA_API_KEY, the address from FOLLOWERSDATA_API_URL or --url.",
    help_format="plaintext",
    version_flags=["--version"],
)
app.command(place)
app.command(track)
app.command(poll)
app.command(ledger)
app.command(sandbox)


@app.command
async def services(*, panel: PanelOptions = DEFAULT_PANEL, format: Format = "table") -> int:
    """Show the catalogue.

    Parameters
    ----------
    format
        How it is written to standard output.
    """
    async with panel.client() as client:
        rows = [row_of(service) for service in await client.services()]
    columns = ("service", "name", "type", "category", "rate", "min", "max", "refill", "cancel")
    write(rows, columns, format)
    return exits.WELL


@app.command
async def balance(*, panel: PanelOptions = DEFAULT_PANEL, format: Format = "table") -> int:
    """Show what the account has.

    Parameters
    ----------
    format
        How it is written to standard output.
    """
    async with panel.client() as client:
        write_one(row_of(await client.balance()), ("balance", "currency"), format)
    return exits.WELL


@app.command
async def add(
    *,
    service: str,
    order: OrderFields = DEFAULT_FIELDS,
    consent: ConsentOptions = DEFAULT_CONSENT,
    panel: PanelOptions = DEFAULT_PANEL,
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
    async with panel.client() as client:

        async def send(order: Order, _: Decimal | None) -> int:
            write_one(row_of(await client.add(order)), ("order", "charge", "currency"), format)
            return exits.WELL

        return await placed(client, service, order, consent, format, send)


@app.command
async def status(
    *ids: Ids,
    file: Path | None = None,
    panel: PanelOptions = DEFAULT_PANEL,
    format: Format = "table",
) -> int:
    """Show how orders are doing.

    Parameters
    ----------
    ids
        The orders' ids; - reads them from standard input.
    file
        A file with an id on each line.
    format
        How it is written to standard output.
    """
    columns = ("status", "charge", "start_count", "remains", "currency")
    return await _batch("status", ids_from(ids, file), panel, lambda client: client.stream_status, columns, format)


@app.command
async def watch(
    *ids: Ids,
    file: Path | None = None,
    until_final: Annotated[bool, Parameter(negative=())] = False,
    shortest_delay: float = DEFAULT_PACE.shortest_delay,
    longest_delay: float = DEFAULT_PACE.longest_delay,
    panel: PanelOptions = DEFAULT_PANEL,
    format: Format = "table",
) -> int:
    """Watch orders until all are final: a live view on a terminal, then the last status of each.

    Parameters
    ----------
    ids
        The orders' ids; - reads them from standard input.
    file
        A file with an id on each line.
    until_final
        Write nothing of an order until it is final.
    shortest_delay
        Seconds between two looks at an order that has just moved.
    longest_delay
        Seconds between two looks at an order that has not moved for long.
    format
        How it is written to standard output; jsonl and csv have a row for each change, as it is seen.
    """
    from .watching import watched

    pace = PollPolicy(shortest_delay=shortest_delay, longest_delay=longest_delay)
    asked = ids_from(ids, file)
    async with panel.client() as client:
        return await watched(client, asked, pace, format, until_final=until_final)


@app.command
async def refill(
    *ids: Ids,
    file: Path | None = None,
    panel: PanelOptions = DEFAULT_PANEL,
    format: Format = "table",
) -> int:
    """Ask for refills of orders. It is never sent twice.

    Parameters
    ----------
    ids
        The orders' ids; - reads them from standard input.
    file
        A file with an id on each line.
    format
        How it is written to standard output.
    """
    return await _batch("refill", ids_from(ids, file), panel, lambda client: client.stream_refill, ("refill",), format)


@app.command
async def refill_status(
    *ids: Ids,
    file: Path | None = None,
    panel: PanelOptions = DEFAULT_PANEL,
    format: Format = "table",
) -> int:
    """Show how refills are doing.

    Parameters
    ----------
    ids
        The refills' ids, not the orders'; - reads them from standard input.
    file
        A file with an id on each line.
    format
        How it is written to standard output.
    """
    return await _batch(
        "refill status", ids_from(ids, file), panel, lambda client: client.stream_refill_status, ("status",), format
    )


@app.command
async def cancel(
    *ids: Ids,
    file: Path | None = None,
    panel: PanelOptions = DEFAULT_PANEL,
    format: Format = "table",
) -> int:
    """Ask to cancel orders. Accepted means asked for: their status tells whether it was done.

    Parameters
    ----------
    ids
        The orders' ids; - reads them from standard input.
    file
        A file with an id on each line.
    format
        How it is written to standard output.
    """
    return await _batch(
        "cancel", ids_from(ids, file), panel, lambda client: client.stream_cancel, ("accepted",), format
    )


@app.command
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
        from .durable import demo as run_demo
    else:
        from .demo import demo as run_demo
    count = (_FEW if durable else _MANY) if orders is None else orders
    check_sandbox(count, latency)
    return await run_demo(count, latency, dialect, format)


_MANY = 10_000
_FEW = 200


async def _batch(
    title: str,
    ids: Sequence[Id],
    panel: Panel,
    stream: Callable[[AsyncClient], Callable[[Iterable[Id]], Outcomes[Value]]],
    columns: Sequence[str],
    how: Format,
) -> int:
    async with panel.client() as client:
        result = await collected(title, ids, stream(client))
    return reported(result, columns, how)


def run(arguments: Sequence[str]) -> int:
    """Run one command; every error becomes a line on standard error and an exit code."""
    try:
        code = app(
            arguments,
            exit_on_error=False,
            print_error=False,
            result_action="return_value",
        )
    except CycloptsError as error:
        return _failed(f"{error} See followersdata --help.", exits.USAGE)
    except (UsageError, ValueError, TypeError) as error:
        return _failed(str(error), exits.USAGE)
    except ImportError as error:
        if "needs its extra" not in str(error):
            raise
        return _failed(str(error), exits.CONFIGURATION)
    except FollowersDataError as error:
        return _failed(str(error), exits.exit_code_of(error))
    except KeyboardInterrupt:
        return _failed("interrupted", exits.INTERRUPTED)
    except BrokenPipeError:
        # Whoever read the output has left; Python would complain again when it flushes at exit.
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return exits.REFUSED
    return code if isinstance(code, int) else exits.WELL


def _failed(text: str, code: int) -> int:
    say(f"followersdata: {text}")
    return code
