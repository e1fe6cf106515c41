"""Recordings as somebody else might have said them: another pitch and other formants, the same words and times.

A vocoder of source and filter, in torch, so that it runs beside the training on the GPU and never speaks twice alike.
The filter is the power spectrum, smoothed over one harmonic (as in CheapTrick, Morise 2015, Speech Communication 67);
the source is one pulse a period and noise. What a content encoder still hears in the result is what was said
(information perturbation, Choi et al. 2021, arXiv 2110.14513).

Shapes: b batch, l samples, n latent frames, f bins, t frames of the vocoder.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from unisinger_cli.model.ops import overlap_add, stft
from unisinger_cli.model.source import smooth

_N_FFT, _FINER = 2048, 4  # frames of the vocoder are a quarter of a latent frame apart
_WIDE = 200.0  # Hz over which voiceless spectra are smoothed
_HOARSE = (3000.0, 9000.0)  # Hz, above which the source is noise: drawn for each recording
_SLOPE = 800.0  # Hz over which pulses give way to noise


def _at(values: Tensor, place: Tensor) -> Tensor:
    """Values [b, f, t] read at fractional bins [b, f', t]."""
    left = place.long().clamp(0, values.shape[1] - 2)
    return torch.lerp(values.gather(1, left), values.gather(1, left + 1), (place - left).to(values.dtype))


def _pulses(hz: Tensor, rate: int) -> Tensor:
    """One pulse a period of F0 [b, l], of unit power; each falls on the two samples next to it. 0 Hz: none."""
    step = (hz / rate).double()
    phase = step.cumsum(1)
    turns = phase.floor()
    begins = turns > F.pad(turns, (1, 0))[:, :-1]
    late = ((phase - turns) / step.clamp_min(1e-9)).clamp(0, 1)  # of a sample, since the turn
    height = begins * (1 / step.clamp_min(1e-9)).sqrt()
    return (height * (1 - late) + F.pad(height * late, (0, 1))[:, 1:]).float()


def revoiced(
    audio: Tensor, hz: Tensor, pitch: Tensor, formants: Tensor, rate: int, generator: torch.Generator | None = None
) -> Tensor:
    """Voices [b, l] at `pitch` [b] times their F0, with their formants at `formants` [b] times their frequencies.

    `hz` [b, n] is the F0 of each latent frame, 0 where unvoiced; l is a multiple of n. Durations and loudness stay.
    """
    hop = audio.shape[1] // hz.shape[1] // _FINER
    fine = hz.repeat_interleave(_FINER, 1)  # b t
    power = torch.view_as_real(stft(audio, _N_FFT, hop)).square().sum(-1)
    bin_hz = rate / _N_FFT
    width = torch.where(fine > 0, fine, torch.full_like(fine, _WIDE)).clamp_min(3 * bin_hz) / bin_hz
    envelope = smooth(smooth(power, width), width).clamp_min(1e-12)
    bins = torch.arange(envelope.shape[1], device=audio.device)[:, None] / formants[:, None, None]
    envelope = _at(envelope, bins.clamp_max(envelope.shape[1] - 1).expand_as(envelope))
    wanted = F.interpolate((fine * pitch[:, None])[:, None], audio.shape[1], mode="nearest")[:, 0]
    drawn = torch.rand(len(audio), 1, 1, device=audio.device, generator=generator)
    hoarse = _HOARSE[0] + (_HOARSE[1] - _HOARSE[0]) * drawn
    noise = torch.randn(audio.shape, device=audio.device, generator=generator)
    breath = torch.sigmoid((torch.arange(envelope.shape[1], device=audio.device)[:, None] * bin_hz - hoarse) / _SLOPE)
    breath = torch.where(fine[:, None] > 0, breath, torch.ones_like(breath))
    voiced, voiceless = (stft(source, _N_FFT, hop) for source in (_pulses(wanted, rate), noise))
    made = overlap_add(envelope.sqrt() * (voiced * (1 - breath).sqrt() + voiceless * breath.sqrt()), hop)
    loudness = [(x.square().mean(1, keepdim=True) + 1e-9).sqrt() for x in (audio, made)]
    return made * loudness[0] / loudness[1]
