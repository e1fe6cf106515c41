"""Which pitch each syllable gets: drawn from the learned steps of the scale, given rhythm and chords."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from unisinger_cli.model.composer import NO_STEP, OCTAVE, Composer
from unisinger_cli.notation.keys import QUALITIES, tonic_and_mode
from unisinger_cli.stages.harmony import SCALES
from unisinger_cli.stages.rhythm import draw, log_sum, sung, to_come
from unisinger_cli.types import Chord, Floats, Ints

REACH = 8  # semitones to either side of the centre that a melody may use: about a tenth in all
_SHARP = 1.1  # exponent of what was learned: what is usual becomes more so
# What a note foreign to its chord costs by its metrical strength, and for each category of its length: passing notes
# are left to what was learned, and where the ear waits for the chord there is one of its notes.
_FOREIGN = np.array([0.0, 0.0, 0.2, 1.5, 3.0])
_FOREIGN_LONG = np.array([0.0, 0.0, 0.2, 2.5, 4.0])
_RUB = 1.0  # what it costs beside that, a semitone from a note of the chord
# What a move by so many steps costs, as a voice has to find a leap; and a note that comes a third time.
_MOVE = np.array([0.0, 0.0, 0.4, 0.6, 0.6, 1.0, 2.5, 2.0])
_STILL = 0.6
_DEGREES = {"maj": (0, 0, 1, 2, 2, 3, 3, 4, 5, 5, 6, 6), "min": (0, 1, 1, 2, 2, 3, 3, 4, 5, 5, 6, 6)}


@dataclass(frozen=True)
class Slot:
    """A note still without pitch: what sounds below it, how strong its beat is (`rhythm.strength`), how long it lasts
    until the next (beats)."""

    chord: Chord
    strength: int
    beats: float


def steps_of(key: str, centre: float) -> list[int]:
    """MIDI notes of the key's scale within REACH of `centre`, ascending."""
    tonic, mode = tonic_and_mode(key)
    low, high = int(np.ceil(centre - REACH)), int(np.floor(centre + REACH))
    return [midi for midi in range(low, high + 1) if (midi - tonic) % 12 in SCALES[mode]]


