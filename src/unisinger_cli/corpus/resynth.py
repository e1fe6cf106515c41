"""A recorded voice sings: its own syllables, re-timed to a plan and re-pitched to a sung F0 curve.

Analysis and synthesis by WORLD (Morise, Yokomori, Ozawa, IEICE Trans. E99-D(7), 2016), with CheapTrick and D4C; F0 by
our own tracker, refined by StoneMask. It sounds like a vocoder, and its labels are exact: that is what it is for.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unisinger_cli.errors import MissingExtra
from unisinger_cli.model.config import VOWELS
from unisinger_cli.stages.clock import VOICELESS, phoneme_spans, sing_curve
from unisinger_cli.stages.pitch import track
from unisinger_cli.types import Audio, Pitch, SongPlan

Doubles = NDArray[np.float64]
FRAME = 0.005  # seconds between two frames of the vocoder
_EDGE = 0.06  # seconds at either end of a vowel that keep their speed: there its neighbours are heard
_STOPS = frozenset("p b t d k g ʔ".split())
_SILENCE = -25.0  # log power of nothing
_ATTACK, _RELEASE = 0.015, 0.06  # seconds at the ends of a phrase
_LEVELLING, _MOST = 0.6, 9.0  # share of a syllable's distance from the middle level that is taken away, and dB at most
_BREATH = -28.0  # dB below the vowels
_LOUDER = 0.2  # dB a semitone: high notes are sung louder


def _world() -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of its own use of pkg_resources
            import pyworld
    except ModuleNotFoundError as error:
        raise MissingExtra("the WORLD vocoder (pyworld)", "train") from error
    return pyworld


@dataclass(frozen=True)
class Analysis:
    """A recording in WORLD's terms; frame i is centred at (i + 0.5) * FRAME seconds. Compared by identity.

    hz: [n], 0 unvoiced. log_power: spectral envelope, natural log of power [n, bins]. noise: aperiodicity 0..1.
    """

    hz: Doubles
    log_power: NDArray[np.float32]
    noise: NDArray[np.float32]
    rate: int

    def level(self) -> Doubles:
        """Power of each frame in dB, above 100 Hz and below 6 kHz."""
        width = self.rate / 2 / (self.log_power.shape[1] - 1)
        band = self.log_power[:, round(100 / width) : round(6000 / width)].astype(np.float64)
        return np.asarray(10 * np.log10(np.exp(band).mean(axis=1)), dtype=np.float64)

    def breath(self) -> NDArray[np.float32]:
        """Log power [bins] of the quieter voiceless sounds: the colour of this voice's noise."""
        level = self.level()
        quiet = (self.hz <= 0) & (level > np.percentile(level, 95) - 40) & (level < np.percentile(level, 95) - 12)
        return np.asarray(self.log_power[quiet if quiet.any() else self.hz <= 0].mean(axis=0), dtype=np.float32)


@dataclass(frozen=True)
class Piece:
    """A phoneme in a recording: `start`..`end` seconds of `analysis`."""

    symbol: str
    analysis: Analysis
    start: float
    end: float


@dataclass(frozen=True)
class Performance:
    """What was sung, and what exactly: the spans of its phonemes and its F0 on the latent clock."""

    audio: Audio
    spans: tuple[tuple[str, float, float], ...]
    pitch: Pitch


def analyse(audio: Audio) -> Analysis:
    """Spectral envelope, aperiodicity and F0 of a recording, at its own rate (44.1 kHz keeps all that is heard)."""
    world = _world()
    mono = audio.mono()
    rough = track(audio, 1 / FRAME).hz.astype(np.float64)
    samples = mono.astype(np.float64)
    times = (np.arange(len(rough)) + 0.5) * FRAME
    fine = world.stonemask(samples, rough, times, audio.rate)
    near = (fine > 0) & (np.abs(np.log2(np.maximum(fine, 1) / np.maximum(rough, 1))) < 0.2)
    hz = np.where(near, fine, rough)
    envelope = world.cheaptrick(samples, hz, times, audio.rate)
    noise = world.d4c(samples, hz, times, audio.rate, threshold=0.0)
    log_power = np.log(np.maximum(envelope, np.exp(_SILENCE)))
    return Analysis(hz, log_power.astype(np.float32), noise.astype(np.float32), audio.rate)


