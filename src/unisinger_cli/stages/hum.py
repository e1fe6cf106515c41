"""A tune out of a hummed or sung recording: its pitch, cut into notes, laid lightly on a beat."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from unisinger_cli.errors import InputError
from unisinger_cli.stages.harmony import notes_of, score_from_pitch
from unisinger_cli.stages.pitch import track
from unisinger_cli.types import Audio, Floats, Note, Score, Tune

_RATE = 100.0  # frames a second: of the tracker alone, no network sees them
_DIP_DB = 7.0  # by which a note's level sinks between two syllables ("da da")
_SHORTEST = 0.1  # s
_SNAP = 0.06  # s by which the start of a note may move to meet a quarter of a beat
_TIED = 0.08  # s; a shorter gap between notes is sung through


def hummed(recording: Audio, name: str) -> Tune:
    """The notes of a lone voice, in semitones of its own tuning, with a guess of tempo, metre (4/4) and downbeat.

    The voice's tuning is the circular mean of how far its notes are from the tempered scale. Raises InputError where no
    note can be told.
    """
    pitch = track(recording, _RATE)
    level = _level(recording.mono(), recording.rate, len(pitch.hz))
    notes = [part for note in notes_of(pitch) for part in _struck_again(note, level)]
    if len(notes) < 2:
        raise InputError(f"{name} has {len(notes)} notes that can be told", "hum the melody clearly, on 'da' or 'na'")
    guess = score_from_pitch(pitch)
    off = np.array([note.midi for note in notes])
    lengths = np.array([note.end - note.start for note in notes])
    tuning = float(np.angle((lengths * np.exp(2j * np.pi * off)).sum()) / (2 * np.pi))
    notes = [replace(note, midi=float(round(note.midi - tuning))) for note in notes]
    score = Score(guess.bpm, 4, "", (), guess.downbeat)
    laid = _laid(notes, score)
    remark = (
        f"heard {len(laid)} notes at {score.bpm:.0f} beats a minute, tuned {100 * tuning:+.0f} cents from A = 440 Hz"
    )
    seconds = min(600.0, laid[-1].end + 4 * 60 / score.bpm)
    return Tune(tuple(laid), (None,) * len(laid), score, seconds, remarks=(remark,))


def _level(mono: Floats, rate: int, frames: int) -> NDArray[np.float64]:
    """Level of each frame in dB, over 30 ms."""
    power = np.concatenate([[0.0], np.cumsum(mono.astype(np.float64) ** 2)])
    centres = (np.arange(frames) + 0.5) / _RATE
    first = np.clip(((centres - 0.015) * rate).astype(int), 0, len(mono) - 1)
    last = np.clip(((centres + 0.015) * rate).astype(int), first + 1, len(mono))
    mean = (power[last] - power[first]) / (last - first)
    decibels: NDArray[np.float64] = 10 * np.log10(np.maximum(mean, 1e-12))
    return decibels


def _struck_again(note: Note, level: NDArray[np.float64]) -> list[Note]:
    """The note in the parts between which the level sinks and rises again."""
    first, last = round(note.start * _RATE), round(note.end * _RATE)
    inside = level[first:last]
    least = round(_SHORTEST * _RATE)
    parts: list[Note] = []
    begin = 0
    for at in range(least, len(inside) - least):
        lowest = inside[at] == inside[max(begin, at - least) : at + least + 1].min()
        rise = min(inside[begin:at].max(), inside[at + 1 :].max()) - inside[at]
        if lowest and rise > _DIP_DB and at - begin >= least:
            parts.append(Note((first + begin) / _RATE, (first + at) / _RATE, note.midi))
            begin = at
    return [*parts, Note((first + begin) / _RATE, note.end, note.midi)]


def _laid(notes: list[Note], score: Score) -> list[Note]:
    """Starts on the quarter beats that are near; notes that nearly touch do."""
    quarter = 15 / score.bpm
    starts = []
    for note in notes:
        near = score.downbeat + round((note.start - score.downbeat) / quarter) * quarter
        starts.append(near if abs(near - note.start) <= _SNAP and near >= 0 else note.start)
    laid: list[Note] = []
    for i, (note, start) in enumerate(zip(notes, starts, strict=True)):
        following = starts[i + 1] if i + 1 < len(notes) else float("inf")
        end = following if notes[i + 1 : i + 2] and notes[i + 1].start - note.end < _TIED else min(note.end, following)
        if end - start >= _SHORTEST / 2:
            laid.append(Note(start, end, note.midi))
    return laid
