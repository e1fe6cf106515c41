"""Who sings in latents, what, and how high: a listener that a flow can be taught by.

It hears latents, not sound, so that what it hears can be derived by them; and it hears them under noise, so that there
is no small change by which they would please it and nobody else. Words are heard in half a second around each frame. A
voice is heard by what colour it gives each sound, where it is voiced: never by how it moves, nor by the room in its
pauses, nor by which sounds there are. A listener who knew readers by these, too, would be pleased by their syllables in
held notes. So it is told the sound of each frame, all frames count alike, and it learns to know a voice by few sounds.
It is no part of a checkpoint, and judges nothing: `unisinger evaluate` has judges of its own.

Shapes: b batch, n latent frames, c channels, p phonemes, h heights, v voices.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from unisinger_cli.model.ops import ConvNeXtBlock
from unisinger_cli.training.content import known_cross_entropy, share_right
from unisinger_cli.training.dataset import draw_by
from unisinger_cli.training.features import LATENT_STEP
from unisinger_cli.training.flow_data import FlowData
from unisinger_cli.training.loop import Trainee, save_whole
from unisinger_cli.training.optim import Phase

FRAMES = 128  # of a stretch as it is heard, 3 s
WIDTH = 256  # of an ear
_DIM = 192  # of a voice as it is heard
_BLOCKS = 6  # of the ear for words
_NEAR_BLOCKS, _NEAR_KERNEL = 3, 3  # of the ear for voices
CODE = 64  # width in which a content code is told
_DROPOUT = 0.1
_MARGIN, _SCALE = 0.2, 20.0  # of cosines between a stretch and voices; the margin while it learns
_NOISE = 0.7  # at most, in standard deviations of a latent
_TINT = 0.15  # the same, of what is added to all frames of a stretch alike: a recording's own colour
_FEWEST = 0.05  # share of all content codes, at least, that a voice is known by while it learns
_SMOOTHED = 0.1  # of a label's certainty goes to all phonemes
_LOWEST, _HIGHEST = 31, 85  # MIDI notes of the heights that are told apart, 49 to 1,109 Hz
HEIGHTS = _HIGHEST - _LOWEST + 2  # a semitone each, and before them, unvoiced


def heights(hz: Tensor) -> Tensor:
    """F0 in Hz, 0 unvoiced -> the height of each frame, int64, 0 unvoiced; [b, n] -> same."""
    note = (69 + 12 * (hz.clamp_min(1.0) / 440).log2()).round().clamp(_LOWEST, _HIGHEST).long()
    return (note - _LOWEST + 1) * (hz > 0)


@dataclass
class Told:
    """Logits of what was heard."""

    words: Tensor  # [b, n, p]
    heights: Tensor  # [b, n, h]
    voices: Tensor  # [b, v]


def under_noise(latents: Tensor) -> Tensor:
    """Latents [b, ...] with noise, of each example another level."""
    level = _NOISE * torch.rand(len(latents), *[1] * (latents.ndim - 1), device=latents.device)
    return latents + level * torch.randn_like(latents)


class Ear(nn.Sequential):
    """Frames [b, n, c] -> what is heard around each of them [b, n, WIDTH]."""

    def __init__(self, channels: int, blocks: int, kernel: int = 7, dropout: float = 0.0) -> None:
        layers = [ConvNeXtBlock(WIDTH, 3 * WIDTH, kernel, dilation=1 + i % 2) for i in range(blocks)]
        super().__init__(nn.Linear(channels, WIDTH), *layers, nn.LayerNorm(WIDTH), nn.Dropout(dropout))


class Listener(nn.Module):
    """Latents [b, n, c] -> who, what and how high."""

    def __init__(self, channels: int, phonemes: int, codes: int, voices: list[str]) -> None:
        super().__init__()
        self.voices = voices
        self.words = Ear(channels, _BLOCKS, dropout=_DROPOUT)
        self.named, self.height = nn.Linear(WIDTH, phonemes), nn.Linear(WIDTH, HEIGHTS)
        self.sound = nn.Embedding(codes, CODE)
        self.colours = Ear(channels + CODE, _NEAR_BLOCKS, _NEAR_KERNEL, _DROPOUT)
        self.voice = nn.Linear(WIDTH, _DIM)
        self.centres = nn.Parameter(torch.randn(len(voices), _DIM) * 0.1)

    def forward(
        self, latents: Tensor, hz: Tensor, codes: Tensor, singers: Tensor | None = None, margin: float = 0.0
    ) -> Told:
        """Latents, the F0 at which they are sung, Hz [b, n], 0 where no voice is to be heard, and their content codes
        [b, n]. With `singers` [b], `margin` radians are added to the angle to these (Deng et al. 2019, ArcFace)."""
        colours = self.colours(torch.cat([latents, self.sound(codes)], dim=-1)).float()
        voiced = (hz > 0).float()
        mean = torch.einsum("bn,bnd->bd", voiced, colours) / voiced.sum(1, keepdim=True).clamp_min(1)
        heard = F.normalize(self.voice(mean).float(), dim=-1)
        cosine = (heard @ F.normalize(self.centres, dim=-1).T).clamp(-0.999, 0.999)
        if singers is not None:
            mine = singers[:, None] == torch.arange(cosine.shape[1], device=cosine.device)
            cosine = torch.where(mine, (cosine.acos() + margin).cos(), cosine)
        sung = self.words(latents)
        return Told(self.named(sung).float(), self.height(sung).float(), _SCALE * cosine)

    def read(self, latents: Tensor) -> Tensor:
        """Latents [b, n, c] -> the phoneme that is most probably said in each frame, int64 [b, n]."""
        return self.named(self.words(latents)).argmax(-1)

    def save(self, path: Path, about: dict[str, str]) -> None:
        tensors = {name: value.float().contiguous().cpu() for name, value in self.state_dict().items()}
        told = {
            "channels": self.words[0].in_features,
            "phonemes": self.named.out_features,
            "codes": self.sound.num_embeddings,
            "voices": self.voices,
        }
        save_whole(tensors, path, {**about, "listener": json.dumps(told)})

    @staticmethod
    def load(path: Path) -> Listener:
        """Raises ValueError where the file is no listener."""
        try:
            with safe_open(path, "pt") as handle:
                told = json.loads((handle.metadata() or {})["listener"])
            listener = Listener(told["channels"], told["phonemes"], told["codes"], told["voices"])
            listener.load_state_dict(load_file(path))
        except (KeyError, RuntimeError, OSError, SafetensorError) as error:
            raise ValueError(f"{path} holds no listener ({error})") from error
        return listener.eval().requires_grad_(False)


class ListenerLoss(nn.Module):
    """Stretches of all voices, each about as often as any other."""

    def __init__(self, listener: Listener, data: FlowData) -> None:
        super().__init__()
        self.listener, self.data = listener, data
        own = torch.zeros(len(listener.voices), device=data.weight.device).index_add_(0, data.speaker, data.weight)
        self.edges = (data.weight / own[data.speaker].sqrt()).cumsum(0)

    def forward(self) -> dict[str, Tensor]:
        data, b = self.data, self.data.size
        track = draw_by(self.edges, b)
        index = data.cut(track, FRAMES)
        latents = data.vocal[index].float() * LATENT_STEP
        tint = _TINT * torch.randn(b, 1, latents.shape[-1], device=latents.device)
        latents = under_noise(latents) + tint
        labels, hz = data.phonemes[index], data.hz[index]
        variant = torch.randint(len(data.content), (b, 1), device=latents.device)
        codes = data.content[variant, index].long()
        fewer = torch.rand(b, self.listener.sound.num_embeddings, device=latents.device)
        share = _FEWEST + (1 - _FEWEST) * torch.rand(b, 1, device=latents.device)
        known_by = (hz > 0) & (fewer < share).gather(1, codes)
        known_by = torch.where(known_by.any(1, keepdim=True), known_by, hz > 0)
        with torch.autocast(latents.device.type, torch.bfloat16, enabled=latents.device.type == "cuda"):
            told = self.listener(latents, hz * known_by, codes, data.speaker[track], _MARGIN)
        losses = {
            "words": known_cross_entropy(told.words, labels, _SMOOTHED),
            "heights": known_cross_entropy(told.heights, heights(hz), _SMOOTHED),
            "voices": F.cross_entropy(told.voices, data.speaker[track]),
        }
        right = share_right(told.words, labels)
        recognised = (told.voices.argmax(1) == data.speaker[track]).float().mean()
        return {
            "loss": losses["words"] + losses["heights"] + losses["voices"],
            **losses,
            "right": right,
            "recognised": recognised,
        }


class ListenerTrainee(Trainee):
    def __init__(self, listener: Listener, data: FlowData) -> None:
        self.model: nn.Module = listener
        self._phases = [Phase("listener", ListenerLoss(listener, data), list(listener.parameters()), 1e-3, decay=0.05)]

    def phases(self, progress: float) -> list[Phase]:
        return self._phases
