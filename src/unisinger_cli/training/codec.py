"""Training of the codec: spectral reconstruction and KL, with an adversary in the second part of the run."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from unisinger_cli.model.codec import Codec
from unisinger_cli.training.adversary import Adversary
from unisinger_cli.training.dataset import AudioBank
from unisinger_cli.training.optim import Phase
from unisinger_cli.training.spectral_losses import SpectralLoss

_SAMPLES = 65536  # per crop
_JUDGED = 16384  # samples of a crop, and half the crops, are shown to the adversary
_WEIGHTS = {"mel": 45.0, "linear": 1.0, "energy": 4.0, "kl": 1e-3, "hinge": 1.0, "features": 4.0}


class CodecBatch:
    """Crops of voices, accompaniments and their sums, at random levels."""

    def __init__(self, voices: AudioBank, accompaniments: AudioBank | None, size: int) -> None:
        self.voices, self.accompaniments, self.size = voices, accompaniments, size

    def draw(self) -> Tensor:
        clips = self.voices.choose(self.size)
        voice, _ = self.voices.random(clips, _SAMPLES)
        voice = voice * self._gain(voice.device)
        if self.accompaniments is None:
            return voice
        clips = self.accompaniments.choose(self.size)
        accompaniment, _ = self.accompaniments.random(clips, _SAMPLES)
        accompaniment = accompaniment * self._gain(voice.device)
        kind = torch.arange(self.size, device=voice.device)[:, None] / self.size
        sung = (kind < 0.7).float()  # 50 % voices, 20 % sums, 30 % accompaniments
        played = (kind >= 0.5).float()
        return voice * sung + accompaniment * played

    def _gain(self, device: torch.device) -> Tensor:
        return 10 ** ((torch.rand(self.size, 1, device=device) * 18 - 12) / 20)


class _Maker(nn.Module):
    def __init__(self, codec: Codec, batch: CodecBatch, losses: SpectralLoss, adversary: Adversary | None) -> None:
        super().__init__()
        self.codec, self.spectral, self.batch = codec, losses, batch
        self._adversary = [adversary]  # in a list: its weights are not this phase's
        self.made = self.real = torch.empty(0)

    def forward(self) -> dict[str, Tensor]:
        real = self.batch.draw()
        with torch.autocast(real.device.type, torch.bfloat16, enabled=real.device.type == "cuda"):
            mean, log_variance = self.codec.encoder(real)
            latent = mean + (0.5 * log_variance).exp() * torch.randn_like(mean)
            made = self.codec.decoder(latent)
        kl = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(-1).mean()
        losses = {**self.spectral(made, real), "kl": kl}
        adversary = self._adversary[0]
        if adversary is not None:
            self.made, self.real = self._shown(made), self._shown(real)
            losses |= adversary.maker_losses(self.made, self.real)
        return {"loss": sum(_WEIGHTS[name] * value for name, value in losses.items()), **losses}

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


class CodecTrainee:
    """Plain until `adversary_from` of the run, then generator and discriminator in turn."""

    def __init__(
        self, codec: Codec, batch: CodecBatch, rate: int, device: torch.device, adversary_from: float = 0.35
    ) -> None:
        self.model: nn.Module = codec
        losses = SpectralLoss(rate).to(device)
        adversary = Adversary().to(device)
        parameters = [p for p in codec.parameters() if p.requires_grad]
        betas = (0.8, 0.95)
        plain = _Maker(codec, batch, losses, None)
        against = _Maker(codec, batch, losses, adversary)
        judge = _Judge(adversary, against)
        self._plain = [Phase("plain", plain, parameters, 6e-4, betas)]
        self._both = [
            Phase("maker", against, parameters, 5e-4, betas),
            Phase("judge", judge, list(adversary.parameters()), 3e-4, betas),
        ]
        self.adversary_from = adversary_from

    def phases(self, progress: float) -> list[Phase]:
        return self._plain if progress < self.adversary_from else self._both

    def advance(self, progress: float, step: int) -> None:
        pass


@torch.no_grad()
def measure_latents(codec: Codec, batch: CodecBatch, draws: int = 8) -> None:
    """Set the per-channel mean and deviation by which latents are normalised."""
    codec.latent_mean.zero_()
    codec.latent_std.fill_(1)
    latents = torch.cat([codec.encode(batch.draw()).flatten(0, 1) for _ in range(draws)])
    codec.latent_mean.copy_(latents.mean(0))
    codec.latent_std.copy_(latents.std(0))
