"""How well words are understood: phoneme error rates, by the judge of words.

The judge (`model.phoneme_recogniser`, trained by `unisinger train judge`) has another architecture, other features,
another loss and another seed than the content encoder, and no loss ever saw it. Its own errors on real recordings are
the floor that every rate stands beside.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from unisinger_cli.audio import mono_at
from unisinger_cli.errors import ModelError
from unisinger_cli.stages.align import edits
from unisinger_cli.types import Audio, SongPlan

_UNSAID = ("_", "^")
_LONGEST = 30.0  # seconds that are heard at once; it was trained on less


class Words:
    """The judge, loaded once. Raises ModelError where the file is no judge, or is damaged."""

    def __init__(self, path: Path) -> None:
        from unisinger_cli.model.phoneme_recogniser import load_recogniser

        try:
            self._network, self.about = load_recogniser(path)
        except (ValueError, OSError) as error:
            raise ModelError(f"{path}: {error}", "unisinger train judge makes such a file") from error

    def heard(self, audio: Audio) -> list[str]:
        """The phonemes of a voice alone, in order; stretches of at most half a minute, cut where it is quietest."""
        import torch

        rate = self._network.config.rate
        found: list[str] = []
        for piece in _pieces(mono_at(audio, rate), rate):
            with torch.inference_mode():
                found += self._network.read(self._network(torch.from_numpy(piece)[None])[0])
        return found

    def rate(self, audio: Audio, said: Sequence[str]) -> float | None:
        """Errors over phonemes that were to be said, without pauses and breaths; None where there are none."""
        wanted = spoken(said)
        return edits(self.heard(audio), wanted) / len(wanted) if wanted else None


def spoken(symbols: Iterable[str]) -> list[str]:
    """Phonemes that can be heard."""
    return [symbol for symbol in symbols if symbol not in _UNSAID]


def planned(plan: SongPlan) -> list[str]:
    """The phonemes of a plan, in order."""
    return spoken(s for line in plan.lines for syllable in line.syllables for s in syllable.phonemes)


def _pieces(samples: np.ndarray, rate: int) -> list[np.ndarray]:
    most, pieces = round(_LONGEST * rate), []
    while len(samples) > most:
        frame = rate // 20
        late = samples[most // 2 : most]
        power = np.square(late[: len(late) // frame * frame].reshape(-1, frame)).mean(1)
        cut = most // 2 + int(power.argmin()) * frame + frame // 2
        pieces.append(samples[:cut])
        samples = samples[cut:]
    return [np.ascontiguousarray(piece) for piece in [*pieces, samples] if len(piece) >= rate // 10]
