"""``balance``: the balance, once or whenever it changes, and an alert when it is low."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import Annotated

import anyio
from cyclopts import Parameter

from ..._serialization import format_amount
from ..._validators import check_duration
from ...client import AsyncClient
from ...errors import AuthenticationError, FollowersDataError
from ...models import Balance
from ..exit_codes import BALANCE_LOW, SUCCESS
from ..input import check_amount
from ..options import DEFAULT_CONNECTION, ConnectionOptions
from ..output import DEFAULT_OUTPUT, OutputOptions, to_row, write_json_line, write_row
from ..progress import print_message, ring_bell, show_spinner


async def balance(
    *,
    watch: Annotated[bool, Parameter(negative=())] = False,
    every: float = 60.0,
    alert_below: Decimal | None = None,
    connection: ConnectionOptions = DEFAULT_CONNECTION,
    output: OutputOptions = DEFAULT_OUTPUT,
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
    """
    check_amount("--alert-below", alert_below)
    async with connection.create_client() as client:
        if watch:
            return await watch_balance(client, every, alert_below)
        return await _write_balance(client, alert_below, output)


async def _write_balance(client: AsyncClient, alert_below: Decimal | None, output: OutputOptions) -> int:
    """Write the balance, and print an alert if it is below ``alert_below``."""
    with show_spinner("reading the balance …"):
        balance = await client.balance()
    write_row(to_row(balance), ("balance", "currency"), output)
    if alert_below is None or balance.balance >= alert_below:
        return SUCCESS
    _print_alert(balance, alert_below)
    return BALANCE_LOW


async def watch_balance(client: AsyncClient, interval: float, alert_below: Decimal | None) -> int:
    """Write a line for each change, without end, and print an alert when it falls below ``alert_below``.

    If a request fails, the error is printed and the next one follows as usual.
    """
    check_duration("--every", interval)
    before: Balance | None = None
    while True:
        try:
            balance = await client.balance()
        except AuthenticationError:
            raise
        except FollowersDataError as error:
            print_message(f"followersdata: {error}")
        else:
            if balance != before:
                write_json_line(
                    {"at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), **to_row(balance)}, flush=True
                )
            if (
                alert_below is not None
                and balance.balance < alert_below
                and (before is None or before.balance >= alert_below)
            ):
                _print_alert(balance, alert_below)
            before = balance
        await anyio.sleep(interval)


def _print_alert(balance: Balance, alert_below: Decimal) -> None:
    ring_bell()
    amount = f"{format_amount(balance.balance)} {balance.currency or ''}".rstrip()
    print_message(f"the balance is {amount}, below {format_amount(alert_below)}: pay in soon")
