"""Where the syllables of a line fall: the best of all ways to put them on a grid of half beats.

A grid slot is half a beat (a whole beat where that would be too fast to sing). Slot 0 is the downbeat of a line's
first bar; a line may begin up to one beat early, and leaves room for the next to do so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from unisinger_cli.types import Floats, Word

BEATS = 4  # in a bar
FASTEST = 0.2  # seconds a slot lasts at least: five syllables a second
_WEAK_VOWELS = frozenset("əɚɐ")
_WEAK_WORDS = frozenset(
    "a an the and or but of to in on at for from with as is are was be am it its it's i'm my your his her our their me "
    "him us you he she we they i that than if so der die das den dem ein eine und zu im ist het de een en van".split()
)
# Metrical weight of the half beats of a 4/4 bar (Lerdahl & Jackendoff, A Generative Theory of Tonal Music, 1983).
_METRE = (1.0, 0.1, 0.5, 0.15, 0.8, 0.1, 0.5, 0.2)
# What an interval of 1, 2, ... slots between syllables is worth: even half beats and beats make most of a melody.
_INTERVAL = (0.0, 0.25, 0.3, 0.1, 0.0, -0.8, -1.4)
_PER_BAR = 5.5  # syllables that a bar holds in comfort


@dataclass(frozen=True)
class Grid:
    """Slots of `seconds` each, `per_beat` (1 or 2) to a beat."""

    per_beat: int
    seconds: float

    @classmethod
    def at(cls, bpm: float) -> Grid:
        per_beat = 2 if 30 / bpm >= FASTEST else 1
        return cls(per_beat, 60 / bpm / per_beat)

    @property
    def bar(self) -> int:
        """Slots in a bar."""
        return BEATS * self.per_beat

    def weight(self, slot: int) -> float:
        """Metrical weight of a slot, 0..1; 1 is the downbeat."""
        return _METRE[slot * (2 // self.per_beat) % len(_METRE)]


def stresses(words: Sequence[Word]) -> list[bool]:
    """For every syllable of a line, whether it wants a strong beat: full vowels of words that carry meaning."""
    found: list[bool] = []
    for word in words:
        weak_word = word.text.lower() in _WEAK_WORDS
        for i, syllable in enumerate(word.syllables):
            weak = weak_word or not _WEAK_VOWELS.isdisjoint(syllable)
            found.append(not weak and (i == 0 or not found[-1]))
    return found


def bars_for(syllables: int, grid: Grid) -> int:
    """Bars that a line takes: one for a shout, two for most, and more for the long ones."""
    if syllables <= 2 + (grid.per_beat == 2):
        return 1
    comfortable = syllables / (_PER_BAR * grid.per_beat / 2)
    return 2 if comfortable <= 2 else 2 * int(np.ceil(comfortable / 2))


def place(stressed: Sequence[bool], bars: int, grid: Grid, taste: Floats) -> list[int]:
    """Slot of each syllable's start, ascending, from -1 beat to 3 beats before the end of the line's last bar.

    The path of highest worth: strong syllables on strong beats, weak ones short, common intervals, and the last on a
    strong beat late in the line. `taste`, float32 [slots of the line and one beat] or longer, is added to the worth of
    each slot, so that lines with the same taste share a rhythm. `bars` must hold the syllables (`bars_for`).
    """
    early = grid.per_beat
    latest = (BEATS * bars - 3) * grid.per_beat
    slots = np.arange(-early, latest + 1)
    n, size = len(stressed), len(slots)
    metre = np.array([grid.weight(int(slot)) for slot in slots])
    gaps = slots[:, None] - slots[None, :]  # [to, from]
    halves = gaps * 2 // grid.per_beat
    worth = np.take(_INTERVAL, np.clip(halves - 1, 0, len(_INTERVAL) - 1))
    worth = np.where(gaps > 0, worth - 0.5 * np.maximum(0, gaps - 6), -1e9)
    dragging = 0.4 * np.maximum(0, halves - 2)  # a weak syllable that is held
    best = np.where(slots <= grid.per_beat * 2, 0.0, -1.0 * slots)
    back = np.zeros((n, size), dtype=np.int64)
    for i in range(n):
        if i:
            total = best[None, :] + worth - (0 if stressed[i - 1] else dragging)
            back[i] = total.argmax(axis=1)
            best = total.max(axis=1)
        best = best + (metre if stressed[i] else 0.35 - 0.6 * metre) + taste[:size]
    best = best + metre - 0.12 * (latest - slots)
    at = int(best.argmax())
    found = [at]
    for i in range(n - 1, 0, -1):
        at = int(back[i, at])
        found.append(at)
    return [int(slots[at]) for at in reversed(found)]
