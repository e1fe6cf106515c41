"""The harmonics of a voice: a pulse train that follows F0, shaped by the envelope of the spectrum that is decoded.

A phase-free latent tells the decoder how loud each frequency is, but phases that agree from frame to frame are hard to
invent, and a low voice comes out hoarse. Where the pitch is known, and for a singing voice it always is, the harmonics
are taken from it instead, as in neural source-filter models (Wang et al. 2019, arXiv 1904.12088) and DDSP (Engel et
al. 2020, arXiv 2001.04643); what is not harmonic stays with the rest of the decoder.

Shapes: b batch, n latent frames, l = n*hop samples, k bins.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from unisinger_cli.model.ops import stft, to_mel

HIGHEST_HARMONIC = 12000.0  # Hz; above it a voice is noise
_LOWEST_F0 = 40.0  # Hz
_SHORTEST = 1e-3  # of sin(phase/2), below which the sum of cosines takes its limit


@dataclass(frozen=True)
class Harmonics:
    """The source of a voice: F0 at each frame's centre in Hz, 0 where unvoiced [b, n], and its pulses [b, l]."""

    hz: Tensor
    pulses: Tensor

    def crop(self, first: int, last: int, hop: int) -> Harmonics:
        """Frames first..last."""
        return Harmonics(self.hz[:, first:last], self.pulses[:, first * hop : last * hop])


def harmonics(
    hz: Tensor, hop: int, rate: int, first: int = 0, last: int | None = None, phase: Tensor | None = None
) -> Harmonics:
    """F0 [b, n] in Hz, 0 where unvoiced -> frames first..last of it and the pulses that go with them.

    `phase` [b] is that of `phases` at frame `first`; it may be left out for 0.
    """
    last = hz.shape[1] if last is None else last
    f0, voiced = at_samples(hz, hop, first, last)
    return Harmonics(hz[:, first:last], _pulses(f0, voiced, rate, phase))


def phases(hz: Tensor, hop: int, rate: int, stretch: int = 128) -> Tensor:
    """Cycles, 0..1, that have gone since the last whole one at the beginning of each frame of F0: [b, n] -> [b, n]."""
    found = torch.zeros(hz.shape, dtype=torch.float64, device=hz.device)
    total = torch.zeros(hz.shape[0], 1, dtype=torch.float64, device=hz.device)
    for first in range(0, hz.shape[1], stretch):
        last = min(first + stretch, hz.shape[1])
        f0, _ = at_samples(hz, hop, first, last)
        gone = total + torch.cumsum(f0.unflatten(1, (-1, hop)).sum(2) / rate, dim=1)
        found[:, first:last] = torch.cat([total, gone[:, :-1]], dim=1)
        total = gone[:, -1:]
    return torch.remainder(found, 1.0)


def _pulses(f0: Tensor, voiced: Tensor, rate: int, phase: Tensor | None) -> Tensor:
    """Cosines of all harmonics up to HIGHEST_HARMONIC, equally loud, of unit power together: [b, l] -> [b, l].

    Where the voice stops, the train fades out over a hop.
    """
    before = 0.0 if phase is None else phase[:, None]
    angle = 2 * math.pi * torch.remainder(before + torch.cumsum(f0 / rate, dim=-1), 1.0)
    count = HIGHEST_HARMONIC / f0.clamp_min(_LOWEST_F0)
    whole = count.floor()
    half = (angle / 2).sin()
    kernel = ((whole + 0.5) * angle).sin() / (2 * half.clamp_min(_SHORTEST)) - 0.5  # Dirichlet's, angle in 0..2 pi
    kernel = torch.where(half > _SHORTEST, kernel, whole)
    kernel = kernel + (count - whole) * ((whole + 1) * angle).cos()  # the topmost fades in, as the pitch falls
    return (kernel * voiced * (2 / count).sqrt()).float()


