"""An order from the command line: checked against the catalogue, priced, and placed when somebody has said yes."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal

from ...client import AsyncClient
from ...models import Service, id_text
from ...orders import Raw, TypedOrder, for_service
from ..exit_codes import INTERRUPTED, SUCCESS
from ..input import UsageError
from ..options import ConsentOptions, OrderOptions
from ..output import Format, Row, write_row
from ..progress import print_message, show_spinner
from ..signals import get_interrupt_handler


async def placed(
    client: AsyncClient,
    service: str,
    fields: OrderOptions,
    consent: ConsentOptions,
    format: Format,
    send: Callable[[TypedOrder | Raw, Decimal | None], Awaitable[int]],
) -> int:
    """Check the order, show its price, ask, and send it."""
    with show_spinner("reading the catalogue …"):
        catalogue = await client.services()
    row = _row_of_service(catalogue, service)
    order = for_service(row, **fields.read_fields())
    if problems := order.problems(row):
        raise UsageError("; ".join(problems))
    price = _price(order, row)
    if consent.dry_run:
        shown: Row = {"name": row.name, "price": price and str(price), **order.fields()}
        write_row(shown, tuple(shown), format)
        return SUCCESS
    print_message(f"{row.name} ({row.type}): the price is {'unknown' if price is None else price}")
    if not (consent.yes or _agreed(input)):
        print_message("nothing was ordered")
        return INTERRUPTED
    return await send(order, price)


def _row_of_service(catalogue: Sequence[Service], service: str) -> Service:
    for row in catalogue:
        if id_text(row.service) == service:
            return row
    msg = f"there is no service {service}: look at followersdata services"
    raise UsageError(msg)


def _price(order: TypedOrder | Raw, row: Service) -> Decimal | None:
    try:
        return order.cost(row)
    except ValueError:
        return None


def _agreed(ask: Callable[[], str]) -> bool:
    try:
        with get_interrupt_handler().raise_at_once():
            sys.stderr.write("Place it? [y/N] ")
            sys.stderr.flush()
            return ask().strip().casefold() in {"y", "yes"}
    except (EOFError, KeyboardInterrupt):
        return False
