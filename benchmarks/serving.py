"""A panel in a process of its own, so that its work is not measured as the client's."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def serving(module: str, argument: float) -> Iterator[str]:
    """Run a module that serves on a free loopback port and prints it; gives the address."""
    command = [sys.executable, "-m", module, str(argument)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own modules
        try:
            assert process.stdout is not None  # noqa: S101 - as it is a pipe
            yield f"http://127.0.0.1:{int(process.stdout.readline())}/api/v2"
        finally:
            process.terminate()
