"""What a recogniser understands: phonemes by PocketSphinx, whose English model comes with its package (BSD).

A modest recogniser, of clean read speech at 16 kHz. As it had no part in anything here, the *ratio* of its errors on
two kinds of sound tells something, and their size does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from unisinger_cli.audio import mono_at
from unisinger_cli.errors import MissingExtra
from unisinger_cli.types import Audio

_RATE = 16000
_IPA = dict(
    pair.split(":")
    for pair in (
        "AA:ɑ AE:æ AH:ə AO:ɑ AW:aʊ AY:aɪ B:b CH:tʃ D:d DH:ð EH:ɛ ER:ə EY:eɪ F:f G:ɡ HH:h IH:ɪ IY:i JH:dʒ K:k L:l M:m "
        "N:n NG:ŋ OW:oʊ OY:ɑɪ P:p R:ɹ S:s SH:ʃ T:t TH:θ UH:ʊ UW:u V:v W:w Y:j Z:z ZH:ʒ"
    ).split()
)
_ALIKE = str.maketrans({"ɔ": "ɑ", "ʌ": "ə", "ɚ": "ə", "ɐ": "ə", "ɾ": "t", "ɡ": "g"})  # not told apart in ARPAbet


class Recogniser:
    """English phonemes of a voice. Raises MissingExtra where pocketsphinx is not installed."""

    def __init__(self) -> None:
        try:
            from pocketsphinx import Decoder, get_model_path
        except ImportError as error:
            raise MissingExtra(error.name or "pocketsphinx", "eval") from error
        self._decoder: Any = Decoder(
            hmm=get_model_path("en-us/en-us"),
            allphone=get_model_path("en-us/en-us-phone.lm.bin"),
            lm=None,
            dict=None,
            lw=2.0,
            beam=1e-20,
            pbeam=1e-20,
            samprate=_RATE,
            logfn="/dev/null",
        )

    def phonemes(self, audio: Audio) -> list[str]:
        """The phonemes heard, one IPA symbol each."""
        mono = mono_at(audio, _RATE)
        peak = float(np.abs(mono).max(initial=0.0))
        if peak == 0:
            return []
        self._decoder.start_utt()
        self._decoder.process_raw((mono / peak * 20000).astype(np.int16).tobytes(), full_utt=True)
        self._decoder.end_utt()
        heard = "".join(_IPA.get(part.word, "") for part in self._decoder.seg())
        return list(heard.translate(_ALIKE))


def plain(symbols: Sequence[str]) -> list[str]:
    """Phonemes of ours as the recogniser can tell them apart, without pauses and breaths."""
    return list("".join(s for s in symbols if s not in ("_", "^")).translate(_ALIKE))
