"""How near a sound comes to the one it was made from: what the part "codec" measures. All sounds are float [n] of one
rate."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from unisinger_cli.evaluation.spectra import mel
from unisinger_cli.stages.pitch import HIGHEST
from unisinger_cli.types import Floats

Doubles = NDArray[np.float64]
SIZES = ((256, 20), (512, 40), (1024, 80), (2048, 160), (4096, 320))  # n_fft, mel bands
FLOOR = 5e-4  # added to magnitudes: what lies far below it is silence
OCTAVES = 8
FADE = 0.1  # s, at either end of a sound whose levels are measured
RANGE = 60.0  # dB under the loudest octave, below which there is nothing to be right about
CARRIER_HZ = (1700.0, 6900.0)
SLOWEST = 30.0  # Hz; slower modulations are syllables and vibrato


def log_mel_l1(made: Floats, real: Floats, rate: int) -> float:
    """Mean |ln(a + 5e-4) - ln(b + 5e-4)| of mel magnitudes, over five STFTs of 256 to 4096 samples, hops of a quarter.

    In natural logarithms, so that 0.1 is 0.87 dB. The loss that the codec is trained with is the same in decimal ones:
    0.434 times as large.
    """
    n = min(len(made), len(real))
    errors = []
    for n_fft, bands in SIZES:
        a, b = (np.log(mel(x[:n], rate, bands, n_fft, n_fft // 4) + FLOOR) for x in (made, real))
        errors.append(np.abs(a - b).mean())
    return float(np.mean(errors))


def octaves(rate: int) -> Doubles:
    """The lower edges of the eight octaves below half the rate, Hz: at 44.1 kHz 86 to 11,025."""
    return np.asarray(rate / 2 / 2.0 ** np.arange(OCTAVES, 0, -1), dtype=np.float64)


def octave_levels(samples: Floats, rate: int) -> Doubles:
    """Mean power of a sound in each of the eight octaves, dB [8]; a full-scale sine has -3 dB.

    The ends are faded: the step of a clip that is cut off in a vowel was seen to put -46 dB into an empty top octave.
    """
    fade = np.hanning(2 * min(round(FADE * rate), len(samples) // 4) + 1)
    window = np.concatenate([fade[: len(fade) // 2], np.ones(len(samples) - len(fade) + 1), fade[-(len(fade) // 2) :]])
    power = np.square(np.abs(np.fft.rfft(samples * window))) * 2 / np.square(window).sum() / len(samples)
    octave = np.searchsorted(octaves(rate), np.fft.rfftfreq(len(samples), 1 / rate), side="right") - 1
    inside = octave >= 0
    total = np.bincount(octave[inside], power[inside], OCTAVES)
    return np.asarray(10 * np.log10(total + 1e-20), dtype=np.float64)


def level_errors(made: Floats, real: Floats, rate: int) -> Doubles:
    """How many dB too loud each octave is, [8]; NaN where the real sound has next to nothing there, as recordings at
    16 kHz above 8 kHz."""
    a, b = (octave_levels(x, rate) for x in (made, real))
    return np.where(b > b.max() - RANGE, a - b, np.nan)


def modulation(samples: Floats, rate: int) -> float:
    """How deeply the envelope of 1.7 to 6.9 kHz is modulated at 30 to 1,100 Hz, where the pulses of a voice are: RMS of
    that part of the envelope over its mean. 0 for silence.

    The envelope is the magnitude of the analytic signal (Gabor 1946). A smeared pulse train has less of it, at the same
    spectrum. More than the original has is no merit: Griffin-Lim's beating harmonics are as rough as a voice, at other
    times.
    """
    n = len(samples)
    spectrum = np.fft.fft(samples.astype(np.float64))
    hz = np.fft.fftfreq(n, 1 / rate)
    envelope = np.abs(np.fft.ifft(np.where((hz >= CARRIER_HZ[0]) & (hz < CARRIER_HZ[1]), 2 * spectrum, 0)))
    mean = float(envelope.mean())
    power = np.square(np.abs(np.fft.rfft(envelope)))
    at = np.fft.rfftfreq(n, 1 / rate)
    fast = float(np.sqrt(2 * power[(at >= SLOWEST) & (at <= HIGHEST)].sum()) / n)
    return fast / mean if mean > 1e-9 else 0.0
