"""Silero VAD (MIT; its weights come with the package): where in a recording somebody speaks or sings."""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec
from typing import Any

from unisinger_cli.errors import MissingExtra
from unisinger_cli.types import Floats

RATE = 16000  # Hz
_LIKELY = 0.2  # it proposes 0.5, for speech; held notes are less sure to it, and accompaniments alone stay below 0.2
_SILENCE = 0.3  # s that end a stretch


def require() -> None:
    """Raise MissingExtra unless the package is installed. Cheap: nothing is imported."""
    if find_spec("silero_vad") is None:
        raise MissingExtra("silero-vad, which finds the voice in a recording,", "corpus")


@lru_cache(maxsize=1)
def _model() -> Any:
    import torch

    threads = torch.get_num_threads()
    from silero_vad import load_silero_vad

    model = load_silero_vad(onnx=True)
    torch.set_num_threads(threads)  # to import the package sets them to one for everybody
    return model


def spans(samples: Floats, longest: float) -> list[tuple[float, float]]:
    """Start and end in seconds of the stretches with a voice in mono samples [n] at RATE, in order.

    A stretch of more than `longest` seconds is cut where a pause in it is likeliest.
    """
    import torch
    from silero_vad import get_speech_timestamps

    found = get_speech_timestamps(
        torch.from_numpy(samples),
        _model(),
        threshold=_LIKELY,
        sampling_rate=RATE,
        min_silence_duration_ms=round(1000 * _SILENCE),
        max_speech_duration_s=longest,
    )
    return [(span["start"] / RATE, span["end"] / RATE) for span in found]
