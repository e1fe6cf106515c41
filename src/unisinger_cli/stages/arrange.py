"""A tune made ready for a voice: its key, its octave and its tempo, and chords where it has none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from unisinger_cli.notation.keys import moved, tonic_and_mode
from unisinger_cli.stages.harmony import detect_key, harmonise
from unisinger_cli.types import Note, PlanLine, SongPlan, Tune

RANGE = (50.0, 72.0)  # MIDI: no melody is centred outside D3..C5, whatever the voice


def arranged(tune: Tune, *, bpm: float | None, key: str | None, centre_midi: float | None) -> Tune:
    """The tune at another tempo and in another key, where they are given (the tonic counts, not the mode), and in the
    octave that lies nearest to `centre_midi`; without one, only a tune that is centred outside RANGE moves."""
    own = tune.score.key or detect_key(tune.notes)
    shift = 0 if key is None else (tonic_and_mode(key)[0] - tonic_and_mode(own)[0] + 6) % 12 - 6
    middle = _middle(tune.notes) + shift
    goal = float(np.clip(middle, *RANGE)) if centre_midi is None else centre_midi
    shift += 12 * round((goal - middle) / 12) if abs(goal - middle) > 6 or centre_midi is not None else 0
    stretch = 1.0 if bpm is None else tune.score.bpm / bpm
    remarks = tune.remarks
    if shift:
        remarks += (f"the melody is moved by {shift:+d} semitones",)
    score = moved(replace(tune.score, key=own), shift, stretch)
    score = score if bpm is None else replace(score, bpm=bpm)  # to the last digit
    notes = tuple(Note(note.start * stretch, note.end * stretch, note.midi + shift) for note in tune.notes)
    return replace(tune, notes=notes, score=score, seconds=tune.seconds * stretch, remarks=remarks)


def plan_of(tune: Tune, lines: Sequence[PlanLine], language: str, tags: Sequence[str]) -> SongPlan:
    """The song of a tune and of the lines that were set to it; chords are found where the tune has none."""
    score = tune.score
    if not score.chords:
        score = harmonise(tune.notes, score.bpm, score.beats_per_bar, score.key or None, score.downbeat, tune.seconds)
    return SongPlan(tune.seconds, score, tuple(lines), language, tuple(tags))


def _middle(notes: Sequence[Note]) -> float:
    """Mean pitch, by time."""
    return float(np.average([note.midi for note in notes], weights=[note.end - note.start for note in notes]))
