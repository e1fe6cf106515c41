"""A mix to its vocal and its accompaniment, and telling a mix from a solo vocal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import numpy as np

from unisinger_cli.audio import at_rate, blocks, long, mono, quantised, scaled, stereo
from unisinger_cli.types import Floats, Sound, Sum

_RATE = 16000  # Hz at which a mix is told from a solo vocal
_FRAME = 4096  # samples, 256 ms: partials of a chord stand apart
_MOST_FRAMES = 1500  # spread over the recording, however long it is
_TOGETHER = 128  # frames looked at in one go
_FLOOR = 0.02  # of a frame's highest peak; what is lower is not looked at
_CHANCE = 3.0  # times what peaks at random places leave in the mean
_MIX = 0.035  # from here a recording counts as a mix; chosen on recordings, see `is_mix`


class Separator(Protocol):
    """What `separate` needs of a backend; `rate` in Hz is what it works at."""

    @property
    def rate(self) -> int: ...

    def vocal(self, mix: Sound, step: Callable[[int, int], None] | None = None) -> Sound:
        """The vocal in a stereo mix, as long as it."""


def choose_separator(
    name: str = "htdemucs", *, weights: Path | None = None, device: str = "auto", threads: int | None = None
) -> Separator:
    """The separator `name`, from pulled weights or from the trusted folder `weights`; see `backends.demucs`."""
    from unisinger_cli.backends import demucs
    from unisinger_cli.backends import device as devices

    demucs.require()
    return demucs.load(name, weights, devices.pick(device, threads))


def separate(
    sound: Sound, separator: Separator | None = None, step: Callable[[int, int], None] | None = None
) -> tuple[Sound, Sound]:
    """(vocal, accompaniment) at the rate, length and number of channels of `sound`; by htdemucs unless told.

    Their sum is `sound` on the 24-bit grid, exactly: the accompaniment is what the vocal leaves. So whatever
    lies above the separator's bandwidth stays in the accompaniment.
    """
    separator = choose_separator() if separator is None else separator
    heard = at_rate(separator.vocal(stereo(at_rate(sound, separator.rate)), step), sound.rate)
    vocal = quantised(long(mono(heard) if sound.channels == 1 else heard, sound.length))
    return vocal, Sum(quantised(sound), scaled(vocal, -1))


# ---------------------------------------------------------------- is there anything to separate?
def is_mix(sound: Sound) -> bool:
    """Whether a recording has pitched instruments (or other singers) beside its voice.

    One voice makes one harmonic series at a time. Instruments add partials outside of it, and those lie on
    the grid of equal temperament, however that is tuned; what a lone voice leaves outside of its own series
    (noise, reverberation, glides) lies anywhere. So the measure is how strongly, and how much in tune with
    each other, the spectral peaks are that the strongest series does not explain. Drums alone, and
    instruments that glide as voices do, are not noticed.

    Measured, on recordings some of which the threshold was chosen on: 1 of 243 solo recordings (songs, sung
    syllables, speech) was called a mix, 2 of 238 of them with noise, reverberation, compression or without
    pauses, none of 46 gently tuned ones, but two in five of those tuned hard, as an effect; of 90 mixes 82
    to 90 % were noticed with the accompaniment 12 dB under to 6 dB over the voice, 61 % at 18 under.
    """
    return accompaniment(sound) > _MIX


def accompaniment(sound: Sound) -> float:
    """The measure behind `is_mix`: 0 for a lone voice, up to 1 for chords and nothing else."""
    found = [_looked_at(frames) for frames in _frames(at_rate(mono(sound), _RATE))]
    energy, series = (np.concatenate([part[i] for part in found]) for i in (0, 1))
    before = np.cumsum([0, *(len(part[0]) for part in found)])
    row = np.concatenate([first + part[2][0] for first, part in zip(before[:-1], found, strict=True)])
    hz, height = (np.concatenate([part[2][i] for part in found]) for i in (1, 2))
    heard = energy[row] > 1e-3 * energy.max()
    row, hz, height = row[heard], hz[heard], height[heard]
    outside = np.full(row.size, True)
    for near in (-1, 0, 1):  # a frame on the way from one note to the next has the partials of both
        f0 = series[np.clip(row + near, 0, len(series) - 1)]
        # A peak belongs to the series within 10 Hz (width of a window's lobe) and 1.2 % (vibrato within a frame).
        outside &= np.abs(hz - np.round(hz / f0) * f0) > 10 + 0.012 * hz
    weight = np.sqrt(height)
    between = 12 * np.log2(hz[outside] / 440)  # its fraction: the place between two semitones
    grid = weight[outside] * np.exp(2j * np.pi * between)
    # Even peaks at random places do not cancel fully: what they leave is taken off.
    aligned = max(0.0, float(np.abs(grid.sum()) ** 2 - _CHANCE * (weight[outside] ** 2).sum()))
    return float(np.sqrt(aligned) / max(weight.sum(), 1e-9))


def _frames(heard: Sound) -> Iterator[Floats]:
    """At most _MOST_FRAMES frames, evenly spread over a mono sound, without its constant offset: [some, _FRAME]."""
    mean = sum(float(block.sum()) for block in blocks(heard)) / max(heard.length, 1)
    between = max(_FRAME // 2, -(-(heard.length + 1) // _MOST_FRAMES))
    starts = range(0, heard.length + 1, between)
    for first in range(0, len(starts), _TOGETHER):
        frames = np.zeros((len(starts[first : first + _TOGETHER]), _FRAME), dtype=np.float32)
        for frame, at in zip(frames, starts[first:], strict=False):
            inside = heard.read(at, min(at + _FRAME, heard.length))[0]
            frame[: len(inside)] = inside - mean
        yield frames


def _looked_at(frames: Floats) -> tuple[Floats, np.ndarray, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Of frames: their energies, the F0 of their strongest series, and their peaks (see `_peaks`)."""
    window = np.hanning(_FRAME).astype(np.float32)
    spectrum = np.abs(np.fft.rfft(frames * window, 2 * _FRAME)).astype(np.float32)
    return (frames**2).mean(axis=1), _series(spectrum), _peaks(spectrum)


