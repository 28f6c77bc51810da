"""How foreign exceptions are described, and what must not be in them."""

from __future__ import annotations


def describe_error(error: Exception) -> str:
    """Return the class and the message of a foreign exception."""
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def strip_context(error: Exception) -> Exception:
    """Return an exception without its traceback and the exceptions that it was raised from.

    The frames of foreign code hold the bytes of requests and responses, and so the key.
    """
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)
