"""A panel to test against. It is a server of its own and imports nothing else of this package.

Needs the extra ``sandbox``: ``pip install 'followersdata_async[sandbox]'``.
"""

from __future__ import annotations

try:
    import starlette as _starlette  # noqa: F401 - to name the extra if it is missing
    import uvicorn as _uvicorn  # noqa: F401
except ImportError as _error:
    _msg = "the sandbox needs its extra: pip install 'followersdata_async[sandbox]'"
    raise ImportError(_msg) from _error

from .rate_limit import Quota
from .sandbox import Sandbox

__all__ = ["Quota", "Sandbox"]
