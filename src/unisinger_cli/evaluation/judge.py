"""An independent judge of who is heard: resemblyzer, a speaker encoder that had no part in our training."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from unisinger_cli.audio import mono_at
from unisinger_cli.errors import MissingExtra
from unisinger_cli.types import Audio, Floats


class Judge:
    """Speaker vectors by generalised end-to-end loss (Wan et al., "Generalized end-to-end loss for speaker
    verification", ICASSP 2018); their dot product is the similarity.

    Raises MissingExtra where resemblyzer, or something that it needs, is not installed.
    """

    def __init__(self) -> None:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of the packages that it imports
                import resemblyzer
        except ImportError as error:
            raise MissingExtra(error.name or "resemblyzer", "eval") from error
        self._package: Any = resemblyzer
        self._encoder: Any = resemblyzer.VoiceEncoder("cpu", verbose=False)

    def embed(self, audio: Audio) -> Floats:
        """Unit vector float32 [256] of a voice, long pauses taken out."""
        mono = mono_at(audio, 16000)
        peak = float(np.abs(mono).max(initial=0.0))
        if peak == 0:
            return np.zeros(256, dtype=np.float32)  # silence is like nobody
        sound = self._package.preprocess_wav(mono)
        if len(sound) < 8000:  # the voice detector takes noise, and some singing, for a pause
            sound = mono
        found: Floats = np.nan_to_num(np.asarray(self._encoder.embed_utterance(sound), dtype=np.float32))
        return found
