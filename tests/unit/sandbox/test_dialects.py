"""The dialects: the client reads the same from each, without a setting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest

from followersdata_async import (
    AsyncClient,
    AuthenticationError,
    BatchResult,
    Failed,
    InsufficientFundsError,
    InvalidOrderError,
    InvalidRequestError,
    Ok,
    OrderNotFoundError,
    OrderStatus,
    PanelError,
    RefillStatus,
    Refused,
    ServiceNotFoundError,
    Unreported,
    orders,
)
from followersdata_async.sandbox import Sandbox
from followersdata_async.sandbox.backend import Backend
from followersdata_async.sandbox.dialects import DIALECTS, get_dialect

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

LINK = "https://example.com/p/1"
PAST = 40
ORDER = orders.Default(service=1, link=LINK, quantity=1000)
UNKNOWN = 4711

pytestmark = pytest.mark.parametrize("dialect", sorted(DIALECTS))


async def run_with_client(
    dialect: str, use_client: Callable[[AsyncClient], Awaitable[Any]], key: str = Sandbox.key
) -> Any:
    """Return the result of ``use_client`` with an in-process panel of this dialect."""
    async with (
        Sandbox(dialect=dialect, past=PAST, clock=lambda: 0.0) as sandbox,
        sandbox.http() as http,
        AsyncClient(key, url=sandbox.url, http=http, retry=None) as panel,
    ):
        return await use_client(panel)


def summarize(outcome: object) -> object:
    """Return what an outcome has in every dialect: the values of a status, or the class of an error."""
    match outcome:
        case Ok(value=OrderStatus() as status):
            return status.state, status.charge, status.start_count, status.remains
        case Ok(value=RefillStatus() as status):
            return status.state
        case Refused(error=error):
            return type(error)
        case _:
            return type(outcome)


def compare_with_documented(
    dialect: str, use_client: Callable[[AsyncClient], Awaitable[BatchResult[Any]]]
) -> tuple[Any, Any]:
    """Return the outcomes of a batch in this dialect and in the documented one."""
    results = [anyio.run(run_with_client, name, use_client) for name in (dialect, "documented")]
    found, documented = ({str(id_): summarize(outcome) for id_, outcome in result.items()} for result in results)
    return found, documented


def test_the_catalogue_is_the_same(dialect: str) -> None:
    """Whether numbers are sent as numbers or as strings."""

    async def use_client(panel: AsyncClient) -> Any:
        return await panel.services()

    assert anyio.run(run_with_client, dialect, use_client) == anyio.run(run_with_client, "documented", use_client)


def test_the_balance_is_the_same(dialect: str) -> None:
    """To its last digit."""

    async def use_client(panel: AsyncClient) -> Any:
        return await panel.balance()

    assert anyio.run(run_with_client, dialect, use_client) == anyio.run(run_with_client, "documented", use_client)


def test_the_status_of_many_orders_is_the_same(dialect: str) -> None:
    """For orders that exist."""
    found, documented = compare_with_documented(dialect, lambda panel: panel.multi_status(range(1, PAST + 1)))
    assert found == documented
    assert len(found) == PAST


def test_an_unknown_order_among_many_is_rejected_or_left_out(dialect: str) -> None:
    """The others have their status, even if the panel rejects the whole request."""
    found, documented = compare_with_documented(dialect, lambda panel: panel.multi_status([1, 2, UNKNOWN]))
    assert found == documented | ({str(UNKNOWN): Unreported} if dialect == "omitting" else {})


def test_a_placed_order_has_the_same_state_alone_and_among_others(dialect: str) -> None:
    """Under the id that the panel returned."""

    async def use_client(panel: AsyncClient) -> Any:
        placed = await panel.add(ORDER)
        one = await panel.status(placed.order)
        many = await panel.multi_status([placed.order])
        return one.state, many[placed.order].value.state  # type: ignore[union-attr]

    states = anyio.run(run_with_client, dialect, use_client)
    assert states[0] is states[1]


@pytest.mark.parametrize(
    ("order", "error"),
    [
        (orders.Default(service=99, link=LINK, quantity=100), ServiceNotFoundError),
        (orders.Default(service=1, link="nowhere", quantity=100), InvalidOrderError),
        (orders.Default(service=1, link=LINK, quantity=1), InvalidOrderError),
        (orders.Default(service=1, link=LINK, quantity=10_000, runs=1000, interval=5), InsufficientFundsError),
    ],
)
def test_a_rejected_order_raises_the_error_of_its_reason(
    dialect: str, order: orders.Default, error: type[PanelError]
) -> None:
    """In every form and language, with every HTTP status."""

    async def use_client(panel: AsyncClient) -> None:
        await panel.add(order)

    with pytest.raises(error):
        anyio.run(run_with_client, dialect, use_client)


def test_a_wrong_key_raises_an_authentication_error(dialect: str) -> None:
    """Also for a batch."""

    async def use_client(panel: AsyncClient) -> None:
        await panel.multi_status(range(1, 1000))

    with pytest.raises(AuthenticationError):
        anyio.run(run_with_client, dialect, use_client, "wrong")


def test_a_single_unknown_order_raises_an_error(dialect: str) -> None:
    """It is the one of an order that was not found."""

    async def use_client(panel: AsyncClient) -> None:
        await panel.status(UNKNOWN)

    with pytest.raises(OrderNotFoundError):
        anyio.run(run_with_client, dialect, use_client)


@pytest.mark.parametrize("action", ["multi_refill", "cancel"])
def test_refills_and_cancellations_are_the_same(dialect: str, action: str) -> None:
    """If the dialect has them."""
    ids = [*range(1, PAST + 1), UNKNOWN]
    found, documented = compare_with_documented(dialect, lambda panel: getattr(panel, action)(ids))
    if dialect == "pretty":
        documented = dict.fromkeys(documented, InvalidRequestError)
    if dialect == "crash-200":
        crashed = {id_ for id_, said in documented.items() if said is Ok and int(id_) % 3 == 0}
        assert crashed or action == "cancel"
        documented |= dict.fromkeys(crashed, Failed)
    assert found == documented


def test_the_status_of_refills_is_the_same(dialect: str) -> None:
    """For many refills and for a single one."""

    async def use_client(panel: AsyncClient) -> Any:
        await panel.multi_refill(range(1, PAST + 1))
        many = await panel.multi_refill_status([1, 2, UNKNOWN])
        return {str(id_): summarize(outcome) for id_, outcome in many.items()}, (await panel.refill_status(1)).state

    if dialect == "pretty":
        with pytest.raises(InvalidRequestError):
            anyio.run(run_with_client, dialect, use_client)
    else:
        assert anyio.run(run_with_client, dialect, use_client) == anyio.run(run_with_client, "documented", use_client)


@pytest.mark.parametrize("way", ["form", "json", "query"])
@pytest.mark.parametrize("slash", ["", "/"])
def test_requests_can_be_a_form_json_or_a_query(dialect: str, way: str, slash: str) -> None:
    """With and without a slash at the end of the address."""
    form = {"key": Sandbox.key, "action": "status", "orders": "1,2"}

    async def main() -> bytes:
        async with Sandbox(dialect=dialect, past=2, clock=lambda: 0.0) as sandbox, sandbox.http() as http:
            url = sandbox.url + slash
            if way == "query":
                return (await http.get(url, params=form)).content
            if way == "json":
                return (await http.post(url, json={**form, "orders": [1, 2]})).content
            return (await http.post(url, data=form)).content

    backend = Backend(past=2)
    assert (
        anyio.run(main) == get_dialect(dialect).create_response(form, lambda fields: backend.handle(fields, 0.0)).body
    )
