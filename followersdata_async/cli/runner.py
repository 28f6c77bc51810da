"""Runs one command, from its arguments to its exit code. Every error is on standard error."""

from __future__ import annotations

import inspect
import io
import os
import sys
import traceback
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cyclopts import CycloptsError

from ..errors import FollowersDataError
from . import exit_codes
from .input import UsageError
from .progress import print_message
from .signals import FailedAfterWriteError, run_interruptible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cyclopts import App


def run(app: App, arguments: Sequence[str]) -> int:  # noqa: C901 - a clause for each kind of error
    """Run the command that the arguments name and return its exit code."""
    try:
        _prepare_streams()
        result = _run_command(app, arguments)
        sys.stdout.flush()
    except CycloptsError as error:
        return _print_error(f"{error} See followersdata --help.", exit_codes.USAGE)
    except (UsageError, ValueError, TypeError) as error:
        code = _print_error(str(error), exit_codes.USAGE)
        for detail in getattr(error, "details", ()):
            print_message(detail)
        return code
    except ImportError as error:
        if "needs its extra" not in str(error):
            raise
        return _print_error(str(error), exit_codes.CONFIGURATION)
    except FollowersDataError as error:
        if not {"--verbose", "-v"}.isdisjoint(arguments):
            traceback.print_exc()
        return _print_error(str(error), exit_codes.get_exit_code(error))
    except KeyboardInterrupt:
        return _print_error("interrupted; nothing was sent", exit_codes.INTERRUPTED)
    except FailedAfterWriteError as error:
        _discard_output()
        return _print_error(f"{error}; what was sent is sent: look before you repeat it", exit_codes.UNKNOWN)
    except BrokenPipeError:
        _discard_output()
        return exit_codes.REFUSED
    except OSError as error:
        _discard_output()
        return _print_error(f"the output cannot be written: {error.strerror or error}", exit_codes.REFUSED)
    return result if isinstance(result, int) else exit_codes.SUCCESS


def _run_command(app: App, arguments: Sequence[str]) -> Any:  # noqa: ANN401 - --help and --version return nothing
    command, bound, _ = app.parse_args(arguments, exit_on_error=False, print_error=False)
    if not inspect.iscoroutinefunction(command):
        return command(*bound.args, **bound.kwargs)
    return run_interruptible(partial(command, *bound.args, **bound.kwargs))


def _prepare_streams() -> None:
    """Escape characters that the encoding of the terminal does not have, and replace closed streams.

    Raises:
        UsageError: standard output is closed, so that nobody could read the result.
    """
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - for as long as the process runs
    if sys.stdin is None:
        sys.stdin = Path(os.devnull).open(encoding="utf-8")  # noqa: SIM115 - as above
    if sys.stdout is None:
        msg = "standard output is closed: nobody could read what comes"
        raise UsageError(msg)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _discard_output() -> None:
    """Replace standard output by the null device: its reader is gone, and Python would fail when it flushes at exit."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _print_error(text: str, code: int) -> int:
    """Print an error and return the exit code it was called with."""
    print_message(f"followersdata: {text}")
    return code
