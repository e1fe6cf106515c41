"""The four tasks as data, and the conditions as the network sees them.

The mask table is the paper's (arXiv 2606.07015, "task-specific modality masks"): training, inference and the
ablation all read it here, and nothing below knows a task by name. A masked modality is replaced by a learnable
null token. Two parts of the method can be taken away for the ablation, by fields of the flow's configuration: the masks
(`task_masks`), and the one speaker space (`speaker_spaces`).

Shapes: b batch, n latent frames, k tokens = n / patch, g tags, d width.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from unisinger_cli.model.config import FlowConfig, ModelConfig
from unisinger_cli.model.lyric_encoder import SymbolEncoder
from unisinger_cli.model.sounds import SoundTable


@dataclass(frozen=True)
class TaskMask:
    """Which modalities a task sees, and which latent groups it brings forth."""

    name: str
    instruct: bool
    phoneme: bool
    semantic: bool
    speaker: bool
    groups: tuple[str, ...]


MASKS: tuple[TaskMask, ...] = (
    TaskMask("song generation", True, True, False, False, ("vocal", "accomp")),
    TaskMask("singing voice conversion", False, False, True, True, ("vocal",)),
    TaskMask("speaker-cloning song generation", True, True, False, True, ("vocal", "accomp")),
    TaskMask("conversion with accompaniment", True, False, True, True, ("vocal", "accomp")),
)


def masks_of(flow: FlowConfig) -> tuple[TaskMask, ...]:
    """The table that a model was trained with: `MASKS`, or one that hides nothing."""
    if flow.task_masks:
        return MASKS
    return tuple(replace(mask, instruct=True, phoneme=True, semantic=True, speaker=True) for mask in MASKS)


@dataclass
class Conditions:
    """A batch of conditions. Every `*_on` [b] says whether that modality is seen or replaced by its null."""

    task: Tensor  # int64 [b]
    phonemes: Tensor  # int64 [b, n]
    content: Tensor  # int64 [b, n]
    timbre: Tensor  # [b, timbre dim]
    sounds: Tensor  # [b, phonemes, channels]: see `model.sounds`
    moments: Tensor  # [b, m, channels] latent frames of the voice: see `model.moments`
    moment_codes: Tensor  # int64 [b, m] what it says in them
    moments_there: Tensor  # bool [b, m] which of them there are
    pitch: Tensor  # [b, n] Hz, 0 unvoiced
    score: Tensor  # [b, n, score_dim]
    tags: Tensor  # [b, tags] 0/1
    phoneme_on: Tensor  # bool [b]
    semantic_on: Tensor
    speaker_on: Tensor
    pitch_on: Tensor
    score_on: Tensor
    instruct_on: Tensor
    groups_on: Tensor  # bool [b, groups]

    def map(self, change: dict[str, Tensor]) -> Conditions:
        """The same conditions with some fields replaced."""
        return Conditions(**{**self.__dict__, **change})

    def without(self, switches: str) -> Conditions:
        """The same with some modalities switched off: "phoneme_on", or several names joined by "+"."""
        return self.map({name: torch.zeros_like(getattr(self, name)) for name in switches.split("+")})

    def crop(self, first: int, last: int) -> Conditions:
        """Frames first..last of everything that has a clock."""
        return self.map(
            {name: getattr(self, name)[:, first:last] for name in ("phonemes", "content", "pitch", "score")}
        )


PITCH_FEATURES = 12


def pitch_features(hz: Tensor) -> Tensor:
    """Log-F0 [b, n] in Hz (0 unvoiced) -> [b, n, 12]: voicing, height, and its phase within 1/4 to 4 octaves.

    A network can hardly read a semitone off one number; circles of several sizes show it coarse and fine at once.
    """
    voiced = (hz > 0).float()
    octaves = (hz.clamp_min(20.0) / 220.0).log2()
    turns = torch.exp2(torch.arange(-2.0, 3.0, device=hz.device))
    circles = turns * 2 * math.pi * octaves[..., None]
    waves = torch.cat([circles.cos(), circles.sin()], dim=-1) * voiced[..., None]
    return torch.cat([voiced[..., None], (octaves * voiced)[..., None], waves], dim=-1)


def null_where(off: Tensor, value: Tensor, null: Tensor) -> Tensor:
    """`value` [b, ...], or `null` [d] in the rows where `off` [b] is true."""
    return torch.where(off.view(-1, *[1] * (value.ndim - 1)), null.to(value.dtype), value)


class VoiceMap(nn.Linear):
    """A linear map of what is known of a voice, for each speaker space another: [b, ..., inputs] and the space of each
    row, int64 [b] -> [b, ..., d]. With one space it is the plain map."""

    def __init__(self, inputs: int, width: int, spaces: int, bias: bool = True) -> None:
        super().__init__(inputs, spaces * width, bias)
        self.spaces = spaces

    def forward(self, voice: Tensor, space: Tensor) -> Tensor:
        return of_space(super().forward(voice), space, self.spaces)


def of_space(values: Tensor, space: Tensor, spaces: int) -> Tensor:
    """Values of all spaces side by side [b, ..., spaces x d] -> those of each row's own space [b, ..., d]."""
    if spaces == 1:
        return values
    apart = values.unflatten(-1, (spaces, -1))
    own = space.view(-1, *[1] * (apart.ndim - 1)).expand(*apart.shape[:-2], 1, apart.shape[-1])
    return apart.gather(-2, own).squeeze(-2)


