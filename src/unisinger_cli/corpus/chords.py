"""Chords of a written score: templates on every beat, and a Viterbi path that prefers to change on strong
beats (the classic recogniser of Fujishima 1999 and Sheh & Ellis 2003, with notes in place of a spectrum)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unisinger_cli.corpus.song import Bar
from unisinger_cli.notation.keys import QUALITIES
from unisinger_cli.types import Chord

# What a chord costs before a note is heard: rare ones need more evidence, and four notes explain more.
_COST = {"maj": 0.0, "min": 0.0, "7": 0.12, "min7": 0.18, "maj7": 0.2, "dim": 0.1, "aug": 0.25, "sus4": 0.25}
_OTHER_COST = 0.3
_CHANGE = (0.25, 0.45, 0.9)  # cost of a change on a downbeat, in the middle of a bar, on another beat
_BASS_ROOT, _BASS_TONE = 0.35, 0.1  # what a bass on the root, or on another note of the chord, adds
_ABSENT = 0.4  # what a chord loses for the share of its notes that are not heard


@dataclass(frozen=True)
class Sounding:
    """A note as evidence of a chord; `weight` is 1 for the accompaniment, less for a melody that passes."""

    start: float
    end: float
    midi: int
    weight: float = 1.0


def estimate(notes: Sequence[Sounding], bars: Sequence[Bar]) -> tuple[Chord, ...]:
    """Chords from the first beat to the end of the last bar, without gaps; none where there are no notes."""
    if not notes or not bars:
        return ()
    beats = [beat for bar in bars for beat in bar.beats]
    edges = [*beats, bars[-1].end]
    heard, lowest = _histogram(notes, edges)
    roots, names = _states()
    scores = _evidence(heard, lowest)
    costs = [_CHANGE[_strength(index, len(bar.beats))] for bar in bars for index in range(len(bar.beats))]
    path = _viterbi(scores, costs)
    chords: list[Chord] = []
    for index, state in enumerate(path):
        root, quality = roots[state], names[state]
        last = chords[-1] if chords else None
        if last and (last.root, last.quality) == (root, quality):
            chords[-1] = Chord(last.start, edges[index + 1], root, quality, last.bass)
        else:
            bass = root if lowest[index] < 0 else int(lowest[index]) % 12
            chords.append(Chord(edges[index], edges[index + 1], root, quality, bass))
    return tuple(chords)


def _strength(beat: int, beats: int) -> int:
    if beat == 0:
        return 0
    return 1 if beats % 2 == 0 and beat == beats // 2 else 2


def _states() -> tuple[list[int], list[str]]:
    pairs = [(root, name) for name in QUALITIES for root in range(12)]
    return [root for root, _ in pairs], [name for _, name in pairs]


def _histogram(notes: Sequence[Sounding], edges: Sequence[float]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Weighted seconds of each pitch class in each beat, [beats, 12]; lowest note of each, -1 for none."""
    heard = np.zeros((len(edges) - 1, 12))
    lowest = np.full(len(edges) - 1, -1)
    for note in notes:
        index = max(0, bisect_right(edges, note.start) - 1)
        while index < len(edges) - 1 and edges[index] < note.end:
            overlap = min(note.end, edges[index + 1]) - max(note.start, edges[index])
            heard[index, note.midi % 12] += note.weight * max(0.0, overlap)
            if overlap > 0.2 * (edges[index + 1] - edges[index]) and not 0 <= lowest[index] <= note.midi:
                lowest[index] = note.midi
            index += 1
    return heard, lowest


def _evidence(heard: NDArray[np.float64], lowest: NDArray[np.int64]) -> NDArray[np.float64]:
    """How well each chord explains each beat, [beats, chords], in about -1..1; 0 for silence."""
    total = heard.sum(axis=1, keepdims=True)
    share = np.divide(heard, total, out=np.zeros_like(heard), where=total > 0)
    columns = []
    for name, intervals in QUALITIES.items():
        cost = _COST.get(name, _OTHER_COST)
        for root in range(12):
            tones = [(root + step) % 12 for step in intervals]
            inside = share[:, tones].sum(axis=1)
            absent = (share[:, tones] < 0.02).mean(axis=1)
            bass = np.where(lowest % 12 == root, _BASS_ROOT, np.isin(lowest % 12, tones) * _BASS_TONE)
            columns.append(2 * inside - 1 - cost - _ABSENT * absent + bass * (lowest >= 0))
    scores = np.stack(columns, axis=1)
    scores[total[:, 0] == 0] = 0
    return scores


def _viterbi(scores: NDArray[np.float64], costs: Sequence[float]) -> list[int]:
    """The best path where every change costs the same, whatever the two chords: O(beats x chords)."""
    best = scores[0]
    back = np.zeros(scores.shape, dtype=np.int64)
    for index in range(1, len(scores)):
        top = int(best.argmax())
        change = best[top] - costs[index]
        back[index] = np.where(best >= change, np.arange(len(best)), top)
        best = np.maximum(best, change) + scores[index]
    path = [int(best.argmax())]
    for index in range(len(scores) - 1, 0, -1):
        path.append(int(back[index, path[-1]]))
    return path[::-1]
