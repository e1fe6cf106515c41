"""Memory that was freed, given back to the system: the C library keeps it in pieces, and a long run grows by them."""

from __future__ import annotations

import ctypes
from functools import lru_cache
from typing import Any


@lru_cache(maxsize=1)
def _trim() -> Any:
    try:
        return ctypes.CDLL(None).malloc_trim  # glibc
    except (OSError, AttributeError, TypeError):  # another C library, another system
        return lambda pad: 0


def give_back() -> None:
    """Return to the system what was freed. Takes a few milliseconds; for between the stretches of something long."""
    _trim()(0)
