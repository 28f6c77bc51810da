"""The balance: once, or whenever it changes; and when it runs low."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import anyio

from ..._validators import check_seconds
from ...errors import AuthenticationError, FollowersDataError
from ..exit_codes import BALANCE_LOW, SUCCESS
from ..output import Format, to_row, write_json_line, write_row
from ..progress import print_message, ring_bell, show_spinner

if TYPE_CHECKING:
    from decimal import Decimal

    from ...client import AsyncClient
    from ...models import Balance


async def shown(client: AsyncClient, least: Decimal | None, format: Format) -> int:
    """Write it; below ``least``, say so."""
    with show_spinner("reading the balance …"):
        balance = await client.balance()
    write_row(to_row(balance), ("balance", "currency"), format)
    if least is None or balance.balance >= least:
        return SUCCESS
    _alert(balance, least)
    return BALANCE_LOW


async def watched(client: AsyncClient, every: float, least: Decimal | None) -> int:
    """Write a line for each change, for ever; say when it falls below ``least``. A look that fails is made up for."""
    check_seconds("--every", every)
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
                write_json_line({"at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), **to_row(balance)})
                sys.stdout.flush()
            if least is not None and balance.balance < least and (before is None or before.balance >= least):
                _alert(balance, least)
            before = balance
        await anyio.sleep(every)


def _alert(balance: Balance, least: Decimal) -> None:
    ring_bell()
    print_message(
        f"the balance is {balance.balance} {balance.currency or ''}".rstrip() + f", below {least}: pay in soon"
    )
