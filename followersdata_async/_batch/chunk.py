"""One id or one chunk: asked, and where a panel refuses all of it for one bad id, narrowed down."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Generic, TypeAlias, TypeVar, final

from attrs import define, frozen

from .._pipeline import Bulk, Line
from .._wire import decoding as answers
from .._wire import encoding
from .._wire.error_phrases import Words
from .._wire.messages import Answer, Request, Trail
from ..errors import (
    AuthenticationError,
    FollowersDataError,
    InvalidRequestError,
    OrderNotFoundError,
    PanelError,
    RefillNotFoundError,
)
from ..models import Cancellation, Failed, Id, OrderStatus, Outcome, Refill, RefillStatus, Refused, id_text
from .ids import in_order

T = TypeVar("T")
Found: TypeAlias = Mapping[str, Outcome[T]]


@final
@frozen(eq=False)
class Batch(Generic[T]):
    """One kind of batch call: how its ids are asked, how its answer is read, and how a single id is asked."""

    encode: Callable[[Iterable[Id]], Request]
    read: Callable[[Request, Answer, Words, Sequence[Id]], Found[T]]
    encode_one: Callable[[Id], Request]

    @property
    def action(self) -> str:
        """The action of its requests."""
        return self.encode(()).action


STATUS: Batch[OrderStatus] = Batch(encoding.statuses_request, answers.order_statuses, encoding.status_request)
REFILL: Batch[Refill] = Batch(encoding.refills_request, answers.refills, encoding.refill_request)
REFILL_STATUS: Batch[RefillStatus] = Batch(
    encoding.refill_statuses_request, answers.refill_statuses, encoding.refill_status_request
)
CANCEL: Batch[Cancellation] = Batch(
    encoding.cancel_request, answers.cancellations, lambda order: encoding.cancel_request([order])
)


@final
@frozen(kw_only=True, eq=False)
class Answered(Generic[T]):
    """What one chunk came to: an outcome for each of its ids, in its order."""

    outcomes: list[Outcome[T]]
    requests: int
    fatal: AuthenticationError | None = None


async def alone(line: Line, batch: Batch[T], id_: Id) -> T:
    """Ask for one id, in the form for single ones.

    Raises:
        PanelError: the panel said no to it.
        TransportError, DecodeError: of a read: no usable answer.
        NotSentError, OutcomeUnknownError: of a write.
    """
    request = batch.encode_one(id_)

    def read(request: Request, answer: Answer, words: Words) -> T:
        return answers.one(request, id_, lambda: batch.read(request, answer, words, (id_,)))

    return await line.ask(request, read, Trail())


async def answered(line: Line, batch: Batch[T], chunk: Sequence[Id]) -> Answered[T]:
    """Ask for one chunk; what fails, fails for the fewest ids that it is true of, except a refused key."""
    trail = Trail()
    try:
        found = await _Chunk(line, batch, trail).found(chunk)
    except AuthenticationError as error:
        return Answered(outcomes=[Refused(id_, error) for id_ in chunk], requests=trail.requests, fatal=error)
    return Answered(outcomes=in_order(chunk, found), requests=trail.requests)


_TRIED_ANEW = 2_000
"""After so many single ids of an action; finding out again costs about seven requests."""
_ABOUT_IDS = (OrderNotFoundError, RefillNotFoundError, InvalidRequestError)
"""Refusals of a whole answer that one id of many may have caused, or that the panel takes single ids only."""


@final
@define(eq=False)
class _Chunk(Generic[T]):
    """The requests for one chunk. Every method raises ``AuthenticationError``; all else is an outcome."""

    line: Line
    batch: Batch[T]
    trail: Trail
    is_of_many: bool = False

    async def found(self, ids: Sequence[Id]) -> Found[T]:
        """The outcomes of ids, by their texts."""
        self.is_of_many = len(ids) > 1
        found = await self._tried(ids)
        return await self._narrowed(ids, found) if isinstance(found, PanelError) else found

    async def _tried(self, ids: Sequence[Id]) -> Found[T] | PanelError:
        """The outcomes, or of reads the refusal of all for what may be wrong with one."""
        request = self.batch.encode(ids)
        if self._bulk(request) is Bulk.IGNORED:
            return await self._one_by_one(ids)
        try:
            found = await self._asked(request, ids)
        except _ABOUT_IDS as error:
            return error if request.repeatable else _refused(ids, error)
        except FollowersDataError as error:
            return _lost(ids, error)
        self.line.bulk[request.action] = Bulk.UNDERSTOOD
        return found

    async def _narrowed(self, ids: Sequence[Id], refusal: PanelError) -> Found[T]:
        """The outcomes of ids that were refused together, by asking for their halves.

        The smaller half goes first; where it is answered, the other one has
        the bad id and is halved unasked. So one bad id in a hundred costs 13
        requests at the most.
        """
        bulk = self._bulk(self.batch.encode(ids))
        if bulk is Bulk.IGNORED:
            return await self._one_by_one(ids)
        if bulk is Bulk.REFUSED or (len(ids) == 1 and bulk is Bulk.UNDERSTOOD):
            return _refused(ids, refusal)
        if len(ids) == 1:
            return await self._single(ids[0], is_telling=True)
        left, right = ids[: len(ids) // 2], ids[len(ids) // 2 :]
        of_left = await self._tried(left)
        is_proven = not isinstance(of_left, PanelError) and len(right) > 1
        of_right = refusal if is_proven else await self._tried(right)
        if isinstance(of_left, PanelError):
            of_left = await self._narrowed(left, of_left)
        if isinstance(of_right, PanelError):
            of_right = await self._narrowed(right, of_right)
        return {**of_left, **of_right}

    async def _one_by_one(self, ids: Sequence[Id]) -> Found[T]:
        """Each alone. Now and then it is tried anew whether the panel takes many: it may have had a bad moment."""
        found = {text: outcome for id_ in ids for text, outcome in (await self._single(id_)).items()}
        action = self.batch.action
        self.line.singles[action] += len(ids)
        if self.line.singles[action] >= _TRIED_ANEW:
            self.line.singles[action] = 0
            self.line.bulk[action] = Bulk.UNTRIED
        return found

    async def _single(self, id_: Id, *, is_telling: bool = False) -> Found[T]:
        """The outcome of one id, asked as a single one; whether that works is remembered where it tells something."""
        request = self.batch.encode_one(id_)
        try:
            found = await self._asked(request, [id_])
        except FollowersDataError as error:
            if isinstance(error, InvalidRequestError) and is_telling:
                self.line.bulk[request.action] = Bulk.REFUSED
            return _lost([id_], error)
        if is_telling and self.is_of_many:
            self.line.bulk[request.action] = Bulk.IGNORED
        return found

    async def _asked(self, request: Request, ids: Sequence[Id]) -> Found[T]:
        return await self.line.ask(
            request, lambda request, answer, words: self.batch.read(request, answer, words, ids), self.trail
        )

    def _bulk(self, request: Request) -> Bulk:
        return self.line.bulk.get(request.action, Bulk.UNTRIED)


def _refused(ids: Sequence[Id], error: PanelError) -> Found[T]:
    return {id_text(id_): Refused(id_, error) for id_ in ids}


def _lost(ids: Sequence[Id], error: FollowersDataError) -> Found[T]:
    """The same error for all ids: a refusal, or no usable answer. A refused key is nobody's outcome."""
    if isinstance(error, AuthenticationError):
        raise error
    if isinstance(error, PanelError):
        return _refused(ids, error)
    return {id_text(id_): Failed(id_, error) for id_ in ids}
