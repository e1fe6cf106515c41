"""Reconstruction losses of the codec, at five resolutions.

Shapes: b batch, l samples.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from unisinger_cli.model.ops import mel_filterbank, stft_magnitude

_SIZES = ((256, 20), (512, 40), (1024, 80), (2048, 160), (4096, 320))  # n_fft, mel bands
_FLOOR = 5e-4  # lower floors make gradients of digital silence explode


class SpectralLoss(nn.Module):
    """Distance of two sounds [b, l] (l a multiple of 1024) as named scalars."""

    def __init__(self, rate: int) -> None:
        super().__init__()
        self.banks = nn.ParameterDict(
            {str(n): nn.Parameter(mel_filterbank(rate, n, bands), requires_grad=False) for n, bands in _SIZES}
        )

    def forward(self, made: Tensor, real: Tensor) -> dict[str, Tensor]:
        mel = linear = energy = torch.zeros((), device=made.device)
        for n_fft, _ in _SIZES:
            a, b = (stft_magnitude(x, n_fft, n_fft // 4) for x in (made, real))
            bank = self.banks[str(n_fft)]
            mel_a, mel_b = bank @ a, bank @ b
            mel = mel + ((mel_a + _FLOOR).log10() - (mel_b + _FLOOR).log10()).abs().mean()
            log_difference = ((a + _FLOOR).log() - (b + _FLOOR).log()).abs().mean()
            linear = linear + 0.5 * log_difference + (a - b).abs().mean() / b.mean().clamp_min(_FLOOR)
            # levels per band over the whole crop: log-spectral medians alone leave voices some 2 dB too loud
            level = [(m.square().mean(-1) + _FLOOR**2).log10() for m in (mel_a, mel_b)]
            energy = energy + (level[0] - level[1]).abs().mean()
        return {"mel": mel / len(_SIZES), "linear": linear / len(_SIZES), "energy": energy / len(_SIZES)}
