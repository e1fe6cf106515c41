"""Keys and chords: what a melody implies, and the score that an accompaniment follows.

Pitch classes are 0..11 with 0 = C. Keys are written "C:maj" or "A:min".
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from unisinger_cli.notation.keys import NAMES, QUALITIES, read_key, tonic_and_mode
from unisinger_cli.types import Chord, Note, Pitch, Score

SCALES = {"maj": (0, 2, 4, 5, 7, 9, 11), "min": (0, 2, 3, 5, 7, 8, 10)}
# Triads on the degrees I..VII; in minor the dominant has the raised leading note.
_TRIADS = {
    "maj": ("maj", "min", "min", "maj", "maj", "min", "dim"),
    "min": ("min", "dim", "maj", "min", "maj", "maj", "maj"),
}
# Krumhansl & Kessler, "Tracing the dynamic changes in perceived tonal organization", Psychol. Rev. 89 (1982).
_PROFILES = {
    "maj": (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88),
    "min": (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17),
}
# How gladly one degree follows another, after the table of usual root progressions in Piston, Harmony (1941):
# 2 usual, 1 sometimes, 0 seldom. Row: from I..VII, column: to I..VII.
_USUAL = np.array(
    [
        [1.0, 1.0, 0.3, 2.0, 2.0, 1.5, 0.0],
        [0.5, 0.5, 0.0, 1.0, 2.0, 0.5, 0.0],
        [0.3, 0.5, 0.5, 1.5, 0.3, 2.0, 0.0],
        [1.5, 1.0, 0.0, 0.8, 2.0, 0.5, 0.0],
        [2.0, 0.0, 0.0, 1.0, 0.8, 1.5, 0.0],
        [0.8, 1.5, 0.5, 2.0, 1.5, 0.5, 0.0],
        [2.0, 0.0, 0.3, 0.0, 0.5, 0.5, 0.0],
    ]
)

_AGREED = 3.0**0.5  # times the length that a mean of directions has by chance: one in twenty is longer


def triad(key: str, degree: int) -> tuple[int, str]:
    """Root pitch class and quality of the diatonic triad on `degree` (0 = I .. 6 = VII)."""
    tonic, mode = tonic_and_mode(key)
    return (tonic + SCALES[mode][degree]) % 12, _TRIADS[mode][degree]


def _histogram(notes: Sequence[Note], start: float, end: float) -> NDArray[np.float64]:
    """Seconds for which each pitch class sounds within start..end, [12]; what starts with it counts twice."""
    seconds = np.zeros(12)
    for note in notes:
        overlap = min(note.end, end) - max(note.start, start)
        if overlap > 0:
            seconds[round(note.midi) % 12] += overlap * (2.0 if abs(note.start - start) < 0.1 else 1.0)
    return seconds


def detect_key(notes: Sequence[Note]) -> str:
    """The key whose profile correlates best with the durations of the pitch classes; C major without notes.

    Krumhansl-Schmuckler algorithm (Krumhansl, Cognitive Foundations of Musical Pitch, 1990, ch. 4).
    """
    weights = _histogram(notes, -np.inf, np.inf)
    if weights.std() < 1e-9:
        return "C:maj"
    found = {
        f"{NAMES[root]}:{mode}": float(np.corrcoef(weights, np.roll(profile, root))[0, 1])
        for mode, profile in _PROFILES.items()
        for root in range(12)
    }
    return max(found, key=lambda key: found[key])


def harmonise(
    notes: Sequence[Note],
    bpm: float,
    beats_per_bar: int,
    key: str | None,
    downbeat: float,
    seconds: float,
) -> Score:
    """Chords for a melody: the Viterbi path over the key's triads, a chord or two a bar.

    A triad is the better the more of the melody's time lies on its notes, and the more usual it is after the one
    before; it changes within a bar only where the melody asks for it. Beat 0, a downbeat, is at `downbeat` seconds;
    chords cover 0..`seconds`. With `key` None the key is `detect_key`'s.
    """
    key = detect_key(notes) if key is None else read_key(key)
    bar = beats_per_bar * 60 / bpm
    step = bar / 2 if beats_per_bar % 2 == 0 else bar
    per_bar = round(bar / step)
    first = -int(np.ceil(downbeat / step - 1e-6))  # segment numbers, 0 at the downbeat
    count = max(1, int(np.ceil((seconds - downbeat) / step - 1e-6)) - first)
    edges = downbeat + step * np.arange(first, first + count + 1)
    triads = [triad(key, degree) for degree in range(7)]
    sounding = [{(root + step) % 12 for step in QUALITIES[quality]} for root, quality in triads]
    tones = np.array([[pitch in chord for pitch in range(12)] for chord in sounding])  # [7, 12]

    fit = np.zeros((count, 7))
    for i in range(count):
        weights = _histogram(notes, edges[i], edges[i + 1]) / step
        fit[i] = 3 * (tones @ weights) - 2 * (~tones @ weights)
    fit[:, 6] -= 1.0  # the diminished triad, or in minor the subtonic, is a guest
    fit[0, 0] += 1.5
    fit[-1, 0] += 2.5
    if count > per_bar:
        fit[-1 - per_bar, 4] += 1.0

    best = fit[0]
    back = np.zeros((count, 7), dtype=np.int64)
    for i in range(1, count):
        within = (first + i) % per_bar != 0
        move = _USUAL - (3.0 if within else 1.0)
        move[np.diag_indices(7)] = 0.0 if within else -0.6
        total = best[:, None] + move
        back[i] = total.argmax(axis=0)
        best = total.max(axis=0) + fit[i]
    path = [int(best.argmax())]
    for i in range(count - 1, 0, -1):
        path.append(int(back[i, path[-1]]))
    path.reverse()

    chords: list[Chord] = []
    for i, degree in enumerate(path):
        start, end = max(0.0, float(edges[i])), min(seconds, float(edges[i + 1]))
        root, quality = triads[degree]
        if chords and chords[-1].root == root and (first + i) % per_bar != 0:
            chords[-1] = Chord(chords[-1].start, end, root, quality, root)
        elif end > start:
            chords.append(Chord(start, end, root, quality, root))
    return Score(bpm, beats_per_bar, key, tuple(chords), downbeat)


# ---------------------------------------------------------------- from a recorded voice
def notes_of(pitch: Pitch) -> list[Note]:
    """Held pitches of an F0 curve: runs within 0.8 semitones of their own median, for at least 0.12 s."""
    midi = np.full(len(pitch.hz), np.nan)
    midi[pitch.voiced] = 69 + 12 * np.log2(pitch.hz[pitch.voiced] / 440)
    midi = _median(midi, max(1, round(0.05 * pitch.frame_rate)))
    notes: list[Note] = []
    start = 0
    for i in range(1, len(midi) + 1):
        held = midi[start:i]
        goes_on = i < len(midi) and not np.isnan(midi[i]) and not np.isnan(held[-1])
        if goes_on and abs(midi[i] - np.median(held[-round(0.4 * pitch.frame_rate) :])) < 0.8:
            continue
        if i - start >= 0.12 * pitch.frame_rate and not np.isnan(held[0]):
            notes.append(Note(start / pitch.frame_rate, i / pitch.frame_rate, float(np.median(held))))
        start = i
    return notes


def tuning(pitch: Pitch) -> float:
    """Semitones, -0.5 to 0.5, by which a voice sings above concert pitch (A4 = 440 Hz).

    Where its held notes lie between the keys of a piano: the mean on the circle of a semitone, by their lengths. It is
    0 where they agree on no place (Rayleigh's test at 5 %): a voice that speaks, or glides, has no tuning.
    """
    notes = notes_of(pitch)
    lengths = np.array([note.end - note.start for note in notes])
    if not len(notes):
        return 0.0
    mean = (lengths * np.exp(2j * np.pi * np.array([note.midi for note in notes]))).sum() / lengths.sum()
    by_chance = float(np.sqrt(np.square(lengths).sum()) / lengths.sum())
    return float(np.angle(mean) / (2 * np.pi)) if abs(mean) > _AGREED * by_chance else 0.0


def _median(values: NDArray[np.float64], reach: int) -> NDArray[np.float64]:
    """Running median over 2 * reach + 1 values; NaN stays, and does not spread."""
    padded = np.pad(values, reach, constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1)
    known = ~np.isnan(values)
    result = values.copy()
    result[known] = np.nanmedian(windows[known], axis=1)
    return result


def tempo_of(notes: Sequence[Note]) -> tuple[float, float]:
    """Beats a minute (60..140) and the time of a beat in seconds, from when notes start.

    A tempo is scored by how well the onsets, weighted by the length of their notes, agree in phase with its beat and
    half beat, under a log-normal preference for 90 bpm (a resonance as in McKinney & Moelants, "Ambiguity in tempo
    perception", Music Perception 24, 2006). With fewer than six notes: 90 bpm, and the first note.
    """
    if len(notes) < 6:
        return 90.0, notes[0].start if notes else 0.0
    onsets = np.array([note.start for note in notes])
    weights = np.sqrt([min(note.end - note.start, 1.0) for note in notes])
    tempi = np.arange(60.0, 140.5, 0.5)
    beats = onsets[None] * tempi[:, None] / 60
    on_beat = np.abs((weights * np.exp(2j * np.pi * beats)).sum(axis=1)) / weights.sum()
    on_half = np.abs((weights * np.exp(4j * np.pi * beats)).sum(axis=1)) / weights.sum()
    prior = np.exp(-0.5 * (np.log2(tempi / 90) / 0.6) ** 2)
    best = int(np.argmax((on_beat + 0.7 * on_half) * prior))
    phase = np.angle((weights * np.exp(2j * np.pi * beats[best])).sum()) / (2 * np.pi)
    return float(tempi[best]), float(phase % 1.0) * 60 / float(tempi[best])


def score_from_pitch(pitch: Pitch) -> Score:
    """Guess metre, key and chords from a lone vocal's F0 (4/4): what `convert --with-accomp` accompanies it with.

    The downbeat is, of the four beats, the one on which the most sung time starts. A guess is all it can be: a
    singer without a metronome has no one tempo.
    """
    notes = notes_of(pitch)
    seconds = len(pitch.hz) / pitch.frame_rate
    bpm, beat = tempo_of(notes)
    numbers = np.array([round((note.start - beat) * bpm / 60) % 4 for note in notes], dtype=np.int64)
    lengths = np.array([note.end - note.start for note in notes])
    sung = np.bincount(numbers, weights=lengths, minlength=4) if notes else np.zeros(4)
    return harmonise(notes, bpm, 4, None, beat + int(sung.argmax()) * 60 / bpm, seconds)
