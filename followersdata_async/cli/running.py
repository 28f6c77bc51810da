"""One command, from its arguments to its exit code; every error becomes a line on standard error."""

from __future__ import annotations

import inspect
import os
import sys
import traceback
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from cyclopts import CycloptsError

from ..errors import FollowersDataError
from . import exits
from .input import UsageError
from .interrupts import interruptible
from .progress import say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cyclopts import App


def run(app: App, arguments: Sequence[str]) -> int:
    """Run one command."""
    try:
        code = _code_of(app, arguments)
        sys.stdout.flush()
    except CycloptsError as error:
        return _failed(f"{error} See followersdata --help.", exits.USAGE)
    except (UsageError, ValueError, TypeError) as error:
        return _failed(str(error), exits.USAGE)
    except ImportError as error:
        if "needs its extra" not in str(error):
            raise
        return _failed(str(error), exits.CONFIGURATION)
    except FollowersDataError as error:
        if not {"--verbose", "-v"}.isdisjoint(arguments):
            traceback.print_exc()
        return _failed(str(error), exits.exit_code_of(error))
    except KeyboardInterrupt:
        return _failed("interrupted; nothing was sent", exits.INTERRUPTED)
    except BrokenPipeError:
        # Whoever read the output has left; Python would complain again when it flushes at exit.
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return exits.REFUSED
    return code if isinstance(code, int) else exits.WELL


def _code_of(app: App, arguments: Sequence[str]) -> Any:  # noqa: ANN401 - help and version are commands, too
    command, bound, _ = app.parse_args(arguments, exit_on_error=False, print_error=False)
    if not inspect.iscoroutinefunction(command):
        return command(*bound.args, **bound.kwargs)
    return interruptible(partial(command, *bound.args, **bound.kwargs))


def _failed(text: str, code: int) -> int:
    say(f"followersdata: {text}")
    return code
