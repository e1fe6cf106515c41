"""Training of the timbre encoder: tell speakers apart with an additive angular margin (Deng et al. 2019, ArcFace).

Every speaker is also heard slower and faster, as two further speakers: it multiplies the voices and keeps the
encoder from taking the recording for the person.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unisinger_cli.model.timbre_encoder import TimbreEncoder
from unisinger_cli.training.content import change_speed
from unisinger_cli.training.dataset import AudioBank
from unisinger_cli.training.loop import Trainee
from unisinger_cli.training.optim import Phase

SPEEDS = (1.0, 0.87, 1.15)
_FRAMES = 128  # latent frames of a crop, 3 s
_MARGIN, _SCALE = 0.2, 30.0


class TimbreData:
    """Crops of random speakers, each as often as any other."""

    def __init__(self, bank: AudioBank, speaker: Tensor, size: int) -> None:
        self.bank, self.size = bank, size
        order = speaker.argsort(stable=True)
        self.clips = order
        self.count = torch.bincount(speaker)
        self.first = self.count.cumsum(0) - self.count
        self.speakers = len(self.count)
        self.speeds = torch.tensor(SPEEDS, device=speaker.device)

    def draw(self) -> tuple[Tensor, Tensor]:
        device = self.bank.samples.device
        speaker = torch.randint(self.speakers, (self.size,), device=device)
        pick = (torch.rand(self.size, device=device) * self.count[speaker]).long()
        clips = self.clips[self.first[speaker] + pick]
        length = _FRAMES * self.bank.hop
        audio, _ = self.bank.random(clips, int(1.2 * length) // self.bank.hop * self.bank.hop)
        kind = torch.randint(len(SPEEDS), (self.size,), device=device)
        audio = change_speed(audio, self.speeds[kind], length)
        return audio, speaker * len(SPEEDS) + kind


class TimbreLoss(nn.Module):
    def __init__(self, encoder: TimbreEncoder, data: TimbreData, dim: int) -> None:
        super().__init__()
        self.encoder, self.data = encoder, data
        self.centres = nn.Parameter(torch.randn(data.speakers * len(SPEEDS), dim) * 0.1)
        self.register_buffer("margin", torch.zeros(()))

    def forward(self) -> dict[str, Tensor]:
        audio, label = self.data.draw()
        mel = self.encoder.mel(audio)
        mel = mel + 0.05 * torch.randn_like(mel) * torch.rand(mel.shape[0], 1, 1, device=mel.device)
        band = torch.arange(mel.shape[-1], device=mel.device)
        low = torch.randint(mel.shape[-1], (mel.shape[0], 1, 1), device=mel.device)
        mel = mel.masked_fill((band >= low) & (band < low + 8), 0.0)
        with torch.autocast(audio.device.type, torch.bfloat16, enabled=audio.device.type == "cuda"):
            vectors = self.encoder.from_mel(mel)
        cosine = (vectors.float() @ F.normalize(self.centres, dim=-1).T).clamp(-0.999, 0.999)
        target = label[:, None] == torch.arange(cosine.shape[1], device=label.device)
        logits = torch.where(target, (cosine.acos() + self.margin).cos(), cosine) * _SCALE
        accuracy = (cosine.argmax(1) == label).float().mean()
        return {"loss": F.cross_entropy(logits, label), "accuracy": accuracy}


class TimbreTrainee(Trainee):
    def __init__(self, loss: TimbreLoss) -> None:
        self.model: nn.Module = loss.encoder
        self._loss = loss
        self._phases = [Phase("timbre", loss, list(loss.parameters()), 1e-3, decay=0.05)]

    def phases(self, progress: float) -> list[Phase]:
        return self._phases

    def advance(self, progress: float, step: int) -> None:
        self._loss.margin.fill_(_MARGIN * min(1.0, progress / 0.4))  # the margin comes in gently
