"""One attempt: its deadline, its protection from cancellation, and the error that it ends in."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias, final

import anyio
from attrs import frozen

from .._concurrency import run_to_completion
from .._wire.envelope import no_usable_response
from ..errors import FollowersDataError
from .error_mapping import describe_error, strip_context
from .response import UnusableBodyError, mask_text

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .._concurrency import Commit
    from .._settings import Settings
    from .._wire.messages import Request, Response, SendState

Exchange: TypeAlias = "Callable[[Request, SendState, Commit], Awaitable[Response]]"
"""Sends a request once and reads the whole response. Calls ``commit`` when the request begins to be sent."""


@final
@frozen
class ErrorClasses:
    """What the exceptions of an exchange mean.

    ``not_sent`` prove that nothing was sent. ``of_tests`` are raised as they
    are: a mock complains about the test, not about the network.
    """

    timeouts: tuple[type[Exception], ...] = (TimeoutError,)
    not_sent: tuple[type[Exception], ...] = ()
    of_tests: tuple[type[Exception], ...] = ()


async def run_attempt(
    exchange: Exchange, request: Request, state: SendState, settings: Settings, errors: ErrorClasses
) -> Response:
    """Run one exchange, for at most ``settings.attempt_timeout`` seconds.

    A write that has begun to be sent runs to completion even if its caller is
    cancelled: otherwise its outcome would never be known.

    Raises:
        NotSentError: it is proven that no byte of the request was sent.
        OutcomeUnknownError: a write: it was sent, or may have been, and no whole response arrived.
        RequestTimeoutError: a read: no whole response within ``attempt_timeout``.
        PanelUnavailableError: a read: the connection or the body failed, or code of the user's in a custom client.
    """

    async def run(commit: Commit) -> Response:
        with anyio.CancelScope(deadline=anyio.current_time() + settings.attempt_timeout):
            return await exchange(request, state, commit)
        raise TimeoutError

    try:
        return await (run_to_completion(run) if request.is_write else run(_ignore))
    except UnusableBodyError as error:
        raise no_usable_response(request, str(error)) from error
    except FollowersDataError:
        raise
    except errors.of_tests:
        raise
    # A hook or a transport of a custom client can raise anything, also after the panel has accepted an order.
    except Exception as error:  # noqa: BLE001
        failure, cause = _map_error(error, request, state, settings, errors)
    # Not raised in the except clause: there, the foreign exception would always be its context.
    raise failure from cause


def _map_error(
    error: Exception, request: Request, state: SendState, settings: Settings, errors: ErrorClasses
) -> tuple[FollowersDataError, Exception | None]:
    """Return our exception for a foreign one, and the foreign one as its cause, unless its message has the key."""
    if isinstance(error, errors.not_sent):
        state.mark_not_sent()
    is_timeout = isinstance(error, errors.timeouts)
    timeout = f"no whole answer within {settings.attempt_timeout:g} s"
    reason = timeout if is_timeout else mask_text(describe_error(error), settings.api_key)
    failure = no_usable_response(request, reason, sent=state.sent, is_timeout=is_timeout)
    has_key = mask_text(repr(error), settings.api_key) != repr(error)
    return failure, None if has_key else strip_context(error)


def _ignore() -> None:
    """Commit to nothing: a read may be cancelled at any time."""
