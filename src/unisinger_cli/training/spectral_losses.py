"""Reconstruction losses of the codec: spectra at five resolutions, levels of octaves, and how rough the sound is.

Shapes: b batch, l samples.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from unisinger_cli.model.levels import octave_of_bins
from unisinger_cli.model.ops import mel_filterbank, stft_magnitude

_SIZES = ((256, 20), (512, 40), (1024, 80), (2048, 160), (4096, 320))  # n_fft, mel bands
_FLOOR = 5e-4  # lower floors make gradients of digital silence explode
_OCTAVES = 8
_FAINT = 1e-7  # of the power of the loudest octave: what is weaker has no level to be right about
_SHALLOW = 0.05  # depth of modulation that is none
_CARRIERS_HZ = ((1400.0, 5600.0), (2800.0, 11200.0))  # whose envelopes are compared
_FAST_HZ = (30.0, 1100.0)  # pulses; slower modulations are syllables, and the spectra see them


class SpectralLoss(nn.Module):
    """Distance of two sounds [b, l] (l a multiple of 1024) as named scalars."""

    def __init__(self, rate: int) -> None:
        super().__init__()
        self.banks = nn.ParameterDict(
            {str(n): nn.Parameter(mel_filterbank(rate, n, bands), requires_grad=False) for n, bands in _SIZES}
        )
        self.rate = rate
        self.octaves = nn.Parameter(octave_of_bins(_SIZES[-1][0] // 2 + 1, _OCTAVES), requires_grad=False)

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
        found = {"mel": mel / len(_SIZES), "linear": linear / len(_SIZES), "energy": energy / len(_SIZES)}
        return {**found, "level": self._level(a, b), "modulation": self._modulation(made, real)}

    def _level(self, made: Tensor, real: Tensor) -> Tensor:
        """Distance of the powers of octaves over the crop, in bels, of the longest magnitudes [b, bins, frames].

        Medians of log spectra, which the other losses ask for, are too quiet in power; and what lies under their floor,
        as treble often does, is never corrected by them. The floor here is relative to the sound.
        """
        # without the frames that the edges of the crop are in, which spread bass into treble
        a, b = (x[..., 2:-2].square().mean(-1) @ self.octaves for x in (made, real))
        faint = _FAINT * b.amax(1, keepdim=True) + 1e-9  # less than 16-bit samples have
        return ((a + faint).log10() - (b + faint).log10()).abs().mean()

    def _modulation(self, made: Tensor, real: Tensor) -> Tensor:
        """Distance of the depths, in nepers, of the pulses in the envelopes of the upper octaves [b, l], wherever the
        pulses are."""
        total = torch.zeros((), device=made.device)
        for carrier in _CARRIERS_HZ:
            a, b = (self._depth(x, carrier) for x in (made, real))
            total = total + (a.log() - b.log()).abs().mean()
        return total / len(_CARRIERS_HZ)

    def _depth(self, sound: Tensor, carrier: tuple[float, float]) -> Tensor:
        """RMS of the fast part of the envelope of a band over the envelope's mean: [b, l] -> [b]."""
        n = sound.shape[-1]
        hz = torch.fft.fftfreq(n, 1 / self.rate, device=sound.device)
        band = torch.fft.ifft(torch.fft.fft(sound) * ((hz >= carrier[0]) & (hz < carrier[1])))
        envelope = (torch.view_as_real(band).square().sum(-1) + 1e-8).sqrt()  # safe to derive at digital silence
        fast = torch.fft.rfft(envelope) * ((hz >= _FAST_HZ[0]) & (hz <= _FAST_HZ[1]))[: n // 2 + 1]
        power = torch.view_as_real(fast).square().sum((-1, -2))
        return (2 * power / n**2 + 1e-12).sqrt() / envelope.mean(-1) + _SHALLOW
