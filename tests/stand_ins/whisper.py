"""A stand-in for the package: as much of it as examples/judges/whisper_words.py uses. It hears how long a sound is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np


class Model:
    def transcribe(self, sound: np.ndarray, *, temperature: float, condition_on_previous_text: bool) -> dict[str, Any]:
        assert sound.dtype == np.float32 and temperature == 0 and not condition_on_previous_text
        return {"text": f" {len(sound) / 16000:.1f} seconds"}


def load_model(name: str) -> Model:
    assert Path(name).is_file(), "nothing may be downloaded"
    return Model()
