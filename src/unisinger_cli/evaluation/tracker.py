"""A pitch tracker that had no part in making the songs: FCPE, whose weights come with its package (MIT)."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import redirect_stdout
from io import StringIO
from typing import Any

import numpy as np

from unisinger_cli.audio import mono_at
from unisinger_cli.errors import MissingExtra
from unisinger_cli.types import Audio, Floats, Note

RATE, HOP = 16000, 160
_VOICED = 0.006  # confidence, the package's own default
_SHORTEST, _LEAST = 0.15, 5  # s of a note, and voiced frames in its middle half, that give it a pitch


class Tracker:
    """F0 by "FCPE: a fast context-based pitch estimation model" (Luo et al., 2025), on the CPU.

    Raises MissingExtra where torchfcpe, or the torchaudio that it needs, is not installed.
    """

    def __init__(self) -> None:
        try:
            import torchfcpe
        except (ImportError, OSError) as error:  # torchaudio of another torch does not load
            raise MissingExtra(f"torchfcpe ({error})", "eval") from error
        logging.getLogger("torchfcpe").setLevel(logging.ERROR)
        with redirect_stdout(StringIO()):  # it prints how it was opened
            self._model: Any = torchfcpe.spawn_bundled_infer_model("cpu")

    def track(self, audio: Audio) -> Floats:
        """F0 in Hz of every 10 ms, centred on i * 10 ms, 0 where unvoiced."""
        import torch

        mono = mono_at(audio, RATE)
        with torch.inference_mode():
            found = self._model.infer(
                torch.from_numpy(mono)[None, :, None], sr=RATE, decoder_mode="local_argmax", threshold=_VOICED
            )
        return np.asarray(found[0, :, 0].numpy(), dtype=np.float32)


def note_errors(hz: Floats, notes: Sequence[Note]) -> list[float]:
    """How far the middle half of each note is from where it is written, in cents, without the sign.

    `hz` is as `Tracker.track` gives it. The middle of a note is the median of its frames, so that vibrato cancels.
    Notes under 0.15 s, and notes with hardly anything voiced, are left out.
    """
    found = []
    for note in notes:
        length = note.end - note.start
        if length < _SHORTEST:
            continue
        first, last = ((note.start + part * length) * RATE / HOP for part in (0.25, 0.75))
        middle = hz[round(first) : round(last) + 1]
        middle = middle[middle > 0]
        if len(middle) >= _LEAST:
            found.append(abs(float(100 * (69 + 12 * np.log2(np.median(middle) / 440) - note.midi))))
    return found
