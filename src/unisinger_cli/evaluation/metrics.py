"""Measures, each of two things that should, or should not, be alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from unisinger_cli.evaluation.spectra import log_mel
from unisinger_cli.notation.keys import QUALITIES, tonic_and_mode
from unisinger_cli.stages.harmony import SCALES
from unisinger_cli.types import Audio, Chord, Floats, SongPlan

RANGE = 60.0  # dB under the loudest band within which copies are looked for
ENVELOPE_BANDS, ENVELOPE_HOP = 40, 2048
LAG = 2.0  # s by which a copy may be shifted and still be found
QUIET = 10 ** (-50 / 20)


# ---------------------------------------------------------------- voices
def nearer_share(to_reference: Sequence[float], to_source: Sequence[float]) -> float | None:
    """Share of outputs that are more similar to their reference than to their source; None of nothing."""
    if not len(to_reference):
        return None
    return float(np.mean(np.asarray(to_reference) > np.asarray(to_source)))


def recognised_share(outputs: Floats, references: Floats) -> float | None:
    """Share of outputs [k, d] whose most similar reference, of all [k, d], is their own; None of nothing."""
    if not len(outputs):
        return None
    return float(np.mean((outputs @ references.T).argmax(axis=1) == np.arange(len(outputs))))


def equal_error_rate(same: Sequence[float], different: Sequence[float]) -> float | None:
    """Where a threshold on similarities refuses as large a share of `same` as it lets through of `different`: the mean
    of the two shares where they are nearest. 0.5 is chance; None where there is nothing on either side."""
    if not len(same) or not len(different):
        return None
    own, others = np.sort(np.asarray(same)), np.sort(np.asarray(different))
    thresholds = np.append(np.unique(np.concatenate([own, others])), np.inf)
    refused = np.searchsorted(own, thresholds, side="left") / len(own)
    passed = 1 - np.searchsorted(others, thresholds, side="left") / len(others)
    best = int(np.abs(refused - passed).argmin())
    return float((refused[best] + passed[best]) / 2)


# ---------------------------------------------------------------- pitch
def note_pitch(plan: SongPlan, frames: int, frame_rate: float) -> Floats:
    """The written notes on the latent clock, Hz [frames], 0 in rests: steps, with none of a singer's freedom."""
    times = (np.arange(frames) + 0.5) / frame_rate
    hz = np.zeros(frames, dtype=np.float32)
    for note in (note for line in plan.lines for syllable in line.syllables for note in syllable.notes):
        hz[(times >= note.start) & (times < note.end)] = 440 * 2 ** ((note.midi - 69) / 12)
    return hz


# ---------------------------------------------------------------- harmony
def chord_agreement(chroma: Floats, times: NDArray[np.float64], chords: Sequence[Chord]) -> float | None:
    """How well chroma [n, 12] at `times` fits the chords: mean over frames of the correlation between the chroma
    (square root of its power) and the chord's notes. 1 is perfect, 0 unrelated, None where nothing sounds."""
    sounds = chroma.sum(axis=1) > chroma.sum(axis=1).max(initial=0) * 1e-6
    found = []
    for chord in chords:
        here = np.sqrt(chroma[sounds & (times >= chord.start) & (times < chord.end)].astype(np.float64))
        notes = np.zeros(12)
        notes[[(chord.root + step) % 12 for step in QUALITIES[chord.quality]]] = 1
        here -= here.mean(axis=1, keepdims=True)
        notes -= notes.mean()
        found.append(here @ notes / np.maximum(np.linalg.norm(here, axis=1) * np.linalg.norm(notes), 1e-12))
    values = np.concatenate(found) if found else np.zeros(0)
    return float(values.mean()) if values.size else None


def chroma_agreement(one: Floats, other: Floats, block: int = 11) -> float | None:
    """Mean correlation of two chromas [n, 12] (square root of their power), frame for frame after both are averaged
    over blocks of `block` frames, about a second: a melody touches the notes of its harmony one after the other. None
    where never both sound."""
    blocks = min(len(one), len(other)) // block
    a, b = (
        np.sqrt(x[: blocks * block].astype(np.float64).reshape(blocks, block, 12).mean(axis=1)) for x in (one, other)
    )
    sounds = (a.max(axis=1, initial=0) > 0.05 * a.max(initial=0)) & (b.max(axis=1, initial=0) > 0.05 * b.max(initial=0))
    a, b = (x[sounds] - x[sounds].mean(axis=1, keepdims=True) for x in (a, b))
    scale = np.maximum(np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1), 1e-12)
    return float(((a * b).sum(axis=1) / scale).mean()) if sounds.any() else None


