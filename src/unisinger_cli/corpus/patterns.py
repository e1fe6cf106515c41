"""Ways to play chords: each turns the chords and beats of a `Groove` into notes for one instrument."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

from unisinger_cli.notation.keys import QUALITIES
from unisinger_cli.types import Chord, Score

_CHORD_LOW, _BASS_LOW = 55, 33  # lowest MIDI notes of chords (G3) and of the bass (A1)
_STRUM = 0.012  # s from string to string
_KICK, _SNARE, _RIM, _HAT, _OPEN_HAT, _RIDE, _CRASH = 36, 38, 37, 42, 46, 51, 49  # General MIDI percussion


@dataclass(frozen=True)
class MidiNote:
    """Seconds, MIDI note number (a drum, in a drum part), velocity 1..127."""

    start: float
    end: float
    midi: int
    velocity: int


@dataclass(frozen=True)
class Slot:
    """A stretch of time with one chord: `beat` counts from the downbeat of its bar, in parts of a beat."""

    start: float
    end: float
    bar: int
    beat: float
    chord: Chord
    fresh: bool  # the chord begins here

    @property
    def strong(self) -> bool:
        return self.beat == 0


@dataclass(frozen=True)
class Groove:
    """What patterns play to. `division` is how many parts the song's beats have, 2 or 3."""

    score: Score
    seconds: float
    division: int = 2

    def slots(self, per_beat: int = 1) -> Iterator[Slot]:
        """Parts of beats in order, each with the chord at its start; parts without a chord are left out. A chord
        that comes in between begins a slot of its own."""
        chords = [chord for chord in self.score.chords if chord.end - chord.start > 0.05]
        length = 60 / self.score.bpm
        known, index = None, 0
        for bar, beat, start, end in self._grid(length / per_beat, per_beat):
            cuts = [start, *(c.start for c in chords if start + 0.05 < c.start < end - 0.05), end]
            for left, right in pairwise(cuts):
                while index < len(chords) - 1 and chords[index].end <= left + 0.05:
                    index += 1
                chord = chords[index] if chords else None
                if chord and chord.start - 0.05 <= left < chord.end:
                    yield Slot(left, right, bar, beat if left == start else beat + 1e-3, chord, chord is not known)
                    known = chord

    def _grid(self, step: float, per_beat: int) -> Iterator[tuple[int, float, float, float]]:
        start, count = self.score.downbeat, 0
        while start < self.seconds - 0.02:
            bar, part = divmod(count, self.score.beats_per_bar * per_beat)
            yield bar, part / per_beat, start, min(self.seconds, start + step)
            count += 1
            start = self.score.downbeat + count * step

    def beats(self, per_beat: int = 1) -> Iterator[tuple[int, float, float, float]]:
        """(bar, beat in the bar, start, end), whether there are chords or not: what drums follow."""
        return self._grid(60 / self.score.bpm / per_beat, per_beat)


def voicing(chord: Chord, low: int = _CHORD_LOW) -> list[int]:
    """The chord's notes in close position within an octave from `low`, ascending: neighbours move little."""
    return sorted(low + (chord.root + step - low) % 12 for step in QUALITIES[chord.quality])


def _low(pitch_class: int) -> int:
    return _BASS_LOW + (pitch_class - _BASS_LOW) % 12


def _fifth(chord: Chord) -> int:
    """The chord's fifth (or what stands in its place) under or over the bass."""
    return _low((chord.root + QUALITIES[chord.quality][2]) % 12)


# ---------------------------------------------------------------- chords
def block(groove: Groove, velocity: int) -> list[MidiNote]:
    """A chord on every beat, stronger on the first."""
    return [
        MidiNote(slot.start, slot.end - 0.02, midi, velocity + 8 * slot.strong)
        for slot in groove.slots()
        for midi in voicing(slot.chord)
    ]


def push(groove: Groove, velocity: int) -> list[MidiNote]:
    """Chords where they change, and short ones off the beat."""
    notes = []
    for slot in groove.slots(groove.division):
        late = slot.beat % 1 > 0.5 - 1e-6 and int(slot.beat) % 2 == 1
        if slot.fresh or slot.strong or late:
            length = (slot.end - slot.start) * (1.6 if slot.fresh or slot.strong else 0.8)
            end = min(slot.start + length, slot.chord.end)
            notes += [MidiNote(slot.start, end, midi, velocity) for midi in voicing(slot.chord)]
    return notes


def arpeggio(groove: Groove, velocity: int) -> list[MidiNote]:
    """One chord note after the other, up and down, each ringing on for a beat."""
    notes, step = [], 0
    for slot in groove.slots(groove.division):
        step = 0 if slot.fresh or slot.strong else step + 1
        tones = [*voicing(slot.chord), voicing(slot.chord)[0] + 12]
        order = [*tones, *tones[-2:0:-1]]
        end = min(slot.start + 60 / groove.score.bpm, slot.chord.end)
        notes.append(MidiNote(slot.start, end, order[step % len(order)], velocity + 6 * (step == 0)))
    return notes


def broken(groove: Groove, velocity: int) -> list[MidiNote]:
    """Lowest note on the beat, the others together after it."""
    notes = []
    for slot in groove.slots(groove.division):
        tones = voicing(slot.chord)
        played = tones[:1] if slot.beat % 1 < 1e-6 else tones[1:]
        notes += [MidiNote(slot.start, slot.end, midi, velocity - 6 * (len(played) > 1)) for midi in played]
    return notes


