"""From written positions to seconds: one tempo, beats and bars, and a tune out of what a file has."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from fractions import Fraction
from typing import TypeAlias

from unisinger_cli.errors import InputError
from unisinger_cli.notation.voice import one_voice
from unisinger_cli.types import Chord, Note, Score, Tune

Position: TypeAlias = int | Fraction
MOST_NOTES = 4000
LONGEST = 600.0  # s
_SLOWEST, _FASTEST = 40.0, 240.0  # beats a minute


def beat_of(beats: int, unit: int) -> Fraction:
    """Length of a beat in quarter notes: three units in compound metres such as 6/8, else one."""
    return Fraction(4, unit) * (3 if beats % 3 == 0 and beats > 3 else 1)


def _mean_tempo(tempos: Sequence[tuple[Position, float]], first: Position, last: Position) -> tuple[float, set[float]]:
    """Quarter notes a minute between two positions: as long as they last, over the seconds they take; and all tempos
    that are heard there."""
    marks = sorted(tempos, key=lambda mark: mark[0])
    edges = [*(mark[0] for mark in marks[1:]), max(last, *(mark[0] for mark in marks)) + 1]
    spans = [
        (float(min(end, last) - max(start if i else min(first, start), first)), bpm)
        for i, ((start, bpm), end) in enumerate(zip(marks, edges, strict=True))
    ]
    heard = [(length, bpm) for length, bpm in spans if length > 0]
    minutes = sum(length / bpm for length, bpm in heard)
    known = {bpm for _, bpm in heard}
    return (min(known) if len(known) == 1 else sum(length for length, _ in heard) / minutes), known


def tune_of(
    written: Sequence[tuple[Position, Position, int, str | None]],
    *,
    unit: int,
    tempos: Sequence[tuple[Position, float]],
    beat: Fraction,
    bar: Fraction | float,
    downbeat: Position,
    key: str,
    end: Position,
    file: str,
    lines: Collection[Position] = (),
    chords: Sequence[tuple[Position, Position, int, str, int]] = (),
    remarks: Sequence[str] = (),
) -> Tune:
    """The top line of notes (start, end, MIDI, syllable), in seconds at one tempo: the mean where it changes.

    Args:
        unit: how many of a position make a quarter note.
        tempos: (position, quarter notes a minute); none means 120.
        beat, bar: in quarter notes.
        downbeat: the position of one.
        end: of the file; the tune ends there, or two bars after its last note.
        lines: positions at which lines begin.
        chords: (start, end, root, quality, bass).

    Raises InputError for more than MOST_NOTES notes, more than LONGEST seconds, and where no note can be sung.
    """
    if not written:
        raise InputError(f"{file} has no note to sing", "give a file with a melody")
    first, last = min(note[0] for note in written), max(note[1] for note in written)
    quarters, heard = _mean_tempo(tempos or [(0, 120.0)], first, last)
    remarks = list(remarks)
    if max(heard) > 1.02 * min(heard):
        remarks.append(f"the tempo changes ({min(heard):.0f} to {max(heard):.0f}); the song keeps {quarters:.1f}")
    pace = 60 / quarters / unit

    def seconds(position: Position) -> float:
        return float(position) * pace

    if seconds(last) > LONGEST:
        raise InputError(f"{file} lasts {seconds(last):.0f} s, and at most {LONGEST:g} s can be sung", "give a part")
    line = one_voice([(Note(seconds(a), seconds(b), float(midi)), text) for a, b, midi, text in written])
    if not line:
        raise InputError(f"{file} has no note that is long enough to be sung", "check its tempo")
    if len(line) > MOST_NOTES:
        raise InputError(f"{file} has {len(line)} notes, and a song may have {MOST_NOTES}", "give a part of it")
    if len(line) < len(written):
        remarks.append(f"{len(written) - len(line)} of {len(written)} notes lie under others or are too short to sing")
    bpm, beats = quarters / float(beat), max(1, round(float(bar) / float(beat)))
    while bpm > _FASTEST:
        bpm, beats = bpm / 2, max(1, beats // 2)
    while bpm < _SLOWEST:
        bpm, beats = bpm * 2, beats * 2
    bar_seconds = 60 / bpm * (beats := min(beats, 16))
    over = line[-1][0].end
    whole = min(LONGEST, max(over + 0.5 * bar_seconds / beats, min(seconds(end), over + 2 * bar_seconds)))
    anew = {seconds(position) for position in lines}
    named = tuple(
        Chord(seconds(a), min(whole, seconds(b)), root, quality, bass)
        for a, b, root, quality, bass in chords
        if seconds(a) < min(whole, seconds(b))
    )
    return Tune(
        notes=tuple(note for note, _ in line),
        syllables=tuple(text for _, text in line),
        score=Score(round(bpm, 3), beats, key, named, seconds(downbeat) % bar_seconds),
        seconds=whole,
        lines=tuple(i for i, (note, _) in enumerate(line) if note.start in anew),
        remarks=tuple(remarks),
    )
