"""The command ``followersdata``. Needs the extra ``cli``: ``pip install 'followersdata_async[cli]'``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; ``None`` takes the process's arguments."""
    try:
        from .app import run
    except KeyboardInterrupt:
        sys.stderr.write("followersdata: interrupted; nothing was sent\n")
        return 130
    except ImportError as error:
        if error.name is None or error.name.partition(".")[0] not in {"cyclopts", "platformdirs", "rich"}:
            raise
        sys.stderr.write("followersdata: install its extra first: pip install 'followersdata_async[cli]'\n")
        return 2
    return run(sys.argv[1:] if arguments is None else arguments)
