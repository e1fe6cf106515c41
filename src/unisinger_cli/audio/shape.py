"""The same sound in another shape: rate, channels, grid."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from unisinger_cli.audio.tape import blocks, record
from unisinger_cli.types import Audio, Floats, Sound, View

_DITHERED = 1 << 16  # samples whose noise is drawn together


def resample(audio: Audio, rate: int) -> Audio:
    """The same sound at `rate` Hz (soxr, high quality); the same object where it is at that rate already."""
    import soxr

    if audio.rate == rate:
        return audio
    samples = soxr.resample(audio.samples.T, audio.rate, rate, quality="HQ").T
    return Audio(np.ascontiguousarray(samples, dtype=np.float32), rate)


def resampled(parts: Iterable[Floats], channels: int, old: int, new: int) -> Iterator[Floats]:
    """Blocks [channels, n] at `old` Hz as blocks at `new` Hz (soxr, high quality), however many there are."""
    import soxr

    stream = soxr.ResampleStream(old, new, channels, dtype="float32", quality="HQ")
    for part in parts:
        yield stream.resample_chunk(np.ascontiguousarray(part.T)).T
    yield stream.resample_chunk(np.zeros((0, channels), dtype=np.float32), last=True).T


def at_rate(sound: Sound, rate: int) -> Sound:
    """The same sound at `rate` Hz, on a tape; the same object where it is at that rate already."""
    if sound.rate == rate:
        return sound
    return record(resampled(blocks(sound), sound.channels, sound.rate, rate), sound.channels, rate)


@dataclass(frozen=True)
class _Scaled(View):
    curve: Sound | None
    gain: float

    def read(self, start: int, stop: int) -> Floats:
        found = self.sound.read(start, stop) * np.float32(self.gain)
        return found if self.curve is None else found * self.curve.read(start, stop)


def scaled(sound: Sound, gain: float, curve: Sound | None = None) -> Sound:
    """A sound times a constant and, where there is one, a curve [1, n]."""
    return _Scaled(sound, curve, gain)


@dataclass(frozen=True)
class _Long(View):
    samples: int

    @property
    def length(self) -> int:
        return self.samples

    @property
    def seconds(self) -> float:
        return self.samples / self.rate


def long(sound: Sound, samples: int) -> Sound:
    """The beginning of a sound, or all of it and silence, `samples` in all."""
    return sound if sound.length == samples else _Long(sound, samples)


class _Mono(View):
    @property
    def channels(self) -> int:
        return 1

    def read(self, start: int, stop: int) -> Floats:
        return np.asarray(self.sound.read(start, stop).mean(axis=0, keepdims=True, dtype=np.float32))


class _Stereo(View):
    @property
    def channels(self) -> int:
        return 2

    def read(self, start: int, stop: int) -> Floats:
        return np.repeat(self.sound.read(start, stop), 2, axis=0)


class _Quantised(View):
    def read(self, start: int, stop: int) -> Floats:
        return np.asarray(np.rint(self.sound.read(start, stop) * 2**23) / 2**23, dtype=np.float32)


@dataclass(frozen=True)
class _Dithered(View):
    seed: int

    def read(self, start: int, stop: int) -> Floats:
        """The noise belongs to the place, so that whoever reads it again reads the same."""
        first = start // _DITHERED
        noise = [self._noise(i) for i in range(first, -(-stop // _DITHERED))]
        dither = np.concatenate(noise, axis=1)[:, start - first * _DITHERED :][:, : stop - start]
        return np.asarray(np.rint(self.sound.read(start, stop) * 2**15 + dither) / 2**15, dtype=np.float32)

    def _noise(self, block: int) -> Floats:
        rng = np.random.default_rng((self.seed, block % 2**32))
        two = rng.random((2, self.channels, _DITHERED), dtype=np.float32)
        return np.asarray(two[0] - two[1])


def mono(sound: Sound) -> Sound:
    """The mean of the channels."""
    return sound if sound.channels == 1 else _Mono(sound)


def stereo(sound: Sound) -> Sound:
    """A mono sound on both sides, a stereo one as it is."""
    return sound if sound.channels == 2 else _Stereo(sound)


def mono_at(audio: Audio, rate: int) -> Floats:
    """The sound mixed down, at `rate` Hz: float32 [n]."""
    return resample(Audio(audio.mono()[None], audio.rate), rate).mono()


def quantised(sound: Sound, bits: str = "24", seed: int = 0) -> Sound:
    """On the grid of 24 or 16 bits, where float32 sums are exact: a mix of such stems is their sum to the last bit.

    16 bits get triangular dither (Lipshitz, Wannamaker & Vanderkooy 1992), of `seed`; "float" stays as it is.
    """
    return {"24": _Quantised(sound), "16": _Dithered(sound, seed), "float": sound}[bits]