def in_key(chroma: Floats, times: NDArray[np.float64], chords: Sequence[Chord]) -> bool | None:
    """Whether chroma [n, 12] at `times` fits the chords better than it fits them in any of the eleven other keys. None
    where nothing sounds."""
    moved = [[replace(chord, root=(chord.root + up) % 12) for chord in chords] for up in range(12)]
    fits = [chord_agreement(chroma, times, there) for there in moved]
    here = fits[0]
    return None if here is None else all(fit is None or here > fit for fit in fits[1:])


def key_shares(chroma: Floats, key: str) -> tuple[float, float] | None:
    """Share of the power [n, 12] on notes of the key, and the mean of the same for the eleven other keys of its
    mode. None where nothing sounds."""
    power = chroma.sum(axis=0, dtype=np.float64)
    if power.sum() <= 0:
        return None
    tonic, mode = tonic_and_mode(key)
    shares = [power[[(tonic + up + step) % 12 for step in SCALES[mode]]].sum() / power.sum() for up in range(12)]
    return float(shares[0]), float(np.mean(shares[1:]))


def tempo_fits(audio: Audio, bpm: float, tolerance: float = 0.04) -> bool | None:
    """Whether a sound of one channel has this tempo: librosa's estimate (autocorrelation of onset strength, Grosche,
    Mueller, Kurth 2010) is within 4 % of it, or of its double, triple, half or third ("Accuracy 2" of Gouyon et al.
    2006). None where nothing sounds."""
    import librosa

    if not np.any(np.abs(audio.samples[0]) > QUIET):
        return None
    found = float(librosa.feature.tempo(y=audio.samples[0], sr=audio.rate)[0])
    return any(abs(found / (bpm * factor) - 1) <= tolerance for factor in (1, 2, 3, 1 / 2, 1 / 3))


# ---------------------------------------------------------------- copies and silence
def sounding_share(audio: Audio) -> float:
    """Share of half-second blocks whose level is over -50 dBFS."""
    mono, block = audio.mono(), audio.rate // 2
    blocks = mono[: max(1, len(mono) // block) * block].reshape(max(1, len(mono) // block), -1)
    return float(np.mean(np.sqrt(np.square(blocks, dtype=np.float64).mean(axis=1)) > QUIET))


def copied(audio: Audio, rng: np.random.Generator) -> Audio:
    """A copy that tries to hide: half a second late, at half the level, with noise 20 dB under it."""
    late = np.roll(audio.samples, audio.rate // 2, axis=1) / 2
    noise = rng.standard_normal(late.shape, dtype=np.float32) * np.float32(0.1 * late.std())
    return Audio(np.asarray(late + noise, dtype=np.float32), audio.rate)


def likeness(one: Audio, other: Audio) -> float | None:
    """Whether two sounds of the same rate are copies: the largest correlation of their log-mel envelopes with one
    shifted by up to 2 s.

    The mean of each band is taken off first, so that the same instruments are not yet a copy. A sound with itself
    has 1, whatever the gain; None where nothing changes over time.
    """
    a, b = (log_mel(x.mono(), x.rate, ENVELOPE_BANDS, 4096, ENVELOPE_HOP) for x in (one, other))
    n = min(len(a), len(b))
    a, b = (np.maximum(x, x.max() - RANGE)[:n] for x in (a, b))
    most = min(round(LAG * one.rate / ENVELOPE_HOP), n // 2)
    found = []
    for lag in range(-most, most + 1):
        x, y = (a[lag:], b[: n - lag]) if lag >= 0 else (a[: n + lag], b[-lag:])
        x, y = x - x.mean(axis=0), y - y.mean(axis=0)
        scale = float(np.linalg.norm(x) * np.linalg.norm(y))
        if scale > 1e-6:
            found.append(float((x * y).sum()) / scale)
    return max(found, default=None)
