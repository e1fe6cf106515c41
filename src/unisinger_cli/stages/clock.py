"""From a plan in seconds to the latent clock: which phoneme, which pitch and which harmony in every frame.

Frame i is read at its centre, (i + 0.5) / frame_rate seconds.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from unisinger_cli.model.config import SCORE_DIM, VOWELS
from unisinger_cli.notation.keys import QUALITIES
from unisinger_cli.stages.vocalise import sing_curve
from unisinger_cli.types import Floats, Ints, Score, SongPlan

__all__ = ["natural", "phoneme_frames", "phoneme_spans", "pitch_frames", "score_frames", "sing_curve"]

Span = tuple[str, float, float]  # symbol, start and end in seconds
Length = tuple[str, float]  # symbol, and the seconds it takes

VOICELESS = frozenset("_^ptkʔfθsʃçxhɕ")
# Natural lengths of consonants in seconds, rounded by class from the inherent durations of Klatt, "Linguistic uses
# of segmental duration in English", JASA 59 (1976).
_SECONDS = (
    dict.fromkeys("ptkʔ", 0.08)
    | dict.fromkeys("bdgɾ", 0.06)
    | dict.fromkeys("fθsʃçxɕ", 0.10)
    | dict.fromkeys("vðzʒhʁ", 0.07)
    | dict.fromkeys("mnŋlɹjw", 0.065)
)
_CONSONANT_SHARE = 0.6  # of a note's time, at most, goes to its coda and the next onset
_GLIDE = 0.12  # seconds that the second half of a diphthong takes
_BREATH = (0.15, 0.30)  # seconds
_LEAST_REST = 0.03  # seconds; a shorter gap is sung through


def _parts(phonemes: Sequence[str], seconds: Sequence[float]) -> tuple[list[Length], list[Length], list[Length]]:
    """Onset, nucleus and coda. Without a vowel the last sonorant carries the note, else the last symbol."""
    at = [i for i, symbol in enumerate(phonemes) if symbol in VOWELS]
    at = at or [i for i, symbol in enumerate(phonemes) if symbol in ("m", "n", "ŋ", "l", "ɹ")][-1:]
    first, last = (at[0], at[-1] + 1) if at else (len(phonemes) - 1, len(phonemes))
    lengths = list(zip(phonemes, seconds, strict=True))
    return lengths[:first], lengths[first:last], lengths[last:]


def natural(symbol: str) -> float:
    """Seconds that a consonant usually takes."""
    return _SECONDS.get(symbol, 0.06)


def _sum(lengths: Sequence[Length]) -> float:
    return sum(seconds for _, seconds in lengths)


def _laid(lengths: Sequence[Length], start: float, end: float) -> list[Span]:
    """The symbols between start and end, each in proportion to its length."""
    if not lengths or end - start <= 1e-6:
        return []
    shares = np.cumsum([0.0, *(seconds for _, seconds in lengths)]) / _sum(lengths)
    edges = start + (end - start) * shares
    edges[-1] = end
    return [(s, float(a), float(b)) for (s, _), a, b in zip(lengths, edges[:-1], edges[1:], strict=True)]


def _held(nucleus: Sequence[Length], start: float, end: float) -> list[Span]:
    """The first vowel holds; what follows it is a glide at the end."""
    glide = min(_GLIDE, 0.4 * (end - start)) / max(1, len(nucleus) - 1)
    edges = [start, *(end - glide * k for k in range(len(nucleus) - 1, -1, -1))]
    return [(s, a, b) for (s, _), a, b in zip(nucleus, edges[:-1], edges[1:], strict=True)]


def phoneme_spans(plan: SongPlan, lengths: Sequence[Sequence[float]] | None = None) -> tuple[Span, ...]:
    """(symbol, start, end) in time order and without gaps over 0..plan.seconds; "_" is silence, "^" breathes in.

    A vowel starts with its note, as singers do it (Sundberg, The Science of the Singing Voice, 1987): the consonants
    before it take their time from the rest or the note before, at most `_CONSONANT_SHARE` of that note.

    Args:
        lengths: for each syllable the seconds that each of its consonants takes where there is time (what stands at
            its vowels is not read); their usual ones unless told.
    """
    sung = [(syllable, i == 0) for line in plan.lines for i, syllable in enumerate(line.syllables)]
    if not sung:
        return (("_", 0.0, plan.seconds),)
    if lengths is None:
        lengths = [[natural(symbol) for symbol in syllable.phonemes] for syllable, _ in sung]
    parts = [_parts(syllable.phonemes, own) for (syllable, _), own in zip(sung, lengths, strict=True)]
    spans: list[Span] = []

    # the first onset: from the time before it, and where that is short from its own note
    onset, first = _sum(parts[0][0]), sung[0][0]
    vowel = max(first.start, min(onset, first.start + 0.4 * (first.end - first.start)))
    onset_start = _rest(spans, 0.0, vowel - min(onset, vowel), breath=True)
    for i, (syllable, _) in enumerate(sung):
        before, nucleus, after = parts[i]
        spans += _laid(before, onset_start, vowel)
        if not before or vowel - onset_start <= 1e-6:
            vowel = onset_start
        last = i + 1 == len(sung)
        following = plan.seconds if last else sung[i + 1][0].start
        next_onset = 0.0 if last else _sum(parts[i + 1][0])
        end = min(syllable.end, following)
        gap = following - end
        taken = max(0.0, next_onset - gap)
        coda = _sum(after)
        squeeze = min(1.0, _CONSONANT_SHARE * (end - vowel) / max(coda + taken, 1e-9))
        end -= taken * squeeze
        onset_start = following - min(next_onset, gap) - taken * squeeze
        if onset_start - end < _LEAST_REST:
            end = onset_start
        coda *= squeeze
        spans += _held(nucleus, vowel, end - coda) + _laid(after, end - coda, end)
        onset_start = _rest(spans, end, onset_start, breath=not last and sung[i + 1][1])
        vowel = following
    return tuple(spans)


def _rest(spans: list[Span], start: float, end: float, *, breath: bool) -> float:
    """Append the pause start..end, its last part a breath where there is room for one; return `end`."""
    if end - start <= 1e-6:
        return start
    inhale = min(_BREATH[1], 0.6 * (end - start)) if breath else 0.0
    inhale = inhale if inhale >= _BREATH[0] else 0.0
    spans.append(("_", start, end - inhale))
    if inhale:
        spans.append(("^", end - inhale, end))
    return end


def _centres(frames: int, frame_rate: float) -> Floats:
    return np.asarray((np.arange(frames) + 0.5) / frame_rate, dtype=np.float32)


def phoneme_frames(spans: Sequence[Span], frames: int, frame_rate: float, ids: dict[str, int]) -> Ints:
    """Id of the phoneme at each frame's centre, int64 [frames]; "_" past the last span."""
    found = np.full(frames, ids["_"], dtype=np.int64)
    times = _centres(frames, frame_rate)
    for symbol, start, end in spans:
        first, last = np.searchsorted(times, (start, end))
        found[first:last] = ids[symbol]
    return found