class ConditionEncoder(nn.Module):
    """Conditions -> (condition tokens [b, 2 + tags... + k, d], their times, per-frame features and sounds of the voice,
    pooled vector).

    The speaker space is one linear map of the timbre vector, attached in two places: along the phoneme tokens or along
    the semantic tokens. Phonemes and semantics that sound together share a token; a masked one adds its null. The
    speaker also shifts what modulates the blocks, from zero at first: beside the tokens alone it was hardly heard.

    With two speaker spaces, songs and conversions share none of the weights that a voice meets on its way in: its map,
    its null, what modulates the blocks, and `sounds_in` of the MM-DiT. (`with_speaker` has one for each stream anyway.)
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        d, patch, self.spaces = config.flow.width, config.flow.patch, config.flow.speaker_spaces
        if self.spaces not in (1, 2):
            raise ValueError(f"speaker_spaces is {self.spaces}, and can be 1 or 2")
        self.patch = patch
        self.lyrics = SymbolEncoder(len(config.phonemes), d, patch, blocks=3)
        self.semantics = SymbolEncoder(config.content.codes, d, patch, blocks=2)
        self.speaker = VoiceMap(config.timbre.dim, d, self.spaces)
        self.with_speaker = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(d), nn.Linear(d, 2 * d), nn.GELU(), nn.Linear(2 * d, d)) for _ in range(2)
        )
        self.speaker_to_blocks = VoiceMap(d, d, self.spaces, bias=False)
        nn.init.zeros_(self.speaker_to_blocks.weight)
        self.sounds = SoundTable(config)
        self.task = nn.Embedding(len(MASKS), d)
        self.tag = nn.Linear(len(config.tags), d, bias=False)
        self.phoneme_null = nn.Parameter(torch.randn(d) * 0.02)
        self.semantic_null = nn.Parameter(torch.randn(d) * 0.02)
        self.speaker_null = nn.Parameter(torch.randn(self.spaces * d) * 0.02)
        self.instruct_null = nn.Parameter(torch.randn(d) * 0.02)
        self.pitch_null = nn.Parameter(torch.zeros(PITCH_FEATURES))
        self.score_null = nn.Parameter(torch.zeros(config.score_dim))

    def space(self, task: Tensor) -> Tensor:
        """Tasks [b] -> the speaker space of each [b]: with two, conversions (which see semantics) have the second."""
        converts = torch.stack([task == i for i, mask in enumerate(MASKS) if mask.semantic]).any(0)
        return (self.spaces - 1) * converts.long()

    def forward(self, c: Conditions) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        space = self.space(c.task)
        voice = self.speaker(c.timbre * math.sqrt(c.timbre.shape[-1]), space)
        nobody = of_space(self.speaker_null.expand(len(space), -1), space, self.spaces)
        speaker = torch.where(c.speaker_on[:, None], voice, nobody.to(voice.dtype))
        streams = (
            (c.phonemes, c.phoneme_on, self.lyrics, self.phoneme_null),
            (c.content, c.semantic_on, self.semantics, self.semantic_null),
        )
        timed = sum(self._stream(*stream, speaker, mix) for stream, mix in zip(streams, self.with_speaker, strict=True))
        task = self.task(c.task)
        instruct = null_where(~c.instruct_on, self.tag(c.tags), self.instruct_null)
        tokens = torch.cat([task[:, None], instruct[:, None], timed], dim=1)
        k = timed.shape[1]
        # the two untimed tokens stand far off the clock, where no timed token takes them for a neighbour
        position = torch.arange(-2, k, device=timed.device)
        times = torch.where(position < 0, 300 * position, position)
        frames = torch.cat(
            [
                null_where(~c.pitch_on, pitch_features(c.pitch), self.pitch_null),
                null_where(~c.score_on, c.score, self.score_null),
            ],
            dim=-1,
        )
        return tokens, times, frames, self._sounds(c), task + instruct + self.speaker_to_blocks(speaker, space)

    def _stream(
        self, ids: Tensor, on: Tensor, encode: nn.Module, null: Tensor, speaker: Tensor, mix: nn.Module
    ) -> Tensor:
        """Tokens [b, k, d] of phonemes or semantics [b, n], with the speaker; the null where they are masked."""
        if not self.training and not on.any():  # in training a branch could not be captured as a graph
            return null.expand(len(ids), ids.shape[1] // self.patch, -1)
        x = encode(ids)
        return null_where(~on, x + mix(x + speaker[:, None]), null)

    def _sounds(self, c: Conditions) -> Tensor:
        """What the voice makes of the phonemes that are due, frame by frame [b, n, channels]; of phonemes as such where
        words are masked, and 0 without a voice."""
        semantic, lyrics, speaker = (on[:, None, None] for on in (c.semantic_on, c.phoneme_on, c.speaker_on))
        spelt = torch.where(lyrics, self.sounds.along_phonemes(c.sounds, c.phonemes), c.sounds.mean(1, keepdim=True))
        return torch.where(semantic, self.sounds.along_codes(c.sounds, c.content), spelt) * speaker
