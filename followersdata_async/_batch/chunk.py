"""Sends one chunk of ids. If the panel rejects it as a whole, the ids that are to blame are found."""

from __future__ import annotations

import logging
from itertools import islice
from typing import TYPE_CHECKING, Generic, TypeVar, final

from attrs import define, field, frozen

from .._pipeline import BatchKnowledge, BatchSupport, Pipeline
from .._wire.messages import Request, SendState
from ..errors import (
    AuthenticationError,
    FollowersDataError,
    InvalidRequestError,
    OrderNotFoundError,
    PanelError,
    RefillNotFoundError,
)
from ..models import Failed, Id, Ok, Outcome, Refused
from .ids import complete_outcomes
from .operations import Operation

if TYPE_CHECKING:
    from .._wire.batch_rows import OutcomesByText
    from .ids import Ids

T = TypeVar("T")
_LOGGER = logging.getLogger(__name__)


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


async def send_chunk(
    pipeline: Pipeline, operation: Operation[T], ids: Ids, state: SendState | None = None
) -> ChunkResult[T]:
    """Send one chunk and return an outcome for each id.

    A failure is the outcome of as few ids as possible. Only a rejected key
    applies to all that are not known yet. ``state`` counts the requests as they
    are sent.
    """
    sender = _ChunkSender(pipeline, operation, SendState() if state is None else state)
    try:
        await sender.send(ids)
    except AuthenticationError as error:
        refused: dict[str, Outcome[T]] = {text: Refused(id_, error) for text, id_ in ids.items()}
        return ChunkResult(outcomes=refused | sender.outcomes, requests=sender.state.requests, fatal=error)
    return ChunkResult(outcomes=complete_outcomes(ids, sender.outcomes), requests=sender.state.requests)


_RETRY_BATCH_AFTER = 2_000
"""After this many single requests, batches are tried again. Finding out costs a few requests."""
_REJECTED_FOR_ONE_ID = (OrderNotFoundError, RefillNotFoundError, InvalidRequestError)
"""Rejections of a whole response that one id of many can cause, or a panel that takes single ids only."""
_MANY, _SKIPPED = 50, 9
"""After a batch of at least so many ids that were all bad, so many rejected batches are not searched for good ones."""
_HOPELESS_AFTER, _EXPENSIVE_AFTER = 6, 30
"""After this many requests for parts of a chunk, without any success or at all, the other ids are sent one by one."""


