"""A panel to test against: the other side of the wire, which knows nothing of the client.

Needs the extra ``sandbox``: ``pip install 'followersdata_async[sandbox]'``.
"""

from __future__ import annotations

try:
    import starlette as _starlette  # noqa: F401 - to name the extra where it is missing
    import uvicorn as _uvicorn  # noqa: F401
except ImportError as _error:
    _msg = "the sandbox needs its extra: pip install 'followersdata_async[sandbox]'"
    raise ImportError(_msg) from _error

from .rate_limit import Quota
from .sandbox import Sandbox

__all__ = ["Quota", "Sandbox"]