def degree_of(pitch: int, key: str) -> int:
    """Steps of the scale from the tonic up to a pitch (MIDI or pitch class), 7 an octave; a chromatic pitch is the
    degree that it most often alters, such as the leading note in minor."""
    tonic, mode = tonic_and_mode(key)
    return 7 * ((pitch - tonic) // 12) + _DEGREES[mode][(pitch - tonic) % 12]


def length_class(beats: float) -> int:
    """Category of a length: under half a beat, half, one, two, and more (with dotted ones by the nearest)."""
    return int(np.searchsorted([0.4, 0.8, 1.6, 2.6], beats))


def step_context(
    number: int,
    count: int,
    minor: bool,
    strong: int,
    beats: float,
    beats_before: float,
    root: int,
    degree: int | Ints,
    before: int | Ints,
    height: int | Ints,
) -> Ints:
    """What the step to note `number` of a line of `count` is chosen by, int64 [..., f]; see `model.composer.FEATURES`.

    Args:
        strong, beats: metrical strength and length of the note that is sought; `beats_before`, of the one before it.
        root: degree of the root of the chord that sounds below it.
        degree, before, height: int64 [...], of the note before it: its degree (any octave), the step that led to it
            (None of them: NO_STEP - OCTAVE), and how many steps it lies above the middle of the song's melody.
    """
    degree, before, height = np.broadcast_arrays(degree, before, height)
    none = before == NO_STEP - OCTAVE
    step = np.where(none, NO_STEP, np.clip(before, -OCTAVE, OCTAVE) + OCTAVE)
    told = [np.full(degree.shape, value) for value in (strong, length_class(beats), length_class(beats_before))]
    place = [np.full(degree.shape, value) for value in (sung(number), to_come(number, count))]
    mode = np.full(degree.shape, int(minor))
    about = np.clip(height, -7, 7) + 7
    return np.stack([mode, degree % 7, (root - degree) % 7, step, *told, *place, about], -1).astype(np.int64)


def altered(midi: int, chord: Chord, key: str) -> int:
    """A note of the scale as the chord has it: raised or lowered where the chord has that form of the same degree
    instead, such as the leading note over the dominant in minor."""
    tones = {(chord.root + step) % 12 for step in QUALITIES[chord.quality]}
    forms = [midi + by for by in (0, 1, -1) if degree_of(midi + by, key) == degree_of(midi, key)]
    return next((form for form in forms if form % 12 in tones), midi)


def sing(
    slots: Sequence[Slot],
    steps: Sequence[int],
    key: str,
    middle: float,
    composer: Composer,
    lots: Floats,
    before: tuple[int, int] | None,
    goal: int | None,
) -> list[int]:
    """Index into `steps` for each slot.

    Drawn from all melodies that end as they must, by filtering backwards and sampling forwards (see `rhythm.place`).

    Args:
        middle: where the line would like to lie, in steps of the scale above the lowest.
        lots: what each note is drawn with, float32 [slots], 0..1; lines with the same lots share a motif.
        before: indices of the last two notes that were sung, or None at the beginning of a section.
        goal: pitch class on which the line must end, or None for any note of its last chord.
    """
    size = len(steps)
    at = np.arange(size)
    minor = tonic_and_mode(key)[1] == "min"
    degrees = np.array([degree_of(midi, key) for midi in steps])
    leap = np.abs(at[None, :] - at[:, None])  # [from, to]
    fit = np.stack([_fit(slot, steps, key) for slot in slots])
    last = slots[-1].chord
    ends = {goal} if goal is not None else {(last.root + step) % 12 for step in QUALITIES[last.quality]}
    fit[-1] += [0.0 if midi % 12 in ends else -60.0 for midi in steps]

    def learned(number: int, unled: bool) -> Floats:
        """Worth of each note given the two before it, [earlier, before, note]; `unled`: there is but one before."""
        slot = slots[number]
        context = step_context(
            number,
            len(slots),
            minor,
            slot.strength,
            slot.beats,
            slots[number - 1].beats if number else 4.0,
            degree_of(slot.chord.root, key),
            degrees[None, :],
            np.full((size, size), NO_STEP - OCTAVE) if unled else at[None, :] - at[:, None],
            np.round(at - middle).astype(np.int64)[None, :],
        )
        table = _SHARP * composer.log_probabilities("step", context)  # [earlier, before, steps]
        to = np.clip(at[None, :] - at[:, None] + OCTAVE, 0, 2 * OCTAVE)  # [before, note] -> class
        found = np.take_along_axis(table, np.broadcast_to(to, (size, size, size)), -1)
        still = _STILL * np.eye(size)[:, :, None] * np.eye(size)[None]
        cost = np.where(leap > OCTAVE, 60.0, _MOVE[np.minimum(leap, OCTAVE)]) + still
        return (found - cost).astype(np.float32)

    future = np.broadcast_to(fit[-1], (size, size))  # [before, note]
    worth: list[Floats] = []
    for i in range(len(slots) - 1, 0, -1):
        worth.append(learned(i, unled=i == 1 and before is None) + future[None])  # [earlier, before, note]
        future = log_sum(worth[-1]) + fit[i - 1]
    worth.reverse()

    if before is None:
        first = future[0] - 0.5 * ((at - middle) / 1.5) ** 2
        found = [draw(first, float(lots[0]))]
        earlier = found[0]
    else:
        earlier, previous = before
        found = [draw(learned(0, unled=False)[earlier, previous] + future[previous], float(lots[0]))]
        earlier = previous
    for total, lot in zip(worth, lots[1:], strict=True):
        previous = found[-1]
        found.append(draw(total[earlier, previous], float(lot)))
        earlier = previous
    return found


def _fit(slot: Slot, steps: Sequence[int], key: str) -> Floats:
    """Worth of each pitch over its chord, [steps]: the more a note is heard, the more it should belong to the chord."""
    tones = [(slot.chord.root + step) % 12 for step in QUALITIES[slot.chord.quality]]
    cost = max(_FOREIGN[slot.strength], _FOREIGN_LONG[length_class(slot.beats)])
    worth = np.zeros(len(steps), dtype=np.float32)
    for i, midi in enumerate(steps):
        pitch = altered(midi, slot.chord, key) % 12
        if pitch not in tones:
            rubs = any((pitch - tone) % 12 in (1, 11) for tone in tones)
            worth[i] = -cost * (1 + rubs * _RUB / 2)
    return worth
