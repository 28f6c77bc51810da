"""``add``: an order is checked against the catalogue, priced and confirmed before it is placed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal

from ..._serialization import format_amount
from ...client import AsyncClient
from ...models import OrderInput, Service, format_id
from ...orders import Raw, TypedOrder, for_service
from ..exit_codes import INTERRUPTED, SUCCESS
from ..input import UsageError
from ..options import (
    DEFAULT_CONNECTION,
    DEFAULT_CONSENT,
    DEFAULT_ORDER,
    ConnectionOptions,
    ConsentOptions,
    OrderOptions,
    confirm,
)
from ..output import DEFAULT_OUTPUT, OutputOptions, Row, to_row, write_row
from ..progress import print_message, show_spinner
from ..signals import get_interrupt_handler


async def add(
    *,
    service: str,
    order: OrderOptions = DEFAULT_ORDER,
    consent: ConsentOptions = DEFAULT_CONSENT,
    connection: ConnectionOptions = DEFAULT_CONNECTION,
    output: OutputOptions = DEFAULT_OUTPUT,
) -> int:
    """Place an order. It is checked and priced first; it costs money, and is never sent twice.

    Parameters
    ----------
    service
        The service's id, from `followersdata services`.
    """
    consent.check()
    async with connection.create_client() as client:

        async def send(order: OrderInput, _: Decimal | None) -> int:
            with show_spinner("ordering …"), get_interrupt_handler().finish_in_flight():
                receipt = await client.add(order)
            # On standard error too, in case nothing reads standard output.
            print_message(f"order {receipt.order} is placed")
            write_row(to_row(receipt), ("order", "charge", "currency"), output)
            return SUCCESS

        return await submit_order(client, service, order, consent, output, send)


async def submit_order(
    client: AsyncClient,
    service: str,
    fields: OrderOptions,
    consent: ConsentOptions,
    output: OutputOptions,
    send: Callable[[TypedOrder | Raw, Decimal | None], Awaitable[int]],
    *,
    find_settled: Callable[[TypedOrder | Raw], Awaitable[int | None]] | None = None,
) -> int:
    """Check an order against the catalogue, print its price, ask for consent, and place it with ``send``.

    ``find_settled`` returns the exit code of an order that was placed before.
    """
    with show_spinner("reading the catalogue …"):
        catalogue = await client.services()
    row = _find_service(catalogue, service)
    order = for_service(row, **fields.read_fields())
    if problems := order.problems(row):
        raise UsageError("; ".join(problems))
    if find_settled is not None and (code := await find_settled(order)) is not None:
        return code
    price = _compute_price(order, row)
    price_text = None if price is None else format_amount(price)
    if consent.dry_run:
        preview: Row = {"name": row.name, "price": price_text, **order.fields()}
        write_row(preview, tuple(preview), output)
        return SUCCESS
    print_message(f"{row.name} ({row.type}): the price is {price_text or 'unknown'}")
    if not (consent.yes or confirm("Place it?")):
        print_message("nothing was ordered")
        return INTERRUPTED
    return await send(order, price)


def _find_service(catalogue: Sequence[Service], service: str) -> Service:
    for row in catalogue:
        if format_id(row.service) == service:
            return row
    msg = f"there is no service {service}: look at followersdata services"
    raise UsageError(msg)


def _compute_price(order: TypedOrder | Raw, row: Service) -> Decimal | None:
    try:
        return order.cost(row)
    except ValueError:
        return None
