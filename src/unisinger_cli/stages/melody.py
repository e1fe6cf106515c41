"""Which pitch each syllable gets: the best path over the steps of the scale, given rhythm and chords."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from unisinger_cli.notation.keys import QUALITIES, tonic_and_mode
from unisinger_cli.stages.harmony import SCALES
from unisinger_cli.types import Chord, Floats

REACH = 8  # semitones to either side of the centre that a melody may use: about a tenth in all
# What a move by 0, 1, 2, ... steps of the scale is worth. Most are unisons and seconds, leaps beyond a fifth are rare
# (Huron, Sweet Anticipation, 2006, ch. 5; Vos & Troost, "Ascending and descending melodic intervals", 1989).
_MOVE = np.array([-0.25, 0.2, -0.35, -0.9, -1.3, -2.2, -3.2, -2.6, -6.0])


@dataclass(frozen=True)
class Slot:
    """A note still without pitch: what sounds below it, how strong its beat is (0..1), how long it lasts (beats)."""

    chord: Chord
    weight: float
    beats: float


def steps_of(key: str, centre: float) -> list[int]:
    """MIDI notes of the key's scale within REACH of `centre`, ascending."""
    tonic, mode = tonic_and_mode(key)
    low, high = int(np.ceil(centre - REACH)), int(np.floor(centre + REACH))
    return [midi for midi in range(low, high + 1) if (midi - tonic) % 12 in SCALES[mode]]


def _fits(midi: int, slot: Slot) -> float:
    """Worth of a pitch over its chord: the more a note is heard, the more it should belong to the chord."""
    tones = [(slot.chord.root + step) % 12 for step in QUALITIES[slot.chord.quality]]
    heard = slot.weight + 0.5 * min(slot.beats, 2.0)
    if midi % 12 in tones:
        return 0.8 * heard
    rubs = any((midi - tone) % 12 in (1, 11) for tone in tones)  # a semitone from a chord note
    return -(1.2 if rubs else 0.7) * heard


def sing(
    slots: Sequence[Slot],
    steps: Sequence[int],
    height: Floats,
    taste: Floats,
    before: int | None,
    goal: int | None,
) -> list[int]:
    """MIDI note of each slot, one of `steps`.

    Args:
        height: where the line would like to lie, float32 [slots], in steps of the scale above the lowest.
        taste: added to the worth of each pitch, float32 [slots, steps]; lines with the same taste share a motif.
        before: the note that was sung last, or None.
        goal: pitch class on which the line must end, or None for any note of its last chord.
    """
    count = len(steps)
    positions = np.arange(count)
    moves = _MOVE[np.minimum(np.abs(positions[:, None] - positions[None, :]), len(_MOVE) - 1)]  # [to, from]
    fit = np.array([[_fits(midi, slot) for midi in steps] for slot in slots])
    fit += taste - 0.1 * (positions[None, :] - height[:, None]) ** 2
    last = slots[-1].chord
    ends = {goal} if goal is not None else {(last.root + step) % 12 for step in QUALITIES[last.quality]}
    fit[-1] += [0.0 if midi % 12 in ends else -50.0 for midi in steps]
    best = fit[0].copy()
    if before is not None:
        best += 0.5 * moves[:, int(np.argmin(np.abs(np.array(steps) - before)))]
    back = np.zeros((len(slots), count), dtype=np.int64)
    for i in range(1, len(slots)):
        total = best[None, :] + moves
        back[i] = total.argmax(axis=1)
        best = total.max(axis=1) + fit[i]
    path = [int(best.argmax())]
    for i in range(len(slots) - 1, 0, -1):
        path.append(int(back[i, path[-1]]))
    return [steps[at] for at in reversed(path)]
