"""The harmonic source of the codec's decoder: a pulse train that follows F0, and the filter that shapes it.

A phase-free latent tells the decoder how loud each frequency is, but phases that agree from frame to frame are hard to
invent, and a low voice comes out hoarse. Where the pitch is known, and for a singing voice it always is, the harmonics
are taken from it instead, as in neural source-filter models (Wang et al. 2019, arXiv 1904.12088) and DDSP (Engel et
al. 2020, arXiv 2001.04643); what is not harmonic stays with the rest of the decoder.

Shapes: b batch, n latent frames, l = n*hop samples.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

HIGHEST_HARMONIC = 12000.0  # Hz; above it a voice is noise
_SHORTEST = 1e-3  # of sin(phase/2), below which the sum of cosines takes its limit


def pulse_train(hz: Tensor, hop: int, rate: int) -> Tensor:
    """Sum of the cosines of all harmonics up to HIGHEST_HARMONIC, each of amplitude 1: F0 [b, n] in Hz -> [b, n*hop].

    `hz` is the pitch at each frame's centre, 0 where unvoiced; there the train fades out over a hop.
    """
    voiced = (hz > 0).double()
    each = _to_samples(voiced, hop)
    # pitch is interpolated between voiced neighbours only
    f0 = _to_samples(hz.double(), hop) / each.clamp_min(1e-9)
    f0 = torch.where(each > 0, f0, torch.zeros_like(f0))
    phase = 2 * math.pi * torch.remainder(torch.cumsum(f0 / rate, dim=-1), 1.0)
    count = HIGHEST_HARMONIC / f0.clamp_min(20.0)
    whole = count.floor()
    half = (phase / 2).sin()
    kernel = ((whole + 0.5) * phase).sin() / (2 * half.clamp_min(_SHORTEST)) - 0.5  # Dirichlet's, phase in 0..2 pi
    kernel = torch.where(half > _SHORTEST, kernel, whole)
    kernel = kernel + (count - whole) * ((whole + 1) * phase).cos()  # the topmost fades in, as the pitch falls
    return (kernel * each).float()


def _to_samples(values: Tensor, hop: int) -> Tensor:
    """Linear interpolation from frame centres: [b, n] -> [b, n*hop]."""
    return torch.nn.functional.interpolate(values[:, None], scale_factor=float(hop), mode="linear")[:, 0]


def band_weights(bands: int, bins: int, rate: int) -> Tensor:
    """Interpolation from `bands` points, equally spaced in mel over 0..rate/2, to linear bins: [bands, bins]."""
    mel = 2595 * torch.log10(1 + torch.linspace(0, rate / 2, bins, dtype=torch.float64) / 700)
    at = mel / mel[-1] * (bands - 1)
    return (1 - (at[None] - torch.arange(bands, dtype=torch.float64)[:, None]).abs()).clamp_min(0).float()


def minimum_phase(log_magnitude: Tensor) -> Tensor:
    """The causal filter of a log-magnitude [..., bins], by folding its cepstrum (Oppenheim & Schafer, sec. 13.5.4):
    complex [..., bins]. Pulses sent through it sound as from a throat, in zero phase they would buzz."""
    bins = log_magnitude.shape[-1]
    fold = torch.zeros(2 * (bins - 1), device=log_magnitude.device)
    fold[0] = fold[bins - 1] = 1
    fold[1 : bins - 1] = 2
    return torch.fft.rfft(torch.fft.irfft(log_magnitude, len(fold), dim=-1) * fold, dim=-1).exp()
