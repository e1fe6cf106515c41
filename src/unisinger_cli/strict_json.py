"""JSON that every reader takes: no NaN, no infinity, paths as strings."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any


def dumps(data: Mapping[str, Any], indent: int | None = None) -> str:
    """`data` as a JSON object: numbers that are not finite become null, paths (and all else) strings."""
    text = json.dumps(_plain(data), ensure_ascii=False, allow_nan=False, indent=indent)
    # what stands for a byte of a file name that is no text, and cannot be encoded
    return re.sub("[\ud800-\udfff]", lambda half: f"\\u{ord(half[0]):04x}", text)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float) or hasattr(value, "__float__"):
        number = float(value)
        return number if math.isfinite(number) else None
    return str(value)