def _peaks(spectrum: Floats) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Spectral peaks of 100 to 3000 Hz: frame index, frequency in Hz, height over the frame's highest."""
    bin_hz = _RATE / (2 * _FRAME)
    hz = np.arange(1, spectrum.shape[1] - 1) * bin_hz
    highest = spectrum.max(axis=1, keepdims=True) + 1e-12
    level = np.log(spectrum / highest + 1e-9)
    left, here, right = (level[:, i : i + hz.size] for i in range(3))
    found = (here > left) & (here >= right) & (hz > 100) & (hz < 3000) & (here > np.log(_FLOOR))
    left, peak, right = left[found], here[found], right[found]
    between = 0.5 * (left - right) / (left - 2 * peak + right)  # vertex of the parabola through three bins
    row, column = np.nonzero(found)
    return row, hz[column] + between * bin_hz, np.exp(peak)


def _series(spectrum: Floats) -> np.ndarray:
    """F0 in Hz of the strongest harmonic series of each frame, 65 to 900 Hz; the lower of two that are as good.

    The peak of the autocorrelation of a compressed spectrum (power 0.6 of the magnitude, to 3.5 kHz).
    """
    hz = np.arange(spectrum.shape[1]) * _RATE / (2 * _FRAME)
    shortest, longest = _RATE // 900, _RATE // 65
    curve = np.fft.irfft(np.where((hz > 60) & (hz < 3500), spectrum, 0) ** 0.6)[:, shortest - 1 : longest + 1]
    left, here, right = curve[:, :-2], curve[:, 1:-1], curve[:, 2:]
    good = (here >= left) & (here >= right) & (here >= 0.85 * here.max(axis=1, keepdims=True))
    lag = np.where(good.any(axis=1), here.shape[1] - 1 - good[:, ::-1].argmax(axis=1), here.argmax(axis=1))
    rows = np.arange(len(here))
    left, peak, right = left[rows, lag], here[rows, lag], right[rows, lag]
    bend = left - 2 * peak + right
    between = np.where(bend < 0, 0.5 * (left - right) / np.minimum(bend, -1e-12), 0).clip(-0.5, 0.5)
    return np.asarray(_RATE / (shortest + lag + between))
