"""Small building blocks that several networks share: spectra, norms, ConvNeXt blocks, rotary time.

Shapes: b batch, c channels, n latent frames (or tokens), l samples, d width, h heads.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def stft(audio: Tensor, n_fft: int, hop: int) -> Tensor:
    """STFT of audio [b, l], l a multiple of hop, scaled by 1/sqrt(n_fft) -> complex [b, n_fft/2+1, l/hop].

    Frame i is centred on the middle of samples [i*hop, (i+1)*hop): that is what "on the latent clock" means.
    """
    if audio.shape[-1] % hop:
        raise ValueError(f"audio has {audio.shape[-1]} samples, not a multiple of the hop {hop}")
    pad = (n_fft - hop) // 2
    audio = F.pad(audio.float(), (pad, n_fft - hop - pad))
    window = torch.hann_window(n_fft, device=audio.device)
    return torch.stft(audio, n_fft, hop, window=window, center=False, return_complex=True) / math.sqrt(n_fft)


def stft_magnitude(audio: Tensor, n_fft: int, hop: int) -> Tensor:
    """|STFT| on the same frames, safe to derive at digital silence -> [b, n_fft/2+1, l/hop]."""
    spectrum = stft(audio, n_fft, hop)
    # sqrt(x + tiny) has a finite gradient at digital silence, abs() has none
    power = torch.view_as_real(spectrum).square().sum(-1)
    return (power + 1e-12 / n_fft).sqrt()


def overlap_add(spectrum: Tensor, hop: int) -> Tensor:
    """Inverse of `stft`: [b, n_fft/2+1, n] -> [b, n*hop]. Frames that disagree are averaged by their windows."""
    n_fft, n = 2 * (spectrum.shape[1] - 1), spectrum.shape[-1]
    window = torch.hann_window(n_fft, device=spectrum.device)
    frames = torch.fft.irfft(spectrum.transpose(1, 2), n_fft, dim=2) * (window * math.sqrt(n_fft))
    envelope = _laid_over(window.square().expand(1, n, n_fft), hop)
    first = (n_fft - hop) // 2
    return (_laid_over(frames, hop) / envelope.clamp_min(1e-2))[:, first : first + n * hop]


def _laid_over(frames: Tensor, hop: int) -> Tensor:
    """The sum of frames [b, n, l] that begin `hop` samples after each other -> [b, (n - 1) * hop + l], and up to a hop
    of zeros. (`torch.nn.functional.fold` does the same some ten times slower.)"""
    b, n, length = frames.shape
    each = -(-length // hop)  # hops that a frame lasts
    frames = F.pad(frames, (0, each * hop - length)).view(b, n, each, hop)
    total = frames.new_zeros(b, n + each - 1, hop)
    for i in range(each):
        total[:, i : i + n] += frames[:, :, i]
    return total.flatten(1)


def to_mel(hz: Tensor) -> Tensor:
    """Hz -> the HTK mel scale."""
    return 2595 * torch.log10(1 + hz / 700)


def from_mel(mel: Tensor) -> Tensor:
    """The HTK mel scale -> Hz."""
    return 700 * (10 ** (mel / 2595) - 1)


def mel_filterbank(rate: int, n_fft: int, bands: int, low: float = 0.0, high: float | None = None) -> Tensor:
    """Triangular filters on the HTK mel scale, each with unit sum -> [bands, n_fft/2+1]."""
    high = rate / 2 if high is None else high
    first, last = to_mel(torch.tensor([low, high], dtype=torch.float64, device="cpu")).tolist()
    edges = from_mel(torch.linspace(first, last, bands + 2, dtype=torch.float64))
    # a triangle narrower than the bin spacing would be empty: give it at least one bin's width
    bin_width = rate / n_fft
    left = torch.minimum(edges[:-2], edges[1:-1] - bin_width)
    right = torch.maximum(edges[2:], edges[1:-1] + bin_width)
    centre = edges[1:-1]
    bins = torch.arange(n_fft // 2 + 1, dtype=torch.float64) * bin_width
    rising = (bins[None] - left[:, None]) / (centre - left)[:, None]
    falling = (right[:, None] - bins[None]) / (right - centre)[:, None]
    filters = torch.minimum(rising, falling).clamp_min(0)
    return (filters / filters.sum(1, keepdim=True)).float()


def compress(magnitude: Tensor) -> Tensor:
    """Logarithm with a floor that digital silence cannot break through, of about unit range."""
    return 0.3 * (magnitude + 1e-3).log() + 0.3


class LogMel(nn.Module):
    """Compressed mel spectrogram on the latent clock, `stack` sub-frames side by side: [b, l] -> [b, n, stack*mels].

    Bands stop at 8 kHz by default: narrow-band recordings then look like any other.
    """

    bank: Tensor

    def __init__(self, rate: int, hop: int, mels: int, stack: int = 2, n_fft: int = 1024, high: float = 8000.0) -> None:
        super().__init__()
        self.n_fft, self.hop, self.stack = n_fft, hop // stack, stack
        self.register_buffer("bank", mel_filterbank(rate, n_fft, mels, 40.0, high), persistent=False)

    def forward(self, audio: Tensor) -> Tensor:
        mel = compress(self.bank @ stft_magnitude(audio, self.n_fft, self.hop))  # b mels n*stack
        b, m, n = mel.shape
        return mel.view(b, m, n // self.stack, self.stack).permute(0, 2, 3, 1).reshape(b, n // self.stack, -1)


class ConvNeXtBlock(nn.Module):
    """Depthwise convolution over time, then a pointwise MLP (Liu et al. 2022, as used by Vocos): [b, n, d] -> same."""

    def __init__(self, width: int, hidden: int, kernel: int = 7, dilation: int = 1, scale: float = 0.2) -> None:
        super().__init__()
        self.depthwise = nn.Conv1d(
            width, width, kernel, padding=dilation * (kernel // 2), dilation=dilation, groups=width
        )
        self.norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, hidden)
        self.down = nn.Linear(hidden, width)
        self.scale = nn.Parameter(torch.full((width,), scale))

    def forward(self, x: Tensor) -> Tensor:
        y = self.depthwise(x.transpose(1, 2)).transpose(1, 2)
        return x + self.scale * self.down(F.gelu(self.up(self.norm(y))))


def rotary_angles(times: Tensor, head_dim: int) -> Tensor:
    """Angles [..., head_dim/2] by which a token that sounds at `times` (in tokens) is turned.

    The fastest pair turns by pi per token, the slowest once in about 1,200: sharp enough to tell neighbours apart,
    slow enough to tell windows apart.
    """
    pairs = head_dim // 2
    speeds = math.pi * torch.logspace(0, -2.8, pairs, device=times.device)
    return times[..., None].float() * speeds


def rotate(x: Tensor, angles: Tensor) -> Tensor:
    """Rotary embedding (Su et al. 2021): x [b, h, n, head_dim], angles [n, head_dim/2]."""
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    first, second = x.chunk(2, dim=-1)
    return torch.cat([first * cos - second * sin, first * sin + second * cos], dim=-1)


def timestep_features(t: Tensor, width: int) -> Tensor:
    """Sinusoidal features of flow time t in 0..1: [b] -> [b, width]."""
    speeds = torch.logspace(0, 3, width // 2, device=t.device)
    angles = t.float()[:, None] * speeds
    return torch.cat([angles.cos(), angles.sin()], dim=-1)