def strum(groove: Groove, velocity: int) -> list[MidiNote]:
    """Guitar strokes: down on the beat, up and softer between; strings one after the other."""
    notes = []
    for slot in groove.slots(groove.division):
        down = slot.beat % 1 < 1e-6
        strings = sorted([*voicing(slot.chord, 48), *voicing(slot.chord, 60)[:2]], reverse=not down)
        for count, midi in enumerate(strings if down else strings[:3]):
            start = slot.start + count * _STRUM
            level = velocity + 6 * slot.strong - 12 * (not down)
            if start < slot.end - 0.03:
                notes.append(MidiNote(start, slot.end, midi, level))
    return notes


def power(groove: Groove, velocity: int) -> list[MidiNote]:
    """Root and fifth, low, on every part of a beat (a distorted third is mud)."""
    notes = []
    for slot in groove.slots(groove.division):
        root = 40 + (slot.chord.root - 40) % 12
        fifth = root + QUALITIES[slot.chord.quality][2]
        notes += [MidiNote(slot.start, slot.end - 0.02, midi, velocity) for midi in (root, fifth, root + 12)]
    return notes


def pad(groove: Groove, velocity: int) -> list[MidiNote]:
    """The chord held for as long as it lasts."""
    return [
        MidiNote(max(slot.start, slot.chord.start), min(slot.chord.end, groove.seconds), midi, velocity)
        for slot in groove.slots()
        if slot.fresh
        for midi in voicing(slot.chord)
    ]


# ---------------------------------------------------------------- bass
def roots(groove: Groove, velocity: int) -> list[MidiNote]:
    """The chord's bass where it begins and on downbeats, its fifth in the middle of a long bar."""
    beats = groove.score.beats_per_bar
    length = 60 / groove.score.bpm
    notes = []
    for slot in groove.slots():
        middle = beats % 2 == 0 and beats > 2 and slot.beat == beats // 2
        if slot.fresh or slot.strong or middle:
            midi = _fifth(slot.chord) if middle and not slot.fresh else _low(slot.chord.bass)
            left = beats / 2 if beats % 2 == 0 and beats > 2 else beats
            end = min(slot.start + (left - slot.beat % left) * length, slot.chord.end)
            notes.append(MidiNote(slot.start, end - 0.02, midi, velocity))
    return notes


def pulse(groove: Groove, velocity: int) -> list[MidiNote]:
    """The chord's bass on every part of a beat."""
    return [
        MidiNote(slot.start, slot.end - 0.03, _low(slot.chord.bass), velocity + 6 * slot.strong)
        for slot in groove.slots(groove.division)
    ]


def walking(groove: Groove, velocity: int) -> list[MidiNote]:
    """A note a beat: the bass where the chord begins, then up and down its notes."""
    notes, step = [], 0
    for slot in groove.slots():
        step = 0 if slot.fresh else step + 1
        low = _low(slot.chord.bass)
        tones = [low, *(low + (midi - low) % 12 for midi in voicing(slot.chord) if (midi - low) % 12)]
        order = [*tones, *tones[-2:0:-1]]
        notes.append(MidiNote(slot.start, slot.end - 0.02, order[step % len(order)], velocity))
    return notes


# ---------------------------------------------------------------- drums
def _hit(start: float, drum: int, velocity: int) -> MidiNote:
    return MidiNote(start, start + 0.1, drum, velocity)


def _backbeat(groove: Groove, snare_beats: Callable[[int, int], bool], snare: int) -> list[MidiNote]:
    notes, metre = [], groove.score.beats_per_bar
    for bar, beat, start, _ in groove.beats(groove.division):
        notes.append(_hit(start, _HAT, 62 if beat % 1 < 1e-6 else 46))
        if beat == 0 or (metre % 2 == 0 and metre > 2 and beat == metre // 2 and not snare_beats(int(beat), metre)):
            notes.append(_hit(start, _KICK, 96))
        if beat % 1 < 1e-6 and snare_beats(int(beat), metre):
            notes.append(_hit(start, snare, 90))
        if beat == 0 and bar % 8 == 0:
            notes.append(_hit(start, _CRASH, 70))
    return notes


def backbeat(groove: Groove) -> list[MidiNote]:
    """Kick on strong beats, snare on weak ones, hi-hat on all parts."""
    return _backbeat(groove, lambda beat, metre: beat % 2 == 1 if metre % 2 == 0 else beat > 0, _SNARE)


def half_time(groove: Groove) -> list[MidiNote]:
    """The snare only in the middle of the bar."""
    return _backbeat(groove, lambda beat, metre: beat == max(1, metre // 2), _RIM)


def four_on_the_floor(groove: Groove) -> list[MidiNote]:
    """Kick on every beat, open hi-hat between, clap-like snare on weak beats."""
    notes = []
    for _, beat, start, _ in groove.beats(groove.division):
        whole = beat % 1 < 1e-6
        notes.append(_hit(start, _KICK, 100) if whole else _hit(start, _OPEN_HAT, 58))
        if whole and int(beat) % 2 == 1:
            notes.append(_hit(start, 39, 80))
    return notes


def ride(groove: Groove) -> list[MidiNote]:
    """Swung ride cymbal, pedal hi-hat on weak beats."""
    notes = []
    for _, beat, start, end in groove.beats():
        notes.append(_hit(start, _RIDE, 66))
        if int(beat) % 2 == 1:
            notes += [_hit(start, 44, 60), _hit(start + (end - start) * 2 / 3, _RIDE, 50)]
    return notes


Pattern: TypeAlias = Callable[[Groove, int], list[MidiNote]]
PATTERNS: dict[str, Pattern] = {
    "block": block, "push": push, "arpeggio": arpeggio, "broken": broken, "strum": strum, "power": power,
    "pad": pad, "roots": roots, "pulse": pulse, "walking": walking,
}  # fmt: skip
DRUM_PATTERNS: dict[str, Callable[[Groove], list[MidiNote]]] = {
    "backbeat": backbeat,
    "half time": half_time,
    "four on the floor": four_on_the_floor,
    "ride": ride,
}
