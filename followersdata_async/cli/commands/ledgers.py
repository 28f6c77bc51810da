"""The commands over orders on record."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from cyclopts import App, Parameter

from ...orders import Order
from ..examples import EXAMPLES
from ..options import (
    DEFAULT_CONNECTION,
    DEFAULT_CONSENT,
    DEFAULT_DATABASE,
    DEFAULT_IDS,
    DEFAULT_ORDER,
    ConnectionOptions,
    ConsentOptions,
    Database,
    IdArgument,
    IdOptions,
    OrderOptions,
)
from ..output import Format
from .add import placed


async def place(
    *,
    ref: str,
    service: str,
    order: OrderOptions = DEFAULT_ORDER,
    consent: ConsentOptions = DEFAULT_CONSENT,
    db: Database = DEFAULT_DATABASE,
    connection: ConnectionOptions = DEFAULT_CONNECTION,
    format: Format = "table",
) -> int:
    """Place an order under a name of yours, on record before it is sent: the same again sends nothing.

    Parameters
    ----------
    ref
        The order's name, e.g. of a cart. One that is not known to have left is placed again, any other never.
    service
        The service's id, from `followersdata services`.
    db
        The ledger: sqlite:///file.db or postgresql://user@host/database.
    format
        How it is written to standard output.
    """
    from .ledger import Place, recorded

    consent.check()
    async with connection.create_client() as client:

        async def send(order: Order, cost: Decimal | None) -> int:
            return await recorded(client, order, cost, Place(ref=ref, db=db, panel=connection.panel), format)

        return await placed(client, service, order, consent, format, send)


async def track(
    *ids: IdArgument, source: IdOptions = DEFAULT_IDS, profile: str = "main", db: Database = DEFAULT_DATABASE
) -> int:
    """Follow orders that were placed elsewhere; those of `place` are followed anyway.

    Parameters
    ----------
    ids
        The orders' ids; - reads them from standard input.
    profile
        Whose orders they are: the name with which `poll` looks at them.
    db
        The ledger: sqlite:///file.db or postgresql://user@host/database.
    """
    from .ledger import tracked

    return await tracked(source.read_ids(ids), db, profile)


async def poll(
    *,
    once: Annotated[bool, Parameter(negative=())] = False,
    max_requests: int = 10,
    db: Database = DEFAULT_DATABASE,
    connection: ConnectionOptions = DEFAULT_CONNECTION,
    format: Format = "table",
) -> int:
    """Look at the orders that a ledger follows, whenever they are due, and write a line of JSON for each change.

    Parameters
    ----------
    once
        Look at what is due now, write what changed, and end.
    max_requests
        With --once: how many requests at the most.
    db
        The ledger: sqlite:///file.db or postgresql://user@host/database.
    format
        With --once: how it is written to standard output.
    """
    from .ledger import polled, polled_once

    async with connection.create_client() as client:
        if once:
            return await polled_once(client, db, connection.panel, max_requests, format)
        return await polled(client, db, connection.panel)


ledger: App = App(
    name="ledger",
    help="Orders on record: look, and settle what nobody knew.",
    help_format="plaintext",
    help_epilogue=EXAMPLES["ledger"],
)


@ledger.command(name="show", help_epilogue=EXAMPLES["ledger show"])
async def ledger_show(ref: str, *, db: Database = DEFAULT_DATABASE, format: Format = "table") -> int:
    """Show what is on record for a ref.

    Parameters
    ----------
    ref
        The order's name.
    db
        The ledger: sqlite:///file.db or postgresql://user@host/database.
    format
        How it is written to standard output.
    """
    from .ledger import shown

    return await shown(ref, db, format)


@ledger.command(name="unknown", help_epilogue=EXAMPLES["ledger unknown"])
async def ledger_unknown(*, db: Database = DEFAULT_DATABASE, format: Format = "table") -> int:
    """List the orders of which nobody knows whether they were placed, with the money at risk.

    Parameters
    ----------
    db
        The ledger: sqlite:///file.db or postgresql://user@host/database.
    format
        How it is written to standard output.
    """
    from .ledger import listed

    return await listed(db, format)


@ledger.command(name="resolve", help_epilogue=EXAMPLES["ledger resolve"])
async def ledger_resolve(
    ref: str,
    *,
    order: str | None = None,
    not_placed: Annotated[bool, Parameter(negative=())] = False,
    db: Database = DEFAULT_DATABASE,
    format: Format = "table",
) -> int:
    """Settle an order whose outcome was unknown, after you have looked at the panel.

    Parameters
    ----------
    ref
        The order's name.
    order
        It was placed: its id at the panel.
    not_placed
        It was not placed, and may be placed again.
    db
        The ledger: sqlite:///file.db or postgresql://user@host/database.
    format
        How it is written to standard output.
    """
    from .ledger import settled

    return await settled(ref, order, db, format, placed=not not_placed)


@ledger.command(name="upgrade", help_epilogue=EXAMPLES["ledger upgrade"])
async def ledger_upgrade(*, db: Database = DEFAULT_DATABASE) -> int:
    """Bring a ledger of an older version to this one's schema.

    Parameters
    ----------
    db
        The ledger: sqlite:///file.db or postgresql://user@host/database.
    """
    from .ledger import upgraded

    return await upgraded(db)
