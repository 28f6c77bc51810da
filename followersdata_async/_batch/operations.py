"""The panel's batch operations as values: how their requests are encoded and their responses decoded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Generic, TypeVar, final

from attrs import frozen

from .._wire.encoding import encode_ids
from .._wire.envelope import unreadable_response
from .._wire.messages import Request, Response
from .._wire.panel_words import PanelWords
from .._wire.reads import (
    decode_order_statuses,
    decode_refill_statuses,
)
from .._wire.writes import (
    decode_cancellations,
    decode_refills,
)
from ..errors import DecodeError
from ..models import Cancellation, Ok, OrderStatus, Outcome, Refill, RefillStatus, Unreported

if TYPE_CHECKING:
    from ..models import Id

T = TypeVar("T")


@final
@frozen(kw_only=True, eq=False)
class Operation(Generic[T]):
    """An action of the panel that takes many ids.

    ``id_field`` and ``ids_field`` are the form fields for one id and for many.
    ``decode`` returns the outcomes of a response, keyed by the strings of the
    ids that were sent.
    """

    action: str
    id_field: str
    ids_field: str
    is_write: bool = False
    decode: Callable[[Request, Response, PanelWords], Mapping[str, Outcome[T]]]

    def encode(self, ids: Mapping[str, Id]) -> Request:
        """Return the request for many ids."""
        return encode_ids(self.action, self.ids_field, ids, is_write=self.is_write)

    def encode_one(self, text: str, id_: Id) -> Request:
        """Return the request for one id, in the form for single ids."""
        return encode_ids(self.action, self.id_field, {text: id_}, is_write=self.is_write)

    def decode_one(self, request: Request, response: Response, words: PanelWords) -> T:
        """Return the value of the only id of a request.

        Raises:
            PanelError: the panel rejected it.
            DecodeError: a read: the response is unreadable, or does not contain the id.
            OutcomeUnknownError: a write: the same.
        """
        ((text, id_),) = request.ids.items()
        try:
            outcome = self.decode(request, response, words).get(text, Unreported(id_))
            if isinstance(outcome, Ok):
                return outcome.value
            if isinstance(outcome, Unreported):
                raise unreadable_response(request, "the answer does not mention the id asked")
            raise outcome.error
        except DecodeError as error:
            raise unreadable_response(request, error.message, error.problems) from None


STATUS: Operation[OrderStatus] = Operation(
    action="status", id_field="order", ids_field="orders", decode=decode_order_statuses
)
REFILL: Operation[Refill] = Operation(
    action="refill", id_field="order", ids_field="orders", is_write=True, decode=decode_refills
)
REFILL_STATUS: Operation[RefillStatus] = Operation(
    action="refill_status", id_field="refill", ids_field="refills", decode=decode_refill_statuses
)
CANCEL: Operation[Cancellation] = Operation(
    action="cancel", id_field="order", ids_field="orders", is_write=True, decode=decode_cancellations
)
