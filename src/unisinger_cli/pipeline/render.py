"""Condition -> sound: the one tail of both verbs. Sample, decode, place in the stereo picture."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from unisinger_cli.audio import Tape, blocks, long, scaled, stereo
from unisinger_cli.pipeline.reporter import Reporter
from unisinger_cli.pipeline.studio import Studio
from unisinger_cli.requests import SamplerConfig
from unisinger_cli.stages.decode import decode
from unisinger_cli.stages.sample import sample
from unisinger_cli.types import Condition, Sound, Stems

ACCOMP_GAIN = 10 ** (-4 / 20)  # the model sings and plays about equally loud; a song wants the voice in front
WIDTH = 0.35  # of the accompaniment's side signal, against its middle
_DELAYS_MS, _FEEDBACK = (7.3, 11.9, 17.7), 0.6


class _AllPass:
    """Schroeder's all-pass filter (1961): y[n] = v[n-d] - g x[n], where v[n] = x[n] + g y[n], for a stream of blocks.

    Whole delays of `d` samples are worked on at once, which a filter of d coefficients, nearly all zero, is not.
    """

    def __init__(self, delay: int, gain: float = _FEEDBACK) -> None:
        self._gain, self._kept = gain, np.zeros(delay)  # the last d values of v, the oldest first

    def __call__(self, block: NDArray[np.float64]) -> NDArray[np.float64]:
        delay = len(self._kept)
        fed = np.concatenate([self._kept, np.empty_like(block)])
        out = np.empty_like(block)
        for start in range(0, len(block), delay):
            x = block[start : start + delay]
            y = fed[start : start + len(x)] - self._gain * x
            out[start : start + len(x)] = y
            fed[start + delay : start + delay + len(x)] = x + self._gain * y
        self._kept = fed[len(block) :]
        return out


def widen(middle: Sound) -> Tape:
    """Stereo whose mid is the mono sound itself: the sides get it through all-pass filters in series, with opposite
    signs, so that it folds back to mono without a trace (Schroeder 1961, "colorless" reverberation)."""
    filters = [_AllPass(round(delay * middle.rate / 1000)) for delay in _DELAYS_MS]
    wide = Tape(2, middle.rate)
    for block in blocks(middle):
        mid = block[0].astype(np.float64)
        side = mid
        for one in filters:
            side = one(side)
        wide.append(np.stack([mid + WIDTH * side, mid - WIDTH * side]).astype(np.float32))
    return wide


def render(
    studio: Studio,
    condition: Condition,
    sampler: SamplerConfig,
    samples: int,
    reporter: Reporter,
    shape_vocal: Callable[[Sound], Sound] = lambda vocal: vocal,
) -> Stems:
    """Sing (and play) a condition: stems of exactly `samples` samples, before mastering.

    `shape_vocal` may change the mono vocal, such as to follow the dynamics of a recording.
    """
    reporter.stage("sampling")
    latents = sample(studio.model, condition, sampler, reporter.step)
    reporter.stage("decoding")
    vocal = shape_vocal(long(decode(studio.model, latents["vocal"], condition.pitch, reporter.step), samples))
    if "accomp" not in latents:
        return Stems(stereo(vocal), None)
    played = long(decode(studio.model, latents["accomp"], step=reporter.step), samples)
    return Stems(stereo(vocal), widen(scaled(played, ACCOMP_GAIN)))
