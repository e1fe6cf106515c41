"""How a judge talks to `unisinger evaluate --judge`: JSON, a line each way (README.md tells what is in it).

Import this before anything that prints: from then on only answers go to the standard output, and the rest to stderr.
"""

from __future__ import annotations

import json
import os
import sys
import wave
from collections.abc import Callable
from typing import Any

import numpy as np

_answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(2, 1)


def argument(name: str) -> str:
    """The one argument of the script."""
    if len(sys.argv) != 2:
        sys.exit(f"usage: python {sys.argv[0]} {name}")
    return sys.argv[1]


def samples(path: str) -> np.ndarray:
    """A sound as it is handed over, mono and 16 bits: float32 [n], within -1 to 1."""
    with wave.open(path) as sound:
        kept = sound.readframes(sound.getnframes())
    return np.frombuffer(kept, dtype="<i2").astype(np.float32) / 32768


def serve(hear: Callable[[str], Any], *, read: Callable[[str], list[float]] | None = None, **about: Any) -> None:
    """Say what the judge is, then answer until nobody asks: `hear` takes the path of a sound, `read` a caption."""
    _say(about | ({"captions": True} if read else {}))
    for line in sys.stdin:
        question = json.loads(line)
        if "caption" in question and read:
            _say({"vector": read(question["caption"])})
        else:
            _say({about["answers"]: hear(question["sound"])})


def _say(what: dict[str, Any]) -> None:
    _answers.write(json.dumps(what) + "\n")
    _answers.flush()
