"""Discriminator for the codec: three complex spectrogram resolutions, light 2-D convolutions over the full band.

After the multi-resolution discriminators of UnivNet (Jang et al. 2021) and DAC (Kumar et al. 2023), with the
frequency as a third input channel, so that one filter may judge bass and treble differently.

Shapes: b batch, l samples, f bins, n frames.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

_STRIDES = (1, 2, 2, 2, 1)  # along frequency


class SpectrogramJudge(nn.Module):
    """One resolution: [b, l] -> feature maps, the last of them the verdicts."""

    def __init__(self, n_fft: int) -> None:
        super().__init__()
        self.n_fft = n_fft
        widths = (3, 32, 32, 32, 64, 64)
        self.layers = nn.ModuleList(
            weight_norm(nn.Conv2d(i, o, (9, 3) if s == 2 else (3, 3), (s, 1), (4, 1) if s == 2 else (1, 1)))
            for i, o, s in zip(widths[:-1], widths[1:], _STRIDES, strict=True)
        )
        self.verdict = weight_norm(nn.Conv2d(64, 1, (3, 3), padding=(1, 1)))

    def forward(self, audio: Tensor) -> list[Tensor]:
        window = torch.hann_window(self.n_fft, device=audio.device)
        spectrum = torch.stft(audio.float(), self.n_fft, self.n_fft // 4, window=window, return_complex=True)
        parts = torch.view_as_real(spectrum) / self.n_fft**0.5  # b f n 2
        magnitude = (parts.square().sum(-1, keepdim=True) + 1e-8).sqrt()
        parts = parts / magnitude.sqrt()  # compressed, as the ear does, phase kept
        height = torch.linspace(-1, 1, parts.shape[1], device=audio.device).view(1, -1, 1, 1)
        x = torch.cat([parts, height.expand(*parts.shape[:3], 1)], dim=-1).permute(0, 3, 1, 2)
        maps = []
        with torch.autocast(audio.device.type, torch.bfloat16, enabled=audio.device.type == "cuda"):
            for layer in self.layers:
                x = nn.functional.leaky_relu(layer(x), 0.1)
                maps.append(x)
            maps.append(self.verdict(x))
        return maps


class Adversary(nn.Module):
    """All resolutions; hinge losses and relative feature matching."""

    def __init__(self) -> None:
        super().__init__()
        self.judges = nn.ModuleList(SpectrogramJudge(n) for n in (2048, 1024, 512))

    def judge_loss(self, made: Tensor, real: Tensor) -> Tensor:
        """Hinge loss of the discriminator itself."""
        total = torch.zeros((), device=made.device)
        for judge in self.judges:
            fake, true = judge(made)[-1].float(), judge(real)[-1].float()
            total = total + (1 + fake).relu().mean() + (1 - true).relu().mean()
        return total / len(self.judges)

    def maker_losses(self, made: Tensor, real: Tensor) -> dict[str, Tensor]:
        """What the codec minimises: hinge loss, and distance of feature maps relative to their size."""
        hinge = features = torch.zeros((), device=made.device)
        for judge in self.judges:
            fake = judge(made)
            with torch.no_grad():
                true = judge(real)
            hinge = hinge - fake[-1].float().mean()
            for a, b in zip(fake[:-1], true[:-1], strict=True):
                features = features + (a - b).abs().float().mean() / b.abs().float().mean().clamp_min(1e-3) / len(
                    _STRIDES
                )
        return {"hinge": hinge / len(self.judges), "features": features / len(self.judges)}
