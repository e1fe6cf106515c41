"""A recorded voice sings: its own syllables, re-timed to a plan and re-pitched to a sung F0 curve.

The recorded periods themselves are set at the sung pulses (`psola`). Loudness and the colour of breath are read from
CheapTrick's envelope, F0 from our own tracker refined by StoneMask, both of WORLD (Morise, Yokomori, Ozawa,
IEICE Trans. E99-D(7), 2016).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unisinger_cli.corpus.psola import HOP, Grains, lay, pulses, voiced_grains, voiceless_part
from unisinger_cli.errors import MissingExtra
from unisinger_cli.model.config import VOWELS
from unisinger_cli.stages.clock import VOICELESS, natural, phoneme_spans, sing_curve
from unisinger_cli.stages.pitch import track
from unisinger_cli.types import Audio, Pitch, SongPlan

Doubles = NDArray[np.float64]
FRAME = 0.005  # seconds between two frames of the vocoder
_EDGE = 0.06  # seconds at either end of a vowel that keep their speed: there its neighbours are heard
_STOPS = frozenset("p b t d k g ʔ".split())
_SILENCE = -25.0  # log power of nothing
_ATTACK, _RELEASE = 0.015, 0.06  # seconds at the ends of a phrase
_QUIET = 1e-3  # factor on what rings on into a rest
_LEVELLING, _MOST = 0.6, 9.0  # share of a syllable's distance from the middle level that is taken away, and dB at most
_BREATH = -28.0  # dB below the vowels
_LOUDER = 0.2  # dB a semitone: high notes are sung louder


def world() -> Any:
    """The package pyworld. Raises MissingExtra where it is not installed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of its own use of pkg_resources
            import pyworld
    except ModuleNotFoundError as error:
        raise MissingExtra("the WORLD vocoder (pyworld)", "train") from error
    return pyworld


@dataclass(frozen=True)
class Analysis:
    """A recording and what is known of it; frame i is centred at (i + 0.5) * FRAME seconds. Compared by identity.

    hz: [n], 0 unvoiced. log_power: spectral envelope, natural log of power [n, bins]. samples: the recording itself,
    [seconds * rate]. marks: seconds of its pulses.
    """

    hz: Doubles
    log_power: NDArray[np.float32]
    samples: Doubles
    marks: Doubles
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

    def voiceless(self) -> tuple[float, float]:
        """Start and end (s) of its longest stretch without a pitch; of no length where all has one."""
        return voiceless_part(self.analysis.hz, FRAME, self.start, self.end)


@dataclass(frozen=True)
class Performance:
    """What was sung, and what exactly: the spans of its phonemes and its F0 on the latent clock."""

    audio: Audio
    spans: tuple[tuple[str, float, float], ...]
    pitch: Pitch


def analyse(audio: Audio) -> Analysis:
    """Spectral envelope, F0 and pulses of a recording, at its own rate (44.1 kHz keeps all that is heard)."""
    vocoder = world()
    mono = audio.mono()
    rough = track(audio, 1 / FRAME).hz.astype(np.float64)
    samples = mono.astype(np.float64)
    times = (np.arange(len(rough)) + 0.5) * FRAME
    fine = vocoder.stonemask(samples, rough, times, audio.rate)
    near = (fine > 0) & (np.abs(np.log2(np.maximum(fine, 1) / np.maximum(rough, 1))) < 0.2)
    hz = np.where(near, fine, rough)
    envelope = vocoder.cheaptrick(samples, hz, times, audio.rate)
    log_power = np.log(np.maximum(envelope, np.exp(_SILENCE)))
    return Analysis(hz, log_power.astype(np.float32), samples, pulses(samples, hz, FRAME, audio.rate), audio.rate)


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
    # consonants take as long as they were spoken, but no less than sung ones usually do
    lengths = [[max(piece.end - piece.start, natural(piece.symbol)) for piece in pieces] for pieces in sources]
    spans = phoneme_spans(plan, lengths)
    times = np.arange(int(np.ceil(plan.seconds / FRAME)), dtype=np.float64) * FRAME
    notes = [note for syllable in syllables for note in syllable.notes]
    curve = sing_curve(notes, times.astype(np.float32), rng).astype(np.float64)
    gains = _gains(spans, sources, times, curve, rng)
    rate = sources[0][0].analysis.rate
    samples = _sound(spans, sources, times, curve, gains, warp, rng)
    if tilt != 0.0:
        samples = _tilted(samples, rate, tilt)
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