def at_samples(hz: Tensor, hop: int, first: int, last: int) -> tuple[Tensor, Tensor]:
    """F0 and voicing (0..1) at every sample of frames first..last, interpolated from frame centres: [b, n] -> two
    [b, (last - first) * hop]. F0 is interpolated between voiced neighbours only."""
    left, right = max(0, first - 1), min(hz.shape[1], last + 1)
    near = hz[:, left:right].double()
    inside = slice((first - left) * hop, (last - left) * hop)
    voiced, f0 = (
        torch.nn.functional.interpolate(x[:, None], scale_factor=float(hop), mode="linear")[:, 0, inside]
        for x in ((near > 0).double(), near)
    )
    f0 = f0 / voiced.clamp_min(1e-9)
    return torch.where(voiced > 0, f0, torch.zeros_like(f0)), voiced


def with_harmonics(spectrum: Tensor, periodic: Tensor, source: Harmonics, hop: int, rate: int) -> Tensor:
    """Replace the share `periodic` (0..1, [b, k, n]) of a voice's spectrum [b, k, n] by pulses of the same envelope.

    Powers add up: what the pulses bring, the spectrum loses.
    """
    n_fft = 2 * (spectrum.shape[1] - 1)
    bin_hz = rate / n_fft
    width = source.hz.clamp_min(_LOWEST_F0) / bin_hz
    envelope = smooth(spectrum.abs().square(), width)
    excitation = stft(source.pulses, n_fft, hop)
    top = int(HIGHEST_HARMONIC / bin_hz)
    # power of the pulses in a bin, smoothed likewise: the same for every F0
    level = 0.375 * n_fft * bin_hz / (2 * HIGHEST_HARMONIC)
    sounding = (excitation[:, :top].abs().square().mean(1, keepdim=True) / level).clamp(0, 1)
    share = periodic * sounding
    share = torch.cat([share[:, :top], torch.zeros_like(share[:, top:])], dim=1)
    shape = minimum_phase(0.5 * (envelope / level + 1e-9).log().transpose(1, 2)).transpose(1, 2)
    return (1 - share + 1e-6).sqrt() * spectrum + (share + 1e-6).sqrt() * shape * excitation


def smooth(power: Tensor, width: Tensor) -> Tensor:
    """Mean of power [b, k, n] over `width` [b, n] bins around each bin, at the edges over what there is.

    Over a width of F0 it takes in one harmonic, wherever it stands (as CheapTrick does: Morise 2015).
    """
    bins = power.shape[1]
    # bins last, as a spectrum lies in memory: half the time
    total = torch.nn.functional.pad(power.transpose(1, 2).double().cumsum(2), (1, 0))  # up to each bin's lower edge
    centre = torch.arange(bins, device=power.device) + 0.5
    low = (centre - width[..., None] / 2).clamp(0, bins)
    high = (centre + width[..., None] / 2).clamp(0, bins)

    def until(edge: Tensor) -> Tensor:
        at = edge.long().clamp_max(bins - 1)
        return total.gather(2, at).lerp(total.gather(2, at + 1), (edge - at).double())

    return ((until(high) - until(low)).to(power.dtype) / (high - low)).clamp_min(0).transpose(1, 2)


def band_weights(bands: int, bins: int, rate: int) -> Tensor:
    """Interpolation from `bands` points, equally spaced in mel over 0..rate/2, to linear bins: [bands, bins]."""
    mel = to_mel(torch.linspace(0, rate / 2, bins, dtype=torch.float64))
    at = mel / mel[-1] * (bands - 1)
    return (1 - (at[None] - torch.arange(bands, dtype=torch.float64)[:, None]).abs()).clamp_min(0).float()


def minimum_phase(log_magnitude: Tensor) -> Tensor:
    """The causal filter of a log-magnitude [..., bins], by folding its cepstrum (Oppenheim & Schafer, sec. 13.5.4):
    complex [..., bins]. Pulses sent through it sound as from a throat, in zero phase they would buzz."""
    bins = log_magnitude.shape[-1]
    at = torch.arange(2 * (bins - 1), device=log_magnitude.device)
    # no number is written into a tensor: a CUDA graph cannot capture that
    fold = (at < bins).float() + ((at > 0) & (at < bins - 1)).float()
    return torch.fft.rfft(torch.fft.irfft(log_magnitude, len(fold), dim=-1) * fold, dim=-1).exp()
