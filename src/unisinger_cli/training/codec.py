"""Training of the codec: spectral reconstruction and KL, with an adversary in the second part of the run; and of its
decoder alone, while the latents that others have learned from stay as they are."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from unisinger_cli.model.codec import Codec
from unisinger_cli.model.source import Harmonics, harmonics
from unisinger_cli.training.adversary import Adversary
from unisinger_cli.training.dataset import AudioBank
from unisinger_cli.training.loop import Trainee
from unisinger_cli.training.optim import Phase
from unisinger_cli.training.periodicity import periodicity_loss
from unisinger_cli.training.spectral_losses import SpectralLoss

_SAMPLES = 65536  # per crop
_JUDGED = 16384  # samples of a crop, and half the crops, are shown to the adversary
_INEXACT = 0.3  # noise on half of the latents that a decoder learns from, at most, in standard deviations
_WEIGHTS = {
    "mel": 45.0,
    "linear": 1.0,
    "energy": 4.0,
    "level": 20.0,
    "modulation": 4.0,
    "periodicity": 5.0,
    "kl": 1e-5,
    "hinge": 0.5,
    "features": 2.0,
}
_PLAIN = {"mel": 45.0, "linear": 1.0, "kl": 1e-3}  # all that the baseline is trained with


class CodecBatch:
    """Crops of voices, accompaniments and their sums, at random levels.

    `hz` is the F0 of the bank of voices, one number per latent frame, 0 where unvoiced or not known.
    """

    def __init__(
        self,
        voices: AudioBank,
        hz: Tensor,
        accompaniments: AudioBank | None,
        size: int,
        rate: int,
        *,
        sourced: bool = True,
    ) -> None:
        self.voices, self.accompaniments, self.size, self.rate = voices, accompaniments, size, rate
        self.sourced = sourced
        self.hz = torch.stack([hz, bridged(hz)])

    def draw(self) -> tuple[Tensor, Harmonics | None]:
        """Sound [b, l], and, where it is `sourced`, the harmonics of those crops that are a voice alone."""
        clips = self.voices.choose(self.size)
        voice, starts = self.voices.random(clips, _SAMPLES)
        voice = voice * self._gain(voice.device)
        index = torch.arange(self.size, device=voice.device)
        kind = index[:, None] / self.size
        if self.accompaniments is None:
            sung, sound = torch.ones_like(kind), voice
        else:
            clips = self.accompaniments.choose(self.size)
            accompaniment, _ = self.accompaniments.random(clips, _SAMPLES)
            accompaniment = accompaniment * self._gain(voice.device)
            sung = (kind < 0.75).float()  # 45 % voices, 30 % sums, 25 % accompaniments
            played = (kind >= 0.45).float()
            sound = voice * sung + accompaniment * played
            sung = 1 - played
        if not self.sourced:
            return sound, None
        hop = self.voices.hop
        frames = (starts // hop)[:, None] + torch.arange(_SAMPLES // hop, device=voice.device)
        # every second voice hears its pitch through its consonants too, as a score does not stop for them; and one
        # in eight hears none
        hz = self.hz[(index % 2)[:, None], frames] * sung * (index % 8 != 7)[:, None]
        return sound, harmonics(hz, hop, self.rate)

    def _gain(self, device: torch.device) -> Tensor:
        return 10 ** ((torch.rand(self.size, 1, device=device) * 18 - 12) / 20)


def bridged(hz: Tensor, longest: int = 12) -> Tensor:
    """F0 [n] with gaps of up to `longest` frames filled by a straight line in log-F0."""
    track = hz.cpu().numpy().copy()
    voiced = np.flatnonzero(track > 0)
    for left, right in itertools.pairwise(voiced):
        if 1 < right - left <= longest + 1:
            track[left : right + 1] = np.geomspace(track[left], track[right], right - left + 1)
    return torch.from_numpy(track).to(hz.device)


class _Maker(nn.Module):
    def __init__(
        self,
        codec: Codec,
        batch: CodecBatch,
        losses: SpectralLoss,
        adversary: Adversary | None,
        decoder_only: bool,
        weights: Mapping[str, float] = _WEIGHTS,
    ) -> None:
        super().__init__()
        self.codec, self.spectral, self.batch, self.decoder_only = codec, losses, batch, decoder_only
        self.weights = weights
        self._adversary = [adversary]  # in a list: its weights are not this phase's
        self.made = self.real = torch.empty(0)

    def forward(self) -> dict[str, Tensor]:
        real, source = self.batch.draw()
        with torch.autocast(real.device.type, torch.bfloat16, enabled=real.device.type == "cuda"):
            with torch.set_grad_enabled(torch.is_grad_enabled() and not self.decoder_only):
                mean, log_variance = self.codec.encoder(real)
            latent, kl = mean, {}
            if self.batch.sourced:  # a flow's latents are never exact, those of a recording always
                inexact = (torch.arange(len(mean), device=mean.device) // 2 % 2 == 0)[:, None, None]
                amount = _INEXACT * inexact * torch.rand_like(mean[:, :1, :1])
                latent = latent + amount * mean.detach().std((0, 1)) * torch.randn_like(mean)
            if not self.decoder_only:
                latent = latent + (0.5 * log_variance).exp() * torch.randn_like(mean)
                prior = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance)
                kl["kl"] = prior[..., self.codec.config.levels :].sum(-1).mean()
            made = self.codec.decoder(latent, source)
        losses = {**self.spectral(made, real), **kl}
        if source is not None:
            losses["periodicity"] = periodicity_loss(made, real, source.hz, self.batch.rate)
        adversary = self._adversary[0]
        if adversary is not None:
            self.made, self.real = self._shown(made), self._shown(real)
            losses |= adversary.maker_losses(self.made, self.real)
        return {"loss": sum(self.weights.get(name, 0.0) * value for name, value in losses.items()), **losses}

    @staticmethod
    def _shown(audio: Tensor) -> Tensor:
        return audio[::2, _SAMPLES // 4 : _SAMPLES // 4 + _JUDGED]


class _Judge(nn.Module):
    def __init__(self, adversary: Adversary, maker: _Maker) -> None:
        super().__init__()
        self.adversary = adversary
        self._maker = [maker]

    def forward(self) -> dict[str, Tensor]:
        maker = self._maker[0]
        return {"loss": self.adversary.judge_loss(maker.made.detach(), maker.real)}


class CodecTrainee(Trainee):
    """Without an adversary until `adversary_from` of the run, then generator and discriminator in turn, at half the
    speed and with hardly any progress in the spectra. A batch without harmonics is for the baseline, which learns from
    spectra alone."""

    def __init__(
        self,
        codec: Codec,
        batch: CodecBatch,
        device: torch.device,
        *,
        decoder_only: bool = False,
        adversary_from: float = 0.65,
    ) -> None:
        self.model: nn.Module = codec
        losses = SpectralLoss(batch.rate).to(device)
        adversary = Adversary().to(device)
        self.beside = {"adversary": adversary}
        parameters = list((codec.decoder if decoder_only else codec).parameters())
        betas = (0.8, 0.95)
        plain = _Maker(codec, batch, losses, None, decoder_only, _WEIGHTS if batch.sourced else _PLAIN)
        against = _Maker(codec, batch, losses, adversary, decoder_only)
        judge = _Judge(adversary, against)
        self._plain = [Phase("plain", plain, parameters, 3e-4 if decoder_only else 6e-4, betas)]
        self._both = [
            Phase("maker", against, parameters, 3e-4 if decoder_only else 5e-4, betas),
            Phase("judge", judge, list(adversary.parameters()), 3e-4, betas),
        ]
        self.adversary_from = adversary_from if batch.sourced else 1.0

    def phases(self, progress: float) -> list[Phase]:
        return self._plain if progress < self.adversary_from else self._both
