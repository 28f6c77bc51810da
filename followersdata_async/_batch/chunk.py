"""Sends one chunk of ids. Where the panel rejects a whole chunk for one bad id, it is bisected."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Generic, TypeVar, final

from attrs import define, frozen

from .._pipeline import BatchSupport, Pipeline
from .._wire.messages import Request, SendState
from ..errors import (
    AuthenticationError,
    FollowersDataError,
    InvalidRequestError,
    OrderNotFoundError,
    PanelError,
    RefillNotFoundError,
)
from ..models import Failed, Id, Outcome, Refused
from .ids import complete_outcomes
from .operations import Operation

if TYPE_CHECKING:
    from .._wire.decoding import OutcomesByText
    from .ids import Ids

T = TypeVar("T")


@final
@frozen(kw_only=True, eq=False)
class ChunkResult(Generic[T]):
    """The outcomes of one chunk, in its order and keyed by the strings of its ids.

    ``requests`` is how many requests it took, ``fatal`` the rejection of the key.
    """

    outcomes: dict[str, Outcome[T]]
    requests: int
    fatal: AuthenticationError | None = None


async def send_one(pipeline: Pipeline, operation: Operation[T], text: str, id_: Id) -> T:
    """Send one id in the form for single ids, and return its value.

    Raises:
        PanelError: the panel rejected it.
        TransportError, DecodeError: a read: no usable response.
        NotSentError, OutcomeUnknownError: a write: no usable response.
    """
    return await pipeline.execute(operation.encode_one(text, id_), operation.decode_one, SendState())


async def send_chunk(pipeline: Pipeline, operation: Operation[T], ids: Ids) -> ChunkResult[T]:
    """Send one chunk and return an outcome for each id.

    A failure is the outcome of as few ids as possible. Only a rejected key
    applies to all of them.
    """
    state = SendState()
    try:
        outcomes = await _ChunkSender(pipeline, operation, state, is_single=len(ids) == 1).send(ids)
    except AuthenticationError as error:
        refused: dict[str, Outcome[T]] = {text: Refused(id_, error) for text, id_ in ids.items()}
        return ChunkResult(outcomes=refused, requests=state.requests, fatal=error)
    return ChunkResult(outcomes=complete_outcomes(ids, outcomes), requests=state.requests)


_RETRY_BATCH_AFTER = 2_000
"""After this many single requests, batches are tried again. Finding out costs about seven requests."""
_REJECTED_FOR_ONE_ID = (OrderNotFoundError, RefillNotFoundError, InvalidRequestError)
"""Rejections of a whole response that one id of many can cause, or a panel that takes single ids only."""


@final
@define(eq=False)
class _ChunkSender(Generic[T]):
    """The requests for one chunk. Methods raise only ``AuthenticationError``; other errors are outcomes."""

    pipeline: Pipeline
    operation: Operation[T]
    state: SendState
    is_single: bool

    async def send(self, ids: Ids) -> OutcomesByText[T]:
        """Send the ids, and bisect them if they are rejected together."""
        outcomes = await self._send_together(ids)
        return await self._bisect(ids, outcomes) if isinstance(outcomes, PanelError) else outcomes

    async def _send_together(self, ids: Ids) -> OutcomesByText[T] | PanelError:
        """Return the outcomes, or for a read the rejection that one of the ids may have caused."""
        if self._batch_support is BatchSupport.SINGLE_ONLY:
            return await self._send_singly(ids)
        try:
            outcomes = await self._execute(self.operation.encode(ids))
        except _REJECTED_FOR_ONE_ID as error:
            return _refuse_all(ids, error) if self.operation.is_write else error
        except FollowersDataError as error:
            return _fail_all(ids, error)
        self._batch_support = BatchSupport.SUPPORTED
        return outcomes

    async def _bisect(self, ids: Ids, rejection: PanelError) -> OutcomesByText[T]:
        """Find the outcomes of ids that were rejected together, by sending each half.

        The smaller half goes first. If it succeeds, the other half has the bad
        id and is halved without being sent. So one bad id in a hundred costs at
        most 13 requests.
        """
        support = self._batch_support
        if support is BatchSupport.SINGLE_ONLY:
            return await self._send_singly(ids)
        if support is BatchSupport.UNSUPPORTED or (len(ids) == 1 and support is BatchSupport.SUPPORTED):
            return _refuse_all(ids, rejection)
        if len(ids) == 1:
            ((text, id_),) = ids.items()
            return await self._send_single(text, id_, is_probe=True)
        left, right = _halve(ids)
        left_outcomes = await self._send_together(left)
        is_right_bad = not isinstance(left_outcomes, PanelError) and len(right) > 1
        right_outcomes = rejection if is_right_bad else await self._send_together(right)
        if isinstance(left_outcomes, PanelError):
            left_outcomes = await self._bisect(left, left_outcomes)
        if isinstance(right_outcomes, PanelError):
            right_outcomes = await self._bisect(right, right_outcomes)
        return {**left_outcomes, **right_outcomes}

    async def _send_singly(self, ids: Ids) -> OutcomesByText[T]:
        """Send each id alone. Periodically, batches are tried again: the panel may have had a temporary problem."""
        outcomes: dict[str, Outcome[T]] = {}
        for text, id_ in ids.items():
            outcomes |= await self._send_single(text, id_)
        count = self.pipeline.single_requests
        count[self.operation.action] += len(ids)
        if count[self.operation.action] >= _RETRY_BATCH_AFTER:
            count[self.operation.action] = 0
            self._batch_support = BatchSupport.UNTRIED
        return outcomes

    async def _send_single(self, text: str, id_: Id, *, is_probe: bool = False) -> OutcomesByText[T]:
        """Send one id in the form for single ids. A probe finds out whether the panel takes batches."""
        try:
            outcomes = await self._execute(self.operation.encode_one(text, id_))
        except FollowersDataError as error:
            if isinstance(error, InvalidRequestError) and is_probe:
                self._batch_support = BatchSupport.UNSUPPORTED
            return _fail_all({text: id_}, error)
        if is_probe and not self.is_single:
            self._batch_support = BatchSupport.SINGLE_ONLY
        return outcomes

    async def _execute(self, request: Request) -> OutcomesByText[T]:
        return await self.pipeline.execute(request, self.operation.decode, self.state)

    @property
    def _batch_support(self) -> BatchSupport:
        return self.pipeline.batch_support.get(self.operation.action, BatchSupport.UNTRIED)

    @_batch_support.setter
    def _batch_support(self, support: BatchSupport) -> None:
        self.pipeline.batch_support[self.operation.action] = support


def _halve(ids: Ids) -> tuple[Ids, Ids]:
    items = iter(ids.items())
    return dict(islice(items, len(ids) // 2)), dict(items)


def _refuse_all(ids: Ids, error: PanelError) -> OutcomesByText[T]:
    return {text: Refused(id_, error) for text, id_ in ids.items()}


def _fail_all(ids: Ids, error: FollowersDataError) -> OutcomesByText[T]:
    """Return the same error for all ids. A rejected key is raised: it is not the outcome of an id."""
    if isinstance(error, AuthenticationError):
        raise error
    if isinstance(error, PanelError):
        return _refuse_all(ids, error)
    return {text: Failed(id_, error) for text, id_ in ids.items()}
