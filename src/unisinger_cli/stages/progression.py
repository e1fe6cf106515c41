"""The chords of a section: a loop of four bars, drawn from what was learned of progressions."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from unisinger_cli.model.composer import NO_CHORD, QUALITIES, REPERTOIRES, Composer
from unisinger_cli.notation.keys import QUALITIES as TONES
from unisinger_cli.notation.keys import tonic_and_mode
from unisinger_cli.stages.harmony import SCALES
from unisinger_cli.types import Ints

HALVES = 8  # half bars of a loop
Loop: TypeAlias = tuple[tuple[int, str], ...]  # root as a pitch class, and quality, of each half bar
_SHARP = 1.3  # exponent of what was learned: what is usual becomes more so
_RAREST = 0.02  # probability; chords below it are not drawn
_DRAWN = 64  # loops, of which one is kept
_FEW = 3  # different chords that a loop has at least, where one can be found


def progression(
    key: str, tags: Sequence[str], taken: Collection[Loop], composer: Composer, rng: np.random.Generator
) -> Loop:
    """A loop that is none of `taken`: "classical" in the tags asks for the harmony of the Lieder, else it is pop's.

    Many loops are drawn chord by chord, and one of them is kept, by how gladly it begins again after its end (sampling
    and importance resampling: Rubin, in Bayesian Statistics 3, 1988). A chord may have one note outside of the scale.
    """
    tonic, mode = tonic_and_mode(key)
    repertoire = REPERTOIRES.index("lied" if "classical" in tags else "pop")
    allowed = np.array([_outside(root, quality, mode) <= 1 for root in range(12) for quality in QUALITIES])

    def learned(half: int, before: Ints, earlier: Ints) -> NDArray[np.float64]:
        """Probabilities of the chord of a half bar in each loop, [loops, chords]."""
        told = [np.full(len(before), value) for value in (mode == "min", repertoire, half)]
        found = np.exp(composer.log_probabilities("chord", np.stack([*told, before, earlier], -1).astype(np.int64)))
        # Where nothing usual is allowed, what is likeliest of the allowed is.
        found = np.where(allowed, found, 0.0)
        usual = np.where(found >= min(_RAREST, float(found.max(-1).min())), found, 0.0) ** _SHARP
        shares: NDArray[np.float64] = usual / usual.sum(-1, keepdims=True)
        return shares

    loops = np.full((_DRAWN, HALVES + 2), NO_CHORD)  # two chords before the loop, which are none
    for half in range(HALVES):
        chances = learned(half, loops[:, half + 1], loops[:, half]).cumsum(-1)
        lots = rng.random((_DRAWN, 1)) * chances[:, -1:]
        loops[:, half + 2] = np.minimum((chances <= lots).sum(-1), NO_CHORD - 1)
    loops = loops[:, 2:]
    closing = learned(0, loops[:, -1], loops[:, -2])[np.arange(_DRAWN), loops[:, 0]] + 1e-9
    named = [
        tuple(((tonic + c // len(QUALITIES)) % 12, QUALITIES[c % len(QUALITIES)]) for c in loop)
        for loop in loops.tolist()
    ]
    fresh = np.array([loop not in taken and len(set(loop)) >= _FEW for loop in named])
    weights = closing * np.where(fresh, 1.0, 1e-6)
    return named[int(rng.choice(_DRAWN, p=weights / weights.sum()))]


def _outside(root: int, quality: str, mode: str) -> int:
    """Notes of a chord, its root above the tonic, that are not of the scale; its root counts twice."""
    tones = [(root + step) % 12 not in SCALES[mode] for step in TONES[quality]]
    return sum(tones) + tones[0]