@final
@define(eq=False)
class _ChunkSender(Generic[T]):
    """The requests for one chunk, and the outcomes that are known so far.

    Methods raise only ``AuthenticationError``; other errors are outcomes.
    """

    pipeline: Pipeline
    operation: Operation[T]
    state: SendState
    outcomes: dict[str, Outcome[T]] = field(factory=dict)
    parts_sent: int = 0
    parts_accepted: int = 0

    async def send(self, ids: Ids) -> None:
        """Send the ids, and find the bad ones if they are rejected together."""
        if self._knowledge.support is BatchSupport.SINGLE_ONLY:
            await self._send_singly(ids)
        elif (rejection := await self._send_together(ids)) is not None:
            await self._handle_rejection(ids, rejection)

    async def _send_together(self, ids: Ids) -> PanelError | None:
        """Send ids in one request. Return the rejection that one of them may have caused."""
        try:
            self.outcomes |= await self._execute(self.operation.encode(ids))
        except _REJECTED_FOR_ONE_ID as error:
            return error
        except FollowersDataError as error:
            self._fail(ids, error)
            return None
        self._knowledge.record_success()
        return None

    async def _handle_rejection(self, ids: Ids, rejection: PanelError) -> None:
        is_id_missing = self.pipeline.settings.words.says_id_is_missing(rejection.message)
        if self.operation.is_write and not is_id_missing:
            # Nothing proves that the panel has not carried out a part of it.
            self._fail(ids, rejection, is_shared=len(ids) > 1)
        elif self._knowledge.support is BatchSupport.UNSUPPORTED:
            self._fail(ids, rejection)
        elif self.operation.is_write or (
            isinstance(rejection, InvalidRequestError) and self._knowledge.support is BatchSupport.UNTRIED
        ):
            # A write is never narrowed down: what a part of it was rejected for can be one of its ids.
            await self._probe(ids, rejection, is_id_missing=is_id_missing)
        else:
            await self._narrow(ids, rejection)

    async def _probe(self, ids: Ids, rejection: PanelError, *, is_id_missing: bool) -> None:
        """Find out with one or two ids what a panel takes that does not understand a request for many."""
        rest = dict(ids)
        for text in dict.fromkeys((next(iter(ids)), next(reversed(ids)))):
            await self._send_single(text, rest.pop(text))
            outcome = self.outcomes.get(text)
            if not (isinstance(outcome, Refused) and isinstance(outcome.error, InvalidRequestError)):
                break
        else:
            self._knowledge.support = BatchSupport.UNSUPPORTED
            self._fail(rest, rejection)
            return
        if is_id_missing and isinstance(outcome, Ok | Refused):
            await self._send_after_probe(rest)
        elif self.operation.is_write:
            self._fail(rest, rejection)
        elif rest:
            await self._narrow(rest, rejection)

    async def _send_after_probe(self, ids: Ids) -> None:
        """Send the other ids one by one, unless the panel takes many now: then the rejection was a mishap.

        A write that named no order did nothing, so it can be sent together again.
        """
        self._knowledge.support = BatchSupport.SINGLE_ONLY
        if len(ids) > 1 and not self.operation.is_write and await self._send_together(ids) is None:
            return
        await self._send_singly(ids)

    # --- bad ids

    async def _narrow(self, ids: Ids, rejection: PanelError) -> None:
        """Find the bad ids of a chunk, one chunk at a time: the next one profits from what was learned."""
        knowledge = self._knowledge
        async with knowledge.narrowing:
            if knowledge.batches_to_skip and len(ids) > 1:
                knowledge.batches_to_skip -= 1
                await self._narrow_hopeless(ids, rejection)
                return
            await self._bisect(ids, rejection)
            if len(ids) >= _MANY and all(self._is_bad(text) for text in ids):
                knowledge.batches_to_skip = _SKIPPED

    def _is_bad(self, text: str) -> bool:
        return isinstance(getattr(self.outcomes.get(text), "error", None), _REJECTED_FOR_ONE_ID)

    async def _narrow_hopeless(self, ids: Ids, rejection: PanelError) -> None:
        """Look for good ids with two requests only, soon after a chunk in which all ids were bad."""
        left, right = _halve(ids)
        rejections = [(part, await self._send_part(part)) for part in (left, right)]
        rejected = {text: id_ for part, error in rejections if error is not None for text, id_ in part.items()}
        if len(rejected) == len(ids):
            self._fail(ids, rejection, is_shared=True)
        elif rejected:
            await self._bisect(rejected, rejection)

    async def _bisect(self, ids: Ids, rejection: PanelError) -> None:
        """Find the outcomes of ids that were rejected together, by sending each half.

        The smaller half goes first. If it succeeds, the other half has the bad
        id and is halved without being sent. So one bad id in a hundred costs at
        most 13 requests. If there are many, ids are sent one by one.
        """
        if self._knowledge.support is BatchSupport.SINGLE_ONLY:
            await self._send_singly(ids)
            return
        if len(ids) == 1 and self._knowledge.support is BatchSupport.SUPPORTED:
            self._fail(ids, rejection)
            return
        if len(ids) == 1 or self._is_bisecting_expensive:
            await self._resolve_singly(ids)
            return
        left, right = _halve(ids)
        left_rejection = await self._send_part(left)
        is_right_bad = left_rejection is None and len(right) > 1
        right_rejection = rejection if is_right_bad else await self._send_part(right)
        if left_rejection is not None:
            await self._bisect(left, left_rejection)
        if right_rejection is not None:
            await self._bisect(right, right_rejection)

    @property
    def _is_bisecting_expensive(self) -> bool:
        limit = _EXPENSIVE_AFTER if self.parts_accepted else _HOPELESS_AFTER
        return self.parts_sent >= limit

    async def _send_part(self, ids: Ids) -> PanelError | None:
        rejection = await self._send_together(ids)
        self.parts_sent += 1
        self.parts_accepted += rejection is None
        return rejection

    async def _resolve_singly(self, ids: Ids) -> None:
        """Send rejected ids one by one. If some are good, find out whether they are also accepted together."""
        await self._send_singly(ids)
        good = {text: id_ for text, id_ in ids.items() if isinstance(self.outcomes.get(text), Ok)}
        if not good or self._knowledge.support is not BatchSupport.UNTRIED:
            return
        try:
            await self._execute(self.operation.encode(good))
        except _REJECTED_FOR_ONE_ID:
            self._knowledge.support = BatchSupport.SINGLE_ONLY
        except AuthenticationError:
            raise
        except FollowersDataError as error:
            _LOGGER.debug("whether %s takes many ids was not found out: %s", self.operation.action, error)
        else:
            self._knowledge.record_success()

    # --- single ids

    async def _send_singly(self, ids: Ids) -> None:
        """Send each id alone. Periodically, batches are tried again: the panel may have had a temporary problem."""
        for text, id_ in ids.items():
            await self._send_single(text, id_)
        self._knowledge.count_single_requests(len(ids), _RETRY_BATCH_AFTER)

    async def _send_single(self, text: str, id_: Id) -> None:
        """Send one id in the form for single ids."""
        try:
            self.outcomes |= await self._execute(self.operation.encode_one(text, id_))
        except FollowersDataError as error:
            self._fail({text: id_}, error)

    # --- shared by the methods above

    async def _execute(self, request: Request) -> OutcomesByText[T]:
        return await self.pipeline.execute(request, self.operation.decode, self.state)

    def _fail(self, ids: Ids, error: FollowersDataError, *, is_shared: bool = False) -> None:
        """Record the same error for all ids. A rejected key is raised: it is not the outcome of an id."""
        if isinstance(error, AuthenticationError):
            raise error
        for text, id_ in ids.items():
            if isinstance(error, PanelError):
                self.outcomes[text] = Refused(id_, error, is_shared=is_shared)
            else:
                self.outcomes[text] = Failed(id_, error)

    @property
    def _knowledge(self) -> BatchKnowledge:
        return self.pipeline.batch_knowledge[self.operation.action]


def _halve(ids: Ids) -> tuple[Ids, Ids]:
    items = iter(ids.items())
    return dict(islice(items, len(ids) // 2)), dict(items)