def pitch_frames(plan: SongPlan, frames: int, frame_rate: float, rng: np.random.Generator) -> Floats:
    """Sung F0 in Hz at each frame's centre, float32 [frames]; 0 in rests and in voiceless phonemes."""
    times = _centres(frames, frame_rate)
    notes = [note for line in plan.lines for syllable in line.syllables for note in syllable.notes]
    if not notes:
        return np.zeros(frames, dtype=np.float32)
    hz = sing_curve(notes, times, rng)
    voiced = np.zeros(frames, dtype=bool)
    for symbol, start, end in phoneme_spans(plan):
        if symbol not in VOICELESS:
            first, last = np.searchsorted(times, (start, end))
            voiced[first:last] = True
    return np.where(voiced, hz, np.float32(0))


def score_frames(score: Score, frames: int, frame_rate: float) -> Floats:
    """Metre and harmony, float32 [frames, SCORE_DIM]: 12 pitch classes of the chord, 12 of its bass, sine and cosine
    of the phase within the beat and within the bar, and 1 where a chord is named."""
    found = np.zeros((frames, SCORE_DIM), dtype=np.float32)
    times = _centres(frames, frame_rate)
    for chord in score.chords:
        first, last = np.searchsorted(times, (chord.start, chord.end))
        found[first:last, [(chord.root + step) % 12 for step in QUALITIES[chord.quality]]] = 1
        found[first:last, 12 + chord.bass] = 1
        found[first:last, 28] = 1
    beats = (times - score.downbeat) * score.bpm / 60
    for column, period in ((24, 1), (26, score.beats_per_bar)):
        phase = 2 * np.pi * (beats / period)
        found[:, column], found[:, column + 1] = np.sin(phase), np.cos(phase)
    return found
