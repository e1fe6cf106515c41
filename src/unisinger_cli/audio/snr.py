"""How much noise is in a recording of anything: speech, singing, a whole band."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from unisinger_cli.types import Audio

CLEAN, WORST = 60.0, -10.0  # dB; the range of what is told
_FRAME = 8192  # samples: partials of a chord stand apart, and there are valleys between them
_LOWEST = 80.0  # Hz; hum and rumble below are filtered away by whoever minds them
_BANDS_PER_OCTAVE = 3
_QUANTILE = 0.02
_SILENT = 1e-7  # of the loudest frame's power: digital silence, where no noise could be measured
_BLOCK = 128  # frames, 24 s at 44.1 kHz, that are measured at a time: what is noise may change in a recording


def snr(audio: Audio) -> float:
    """Signal-to-noise ratio in dB, estimated from the recording alone, within WORST..CLEAN.

    Noise fills time and frequency evenly within a band of a third of an octave; voices and instruments leave pauses
    and, between their partials, valleys. So the noise of a band is told from the 2 % quantile of its power over all
    frames and bins, in the manner of minimum statistics (Martin, IEEE Trans. Speech Audio Process. 9, 2001), the
    power of Gaussian noise in a bin being exponentially distributed.

    A rustle that is meant (cymbals) and the blur of many partials count as noise. Measured: speech with noise added at
    0 to 20 dB is told within 3 dB; clean mixes of a voice and a band came out at 9 to 36 dB, rock lowest, and 7 to 9 dB
    with noise added at 10 dB.
    """
    mono = audio.mono()
    count = len(mono) // _FRAME
    if not count:
        return WORST
    window = np.hanning(_FRAME).astype(np.float32)
    power = np.abs(np.fft.rfft(mono[: count * _FRAME].reshape(count, _FRAME) * window)) ** 2
    level = power.sum(axis=1)
    power = power[level > _SILENT * level.max()] if level.max() > 0 else power[:0]
    hz = np.fft.rfftfreq(_FRAME, 1 / audio.rate)
    octaves = np.log2(hz[-1] / _LOWEST)
    edges = np.searchsorted(hz, _LOWEST * 2 ** np.linspace(0, octaves, max(2, round(octaves * _BANDS_PER_OCTAVE))))
    total = noise = 0.0
    for start in range(0, len(power), _BLOCK):
        block = power[start : start + _BLOCK]
        for low, high in pairwise(edges):
            tile = block[:, low:high]
            if tile.size:
                total += float(tile.sum())
                noise += tile.size * float(np.quantile(tile, _QUANTILE)) / -np.log1p(-_QUANTILE)
    if total <= 0:
        return WORST
    ratio = max(total - noise, 1e-9 * total) / max(noise, 1e-9 * total)
    return float(np.clip(10 * np.log10(ratio), WORST, CLEAN))