def perform(
    plan: SongPlan,
    sources: Sequence[Sequence[Piece]],
    *,
    frame_rate: float,
    rng: np.random.Generator,
    warp: float = 1.0,
    tilt: float = 0.0,
) -> Performance:
    """Sing `plan` with recorded phonemes.

    Args:
        plan: each syllable's phonemes are the symbols of its source's pieces.
        sources: the pieces of each syllable, in the order of the plan; all of one rate.
        frame_rate: latent frames a second, the clock of the F0 that is returned.
        warp: factor on all formant frequencies, 0.8 to 1.25; another voice than the recorded one.
        tilt: dB an octave by which the spectrum rises around 1 kHz; a brighter or a softer voice.
    Raises:
        ValueError: the plan and its sources do not match.
    """
    syllables = [syllable for line in plan.lines for syllable in line.syllables]
    if [s.phonemes for s in syllables] != [tuple(p.symbol for p in pieces) for pieces in sources]:
        raise ValueError("the plan's phonemes are not those of its sources")
    spans = phoneme_spans(plan)
    times = np.arange(int(np.ceil(plan.seconds / FRAME)), dtype=np.float64) * FRAME
    notes = [note for syllable in syllables for note in syllable.notes]
    curve = sing_curve(notes, times.astype(np.float32), rng).astype(np.float64)
    power, noise = _timbre(spans, sources, times)
    if warp != 1.0:
        power, noise = _warped(power, warp), _warped(noise, warp)
    if tilt != 0.0:
        hz = np.linspace(0, sources[0][0].analysis.rate / 2, power.shape[1])
        octaves = np.clip(np.log2(np.maximum(hz, 1.0) / 1000), -4, 3)
        power += (tilt * octaves * np.log(10) / 10).astype(np.float32)
    power += (_gains(spans, sources, times, curve, rng) * np.log(10) / 10).astype(np.float32)[:, None]

    hz = np.where(_voiced(spans, times), curve, 0.0)
    rate = sources[0][0].analysis.rate
    samples = _world().synthesize(
        hz, np.exp(np.maximum(power, _SILENCE).astype(np.float64)), noise.astype(np.float64), rate, 1000 * FRAME
    )
    length = round(plan.seconds * rate)
    samples = np.pad(samples, (0, max(0, length - len(samples))))[:length]

    frames = int(np.ceil(round(plan.seconds * frame_rate, 6)))
    centres = (np.arange(frames, dtype=np.float64) + 0.5) / frame_rate
    sung = np.exp(np.interp(centres, times, np.log(curve)))
    latent = Pitch(np.where(_voiced(spans, centres), sung, 0.0).astype(np.float32), frame_rate)
    return Performance(Audio(samples.astype(np.float32)[None], rate), spans, latent)


def _voiced(spans: Sequence[tuple[str, float, float]], times: Doubles) -> NDArray[np.bool_]:
    """The rule by which songs are sung at inference too: every phoneme but the voiceless has a pitch."""
    voiced = np.zeros(len(times), dtype=bool)
    for symbol, start, end in spans:
        first, last = np.searchsorted(times, (start, end))
        voiced[first:last] = symbol not in VOICELESS
    return voiced


