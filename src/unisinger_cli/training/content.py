"""Training of the content encoder: name the phoneme, and rebuild the sound, through a codebook.

Every clip is heard at another speed, with another tilt, level and noise, and with masked stretches of bands and of time
(SpecAugment, Park et al. 2019). Half of them are heard in another voice as well (`revoice`: up to an octave higher or
lower, other formants), and both must say the same: that needs no text, and most voices of the corpus have none. Each
code must name its phoneme by itself, without its neighbours: left to a reader of whole stretches, a phoneme was spread
over codes that no one could tell apart. What the recording sounds like is rebuilt by a decoder that is told speaker and
pitch: what the codebook need not carry, it forgets.
Codebook by exponential moving averages (van den Oord et al. 2017, appendix A.1), dead codes re-seeded.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unisinger_cli.model.conditioning import PITCH_FEATURES, pitch_features
from unisinger_cli.model.config import ModelConfig
from unisinger_cli.model.content_encoder import ContentEncoder
from unisinger_cli.model.ops import ConvNeXtBlock, LogMel
from unisinger_cli.training.dataset import AudioBank
from unisinger_cli.training.loop import Trainee
from unisinger_cli.training.optim import Phase
from unisinger_cli.training.revoice import revoiced

_FRAMES = 160  # latent frames of a crop as the encoder hears it
_COMMIT, _REBUILD, _AGREE = 0.5, 0.3, 1.0
_SHARP = 6.0  # length of a code as it is named from: unit vectors alone tell classes too softly apart
_SMOOTHED = 0.1  # of a label's certainty goes to all phonemes: times are good to a frame or two
_REVOICED = 0.5  # share of crops that are heard in another voice too
_SPEED, _FORMANTS = 0.2, 0.22  # how far these go either way, in powers of e
_MASKS = ((2, 14), (2, 14))  # how many stretches, and of how many at most: bands, frames


def change_speed(audio: Tensor, speed: Tensor, length: int) -> Tensor:
    """Play [b, l] at `speed` [b] by linear interpolation: [b, length]; l must be at least length * speed."""
    position = torch.arange(length, device=audio.device) * speed[:, None]
    low = position.long().clamp_max(audio.shape[1] - 2)
    return torch.lerp(audio.gather(1, low), audio.gather(1, low + 1), (position - low).clamp(0, 1))


def known_cross_entropy(logits: Tensor, labels: Tensor, smoothing: float = 0.0) -> Tensor:
    """Mean over the frames whose label is known (not -1); 0 where none is: [b, n, p], [b, n] -> scalar."""
    total = F.cross_entropy(
        logits.flatten(0, 1), labels.flatten(), ignore_index=-1, reduction="sum", label_smoothing=smoothing
    )
    return total / (labels >= 0).sum().clamp_min(1)


def share_right(logits: Tensor, labels: Tensor) -> Tensor:
    """Of the frames whose label is known (not -1), how many are named by it: [b, n, p], [b, n] -> scalar."""
    known = labels >= 0
    return ((logits.argmax(-1) == labels) & known).sum() / known.sum().clamp_min(1)


class ContentData:
    """Crops with frame labels, pitch and speaker, all on the device; `weights` say how often each clip is drawn."""

    def __init__(
        self,
        bank: AudioBank,
        labels: Tensor,
        hz: Tensor,
        speaker: Tensor,
        weights: Tensor,
        config: ModelConfig,
        size: int,
    ) -> None:
        self.bank, self.labels, self.hz, self.speaker, self.size = bank, labels, hz, speaker, size
        self.weights = weights
        self.rate = config.codec.rate
        self.rebuilt = LogMel(config.codec.rate, config.codec.hop, 80, stack=1, n_fft=2048, high=12000.0).to(
            labels.device
        )

    @property
    def doubled(self) -> int:
        """How many crops of a batch are heard twice."""
        return round(_REVOICED * self.size)

    def draw(self) -> tuple[Tensor, ...]:
        """Sound, labels, F0, speaker and what is to be rebuilt of a batch: the `doubled` first crops in another voice,
        then all of them as they are."""
        hop = self.bank.hop
        clips = self.bank.choose(self.size, self.weights)
        longest = math.ceil(_FRAMES * math.exp(_SPEED)) + 1
        audio, starts = self.bank.random(clips, longest * hop)
        drawn = 2 * torch.rand(3, self.size, device=audio.device) - 1
        speed = torch.exp(_SPEED * drawn[0])
        heard = change_speed(audio, speed, _FRAMES * hop)
        # frame i of what is heard sounded at frame (i + 0.5) * speed - 0.5 of the recording
        frame = ((torch.arange(_FRAMES, device=audio.device) + 0.5) * speed[:, None]).long()
        where = starts[:, None] // hop + frame
        mel = self.rebuilt(audio).gather(1, frame[..., None].expand(-1, -1, 80))
        hz = self.hz[where]
        few = self.doubled
        other = revoiced(
            heard[:few],
            hz[:few] * speed[:few, None],
            2 ** drawn[1, :few],
            torch.exp(_FORMANTS * drawn[2, :few]),
            self.rate,
        )
        known = (self.labels[where], hz, self.speaker[clips], mel)
        return torch.cat([other, heard]), *(torch.cat([x[:few], x]) for x in known)


class ContentLoss(nn.Module):
    def __init__(self, encoder: ContentEncoder, data: ContentData, speakers: int, config: ModelConfig) -> None:
        super().__init__()
        width, code = config.content.width, config.content.code_dim
        self.encoder, self.data = encoder, data
        self.early = nn.Linear(width, len(config.phonemes))
        self.read = nn.Linear(code, width)
        self.context = nn.ModuleList(ConvNeXtBlock(width, 3 * width) for _ in range(3))
        self.named = nn.Linear(code, len(config.phonemes))
        self.speaker = nn.Embedding(speakers, width)
        self.pitch = nn.Linear(PITCH_FEATURES, width)
        self.rebuild = nn.Sequential(
            ConvNeXtBlock(width, 3 * width), ConvNeXtBlock(width, 3 * width), nn.LayerNorm(width), nn.Linear(width, 80)
        )
        self.register_buffer("sums", encoder.codebook.clone())
        self.register_buffer("counts", torch.ones(config.content.codes))

    def forward(self) -> dict[str, Tensor]:
        heard, labels, hz, speaker, mel = self.data.draw()
        features_in = self._augment(self.encoder.backbone.mel(heard))
        with torch.autocast(heard.device.type, torch.bfloat16, enabled=heard.device.type == "cuda"):
            features = self.encoder.backbone.from_mel(features_in)
            vectors = self.encoder.project(features)
            tokens = self.encoder.quantise(vectors)
            codes = self.encoder.codebook[tokens]
            through = vectors + (codes - vectors).detach()
            early, named = self.early(features).float(), self.named(_SHARP * through).float()
            x = self.read(through)
            for block in self.context:
                x = block(x)
            made = self.rebuild(x + self.speaker(speaker)[:, None] + self.pitch(pitch_features(hz))).float()
        losses = {
            "early": known_cross_entropy(early, labels, _SMOOTHED),
            "named": known_cross_entropy(named, labels, _SMOOTHED),
            "agree": self._disagreement(vectors),
            "commit": (vectors - codes.detach()).square().sum(-1).mean(),
            "rebuild": (made - mel).abs().mean(),
        }
        if self.training:
            self._move_codebook(vectors.detach().flatten(0, 1), tokens.flatten())
        usage = (self.counts > 0.5).float().mean()
        loss = losses["early"] + losses["named"] + _AGREE * losses["agree"]
        loss = loss + _COMMIT * losses["commit"] + _REBUILD * losses["rebuild"]
        return {"loss": loss, **losses, "accuracy": share_right(named, labels), "usage": usage}

    def _disagreement(self, vectors: Tensor) -> Tensor:
        """Squared distance of what was heard in another voice from what was heard in the singer's own."""
        few = self.data.doubled
        return (vectors[:few] - vectors[few : 2 * few].detach()).square().sum(-1).mean()

    @staticmethod
    def _augment(mel: Tensor) -> Tensor:
        """A smooth random equaliser, level, noise and masks per clip on stacked log-mels [b, n, 2 * bands]."""
        b, n, m = mel.shape
        x = torch.linspace(0, 1, m // 2, device=mel.device).repeat(2)
        phase = torch.rand(b, 3, 1, device=mel.device) * 6.28
        waves = torch.cos(phase + 6.28 * x * torch.exp2(torch.arange(-1.0, 2.0, device=mel.device))[:, None])
        equaliser = (waves * torch.randn(b, 3, 1, device=mel.device) * 0.15).sum(1, keepdim=True)
        level = 0.25 * torch.randn(b, 1, 1, device=mel.device)
        grain = 0.1 * torch.rand(b, 1, 1, device=mel.device)
        seen = torch.ones(b, n, m, dtype=torch.bool, device=mel.device)
        band = torch.arange(m, device=mel.device) % (m // 2)
        for (count, most), place, end in zip(
            _MASKS, (band, torch.arange(n, device=mel.device)), (m // 2, n), strict=True
        ):
            for _ in range(count):
                width, begin = (torch.rand(b, 1, device=mel.device) * size for size in (most, end))
                hidden = (place >= begin) & (place < begin + width)
                seen = seen & ~(hidden[:, None] if place is band else hidden[..., None])
        return (mel + equaliser + level + grain * torch.randn_like(mel)) * seen

    @torch.no_grad()
    def _move_codebook(self, vectors: Tensor, tokens: Tensor) -> None:
        counts = torch.zeros_like(self.counts).index_add_(0, tokens, torch.ones_like(tokens, dtype=torch.float32))
        sums = torch.zeros_like(self.sums).index_add_(0, tokens, vectors.float())
        self.counts.lerp_(counts, 0.02)
        self.sums.lerp_(sums, 0.02)
        fresh = vectors[torch.randint(len(vectors), (len(counts),), device=vectors.device)].float()
        dead = (self.counts < 0.05)[:, None]
        self.sums.copy_(torch.where(dead, fresh, self.sums))
        self.counts.copy_(torch.where(dead[:, 0], torch.ones_like(self.counts), self.counts))
        self.encoder.codebook.copy_(F.normalize(self.sums, dim=-1))


class ContentTrainee(Trainee):
    def __init__(self, loss: ContentLoss) -> None:
        self.model: nn.Module = loss.encoder
        self._phases = [Phase("content", loss, [p for p in loss.parameters() if p.requires_grad], 1e-3)]

    def phases(self, progress: float) -> list[Phase]:
        return self._phases
