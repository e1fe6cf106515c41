"""Condition -> sound: the one tail of both verbs. Sample, decode, place in the stereo picture."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from unisinger_cli.audio import stereo
from unisinger_cli.pipeline.reporter import Reporter
from unisinger_cli.pipeline.studio import Studio
from unisinger_cli.requests import SamplerConfig
from unisinger_cli.stages.decode import decode
from unisinger_cli.stages.sample import sample
from unisinger_cli.types import Audio, Condition, Floats, Stems

ACCOMP_GAIN = 10 ** (-4 / 20)  # the model sings and plays about equally loud; a song wants the voice in front
WIDTH = 0.35  # of the accompaniment's side signal, against its middle
_DELAYS_MS, _FEEDBACK = (7.3, 11.9, 17.7), 0.6


def widen(mono: Audio) -> Audio:
    """Stereo whose mid is the mono sound itself: the sides get it through all-pass filters in series, with opposite
    signs, so that it folds back to mono without a trace (Schroeder 1961, "colorless" reverberation)."""
    from scipy.signal import lfilter

    middle = mono.samples[0].astype(np.float64)
    side = middle
    for delay in _DELAYS_MS:
        numerator = np.zeros(round(delay * mono.rate / 1000) + 1)
        denominator = numerator.copy()
        numerator[0], numerator[-1] = -_FEEDBACK, 1.0
        denominator[0], denominator[-1] = 1.0, -_FEEDBACK
        side = lfilter(numerator, denominator, side)
    side = WIDTH * side
    return Audio(np.stack([middle + side, middle - side]).astype(np.float32), mono.rate)


def render(
    studio: Studio,
    condition: Condition,
    sampler: SamplerConfig,
    samples: int,
    reporter: Reporter,
    shape_vocal: Callable[[Floats], Floats] = lambda vocal: vocal,
) -> Stems:
    """Sing (and play) a condition: stems of exactly `samples` samples, before mastering.

    `shape_vocal` may change the mono vocal [n], such as to follow the dynamics of a recording.
    """
    reporter.stage("sampling")
    latents = sample(studio.model, condition, sampler, reporter.step)
    reporter.stage("decoding")
    pitch = {"vocal": condition.pitch}
    sounds = {group: _fit(decode(studio.model, z, pitch.get(group)), samples) for group, z in latents.items()}
    vocal = Audio(shape_vocal(sounds["vocal"].samples[0])[None], studio.rate)
    accomp = sounds.get("accomp")
    if accomp is not None:
        accomp = widen(Audio(accomp.samples * np.float32(ACCOMP_GAIN), accomp.rate))
    return Stems(stereo(vocal), accomp)


def _fit(audio: Audio, samples: int) -> Audio:
    short = max(0, samples - audio.samples.shape[1])
    return Audio(np.pad(audio.samples, ((0, 0), (0, short)))[:, :samples], audio.rate)
