"""The same sound in another shape: rate, channels, grid."""

from __future__ import annotations

import numpy as np

from unisinger_cli.types import Audio, Floats


def resample(audio: Audio, rate: int) -> Audio:
    """The same sound at `rate` Hz (soxr, high quality); the same object where it is at that rate already."""
    import soxr

    if audio.rate == rate:
        return audio
    samples = soxr.resample(audio.samples.T, audio.rate, rate, quality="HQ").T
    return Audio(np.ascontiguousarray(samples, dtype=np.float32), rate)


def mono_at(audio: Audio, rate: int) -> Floats:
    """The sound mixed down, at `rate` Hz: float32 [n]."""
    return resample(Audio(audio.mono()[None], audio.rate), rate).mono()


def stereo(audio: Audio) -> Audio:
    """float32 [2, n]: a mono sound on both sides, a stereo one as it is."""
    return audio if audio.samples.shape[0] == 2 else Audio(np.repeat(audio.samples, 2, axis=0), audio.rate)


def quantised(audio: Audio) -> Audio:
    """On the 24-bit grid, where float32 sums are exact: a mix of such stems is their sum to the last bit."""
    return Audio(np.asarray(np.rint(audio.samples * 2**23) / 2**23, dtype=np.float32), audio.rate)