def _sound(
    spans: Sequence[tuple[str, float, float]],
    sources: Sequence[Sequence[Piece]],
    times: Doubles,
    curve: Doubles,
    gains: Doubles,
    warp: float,
    rng: np.random.Generator,
) -> Doubles:
    """The song's samples: phoneme by phoneme from the recordings, at a pitch (Hz) and a gain (dB) for each time."""
    flat = [piece for pieces in sources for piece in pieces]
    rate = flat[0].analysis.rate
    out = np.zeros(round((times[-1] + FRAME) * rate))
    beats = _beats(times, curve, rate)
    at = 0
    for symbol, start, end in spans:
        if symbol in ("_", "^"):
            continue
        while flat[at].symbol != symbol:  # phonemes for which there was no time have no span
            at += 1
        piece = flat[at]
        at += 1
        voiced = symbol not in VOICELESS
        target = beats[slice(*np.searchsorted(beats, (start, end)))] if voiced else np.arange(start, end, HOP)
        places = _places(piece, symbol, start, end, target)
        grains = (
            voiced_grains(places, target, piece.analysis.marks)
            if voiced
            else Grains(places, target, np.full(len(target), HOP * warp))
        )
        lay(out, piece.analysis.samples, rate, grains, warp)
    out *= 10 ** (np.interp(np.arange(len(out)) / rate, times, gains) / 20)
    for start, end in ((a, b) for symbol, a, b in spans if symbol == "^"):
        first, last = round(start * rate), round(end * rate)
        out[first:last] += _breath(flat[0].analysis, last - first, _vowel_level(flat), rng)
    return out


def _beats(times: Doubles, curve: Doubles, rate: int) -> Doubles:
    """When (s) the sung voice's pulses are: there its phase, counted in periods, passes a whole number."""
    fine = np.arange(0, times[-1] + FRAME, 4 / rate)
    phase = np.cumsum(np.interp(fine, times, curve)) * 4 / rate
    return np.asarray(np.interp(np.arange(1, int(phase[-1]) + 1), phase, fine), dtype=np.float64)


def _breath(analysis: Analysis, length: int, level: float, rng: np.random.Generator) -> Doubles:
    """Noise [length] of the colour of a voice's quieter voiceless sounds, which swells and fades; `level` is in dB."""
    colour = analysis.breath().astype(np.float64) / 2
    spectrum = np.fft.rfft(rng.normal(0.0, 1.0, length))
    spectrum *= np.exp(np.interp(np.linspace(0, 1, len(spectrum)), np.linspace(0, 1, len(colour)), colour))
    noise = np.fft.irfft(spectrum, length)
    swell = np.sin(np.pi * (np.arange(length) + 0.5) / max(1, length))
    return np.asarray(noise * swell * 10 ** (level / 20) / max(1e-12, noise.std()), dtype=np.float64)


def _tilted(samples: Doubles, rate: int, tilt: float) -> Doubles:
    """`samples` with `tilt` dB an octave more above 1 kHz, and less below."""
    octaves = np.clip(np.log2(np.maximum(np.fft.rfftfreq(len(samples), 1 / rate), 1.0) / 1000), -4, 3)
    tilted = np.fft.irfft(np.fft.rfft(samples) * 10 ** (tilt * octaves / 20), len(samples))
    return np.asarray(tilted, dtype=np.float64)


def _vowel_level(flat: Sequence[Piece]) -> float:
    """dB of a breath beside these vowels."""
    levels = []
    for piece in flat:
        rate = piece.analysis.rate
        middle = piece.analysis.samples[round(piece.start * rate) : round(piece.end * rate)]
        if piece.symbol in VOWELS and len(middle):
            levels.append(10 * np.log10(np.mean(middle**2) + 1e-12))
    return float(np.median(levels) + _BREATH)


def _places(piece: Piece, symbol: str, start: float, end: float, times: Doubles) -> Doubles:
    """Where in the recording each output time is read, in seconds."""
    a, b = piece.voiceless() if symbol in VOICELESS else (piece.start, piece.end)
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
            ends[slice(*np.searchsorted(times, (start, end)))] = _QUIET
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
