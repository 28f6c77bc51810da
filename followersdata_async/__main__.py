"""``python -m followersdata_async`` is the command ``followersdata``."""

from __future__ import annotations

import sys

from .cli import main

sys.exit(main())