def _timbre(
    spans: Sequence[tuple[str, float, float]], sources: Sequence[Sequence[Piece]], times: Doubles
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Envelope (log power) and aperiodicity for each of `times`, phoneme by phoneme from the recordings."""
    flat = [piece for pieces in sources for piece in pieces]
    bins = flat[0].analysis.log_power.shape[1]
    power = np.full((len(times), bins), _SILENCE, dtype=np.float32)
    noise = np.full((len(times), bins), 1.0, dtype=np.float32)
    at = 0
    for symbol, start, end in spans:
        first, last = (int(i) for i in np.searchsorted(times, (start, end)))
        if symbol == "^" and last > first:
            swell = np.sin(np.pi * (np.arange(last - first) + 0.5) / (last - first)) ** 2
            colour = flat[min(at, len(flat) - 1)].analysis.breath()
            loud = np.log(np.mean(np.exp(colour)))
            power[first:last] = colour - loud + _vowel_level(flat) + np.log(np.maximum(swell, 1e-3))[:, None]
        if symbol in ("_", "^"):
            continue
        while flat[at].symbol != symbol:  # phonemes for which there was no time have no span
            at += 1
        piece = flat[at]
        at += 1
        place = _places(piece, symbol, start, end, times[first:last]) / FRAME - 0.5
        place = np.clip(place, 0, len(piece.analysis.hz) - 1.001)
        left = place.astype(int)
        share = (place - left).astype(np.float32)[:, None]
        for out, given in ((power, piece.analysis.log_power), (noise, piece.analysis.noise)):
            out[first:last] = (1 - share) * given[left] + share * given[left + 1]
    return power, noise


def _vowel_level(flat: Sequence[Piece]) -> float:
    """Natural log of the power that a breath has beside these vowels."""
    levels = [_loudness(piece) for piece in flat if piece.symbol in VOWELS]
    return float((np.median(levels) + _BREATH) * np.log(10) / 10)


def _places(piece: Piece, symbol: str, start: float, end: float, times: Doubles) -> Doubles:
    """Where in the recording each output time is read, in seconds."""
    a, b = piece.start, piece.end
    if symbol in _STOPS:  # the burst keeps its speed, the closure gives way
        return np.asarray(np.maximum(a, b - (end - times)), dtype=np.float64)
    if symbol in VOWELS:
        first, last = int(a / FRAME), int(np.ceil(b / FRAME))
        voiced = np.flatnonzero(piece.analysis.hz[first:last] > 0)
        if len(voiced) > 3:
            a, b = (first + voiced[0] + 0.5) * FRAME, (first + voiced[-1] + 0.5) * FRAME
        edge = min(_EDGE, 0.3 * (b - a), 0.3 * (end - start))
        knots, source = [start, start + edge, end - edge, end], [a, a + edge, b - edge, b]
        return np.asarray(np.interp(times, knots, source), dtype=np.float64)
    return np.asarray(a + (times - start) * (b - a) / (end - start), dtype=np.float64)


def _loudness(piece: Piece) -> float:
    """dB of the middle of a piece."""
    width = piece.analysis.log_power.shape[1]
    first = int((0.7 * piece.start + 0.3 * piece.end) / FRAME)
    last = max(first + 1, int((0.3 * piece.start + 0.7 * piece.end) / FRAME))
    return float(10 * np.log10(np.exp(piece.analysis.log_power[first:last, : width // 3]).mean() + 1e-12))


def _gains(
    spans: Sequence[tuple[str, float, float]],
    sources: Sequence[Sequence[Piece]],
    times: Doubles,
    curve: Doubles,
    rng: np.random.Generator,
) -> Doubles:
    """dB at each time: syllables brought nearer to one level, high notes louder, phrases that swell and end."""
    nuclei = [max((p for p in pieces if p.symbol in VOWELS), key=lambda p: p.end - p.start) for pieces in sources]
    levels = np.array([_loudness(nucleus) for nucleus in nuclei])
    change = np.clip(_LEVELLING * (np.median(levels) - levels), -_MOST, _MOST)
    owner = {id(piece): gain for pieces, gain in zip(sources, change, strict=True) for piece in pieces}
    flat = [piece for pieces in sources for piece in pieces]
    gains = np.zeros(len(times))
    ends = np.ones(len(times))
    at, sounding, begin = 0, False, 0.0
    for symbol, start, end in [*spans, ("_", float(times[-1]) + FRAME, float(times[-1]) + FRAME)]:
        if symbol in ("_", "^"):
            if sounding:
                ends *= np.where((times >= begin) & (times < start), np.clip((start - times) / _RELEASE, 1e-2, 1), 1)
            sounding = False
            continue
        if not sounding:
            sounding, begin = True, start
            ends *= np.where((times >= start) & (times < start + 0.1), np.clip((times - start) / _ATTACK, 1e-2, 1), 1)
        while flat[at].symbol != symbol:
            at += 1
        first, last = np.searchsorted(times, (start, end))
        gains[first:last] = owner[id(flat[at])]
        at += 1
    window = np.hanning(13)[1:-1]
    gains = np.convolve(np.pad(gains, 5, mode="edge"), window / window.sum(), mode="valid")
    knots = np.arange(0, times[-1] + 2, 1.5)
    swell = np.interp(times, knots, rng.normal(0, 1.5, len(knots)))
    semitones = 12 * np.log2(curve / np.median(curve))
    return np.asarray(gains + swell + _LOUDER * semitones + 20 * np.log10(ends), dtype=np.float64)


def _warped(frames: NDArray[np.float32], warp: float) -> NDArray[np.float32]:
    """Everything at frequency f moves to f * warp; the top is held."""
    place = np.minimum(np.arange(frames.shape[1]) / warp, frames.shape[1] - 1.001)
    left = place.astype(int)
    share = (place - left).astype(np.float32)
    moved = (1 - share) * frames[:, left] + share * frames[:, left + 1]
    return np.ascontiguousarray(moved, dtype=np.float32)
