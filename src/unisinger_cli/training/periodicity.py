"""How periodic a voice is at its known pitch, wherever its pulses are: what makes it sound voiced, or hoarse.

Spectra that are compared frame by frame find pulses at other times than those of the recording worse than none, and no
decoder can know the times from latents without phase. A decoder that learns from spectra alone lets low voices go
hoarse.

Shapes: b batch, n latent frames, l = n*hop samples.
"""

from __future__ import annotations

import torch
from torch import Tensor

from unisinger_cli.model.source import at_samples

_BANDS_HZ = ((60.0, 1400.0), (1400.0, 5600.0))
_SILENCE = 1e-7  # power


def periodicity_loss(made: Tensor, real: Tensor, hz: Tensor, rate: int) -> Tensor:
    """Mean distance of the periodicities of two sounds [b, l] in two bands, over the frames with an F0 [b, n] in Hz, 0
    where there is none: a scalar."""
    hop = real.shape[-1] // hz.shape[-1]
    f0, _ = at_samples(hz, hop, 0, hz.shape[-1])
    now = torch.arange(real.shape[-1], device=real.device)
    before = (now - (rate / f0.clamp_min(40.0)).round().long()).clamp_min(0)
    voiced = (hz > 0).float()
    voiced = voiced * (torch.arange(hz.shape[-1], device=hz.device) > 0)  # what was before the crop is not known
    total = torch.zeros((), device=made.device)
    for band in _BANDS_HZ:
        a, b = (_periodicity(_within(x, band, rate), before, hop) for x in (made, real))
        total = total + ((a - b).abs() * voiced).sum() / voiced.sum().clamp_min(1.0)
    return total / len(_BANDS_HZ)


def _within(sound: Tensor, band: tuple[float, float], rate: int) -> Tensor:
    spectrum = torch.fft.rfft(sound.float())
    hz = torch.fft.rfftfreq(sound.shape[-1], 1 / rate, device=sound.device)
    return torch.fft.irfft(spectrum * ((hz >= band[0]) & (hz < band[1])), sound.shape[-1])


def _periodicity(sound: Tensor, before: Tensor, hop: int) -> Tensor:
    """Correlation, -1..1, of each two hops of sound [b, l] with what was `before` [b, l] them: [b, n]."""
    earlier = sound.gather(1, before)
    products = torch.stack([sound * earlier, sound.square(), earlier.square()], dim=1)
    mean = torch.nn.functional.avg_pool1d(products, 2 * hop, hop, hop // 2)
    together, one, other = mean.unbind(1)
    return together / ((one + _SILENCE) * (other + _SILENCE)).sqrt()
