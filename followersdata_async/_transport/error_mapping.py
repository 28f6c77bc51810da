"""Foreign exceptions: which ones a transport can raise, and how they are described."""

from __future__ import annotations

from functools import cache
from importlib import import_module

_ALWAYS = ("anyio", "ssl", "socket")


@cache
def find_foreign_errors(*libraries: str) -> tuple[type[Exception], ...]:
    """Return every exception class of HTTP libraries, of their cores, and of what they build on."""
    cores = (library.replace("httpx", "httpcore") for library in libraries)
    modules = map(import_module, (*libraries, *cores, *_ALWAYS))
    # With getattr, because some modules load their parts on access.
    values = (getattr(module, name) for module in modules for name in dir(module) if not name.startswith("_"))
    return tuple({value for value in values if isinstance(value, type) and issubclass(value, Exception)})


def describe_error(error: Exception) -> str:
    """Return the class and the message of a foreign exception."""
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def strip_context(error: Exception) -> Exception:
    """Return an exception without its traceback and the exceptions that it was raised from.

    The frames of foreign code hold the bytes of requests and responses, and so the key.
    """
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)
