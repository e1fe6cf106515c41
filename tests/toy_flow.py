"""A flow of the debug size in which everything shows, random conditions for it, and clips to train one on."""

from __future__ import annotations

import torch

from unisinger_cli.model.conditioning import Conditions, masks_of
from unisinger_cli.model.config import PRESETS, ModelConfig
from unisinger_cli.model.flow import Flow
from unisinger_cli.model.sounds import SoundTable
from unisinger_cli.model.unisinger import UniSinger
from unisinger_cli.training.features import OTHERS
from unisinger_cli.training.flow_data import FlowData
from unisinger_cli.training.references import Clip

CHANNELS = PRESETS["debug"].codec.channels  # of a latent
ROW = {
    "id": "x",
    "kind": "speech",
    "speaker": "anna",
    "accomp": None,
    "seconds": 40 * 1024 / 44100,
    "phonemes": [["_", 0.0, 0.1], ["a", 0.1, 0.8], ["s", None, None]],
    "score": None,
    "tags": ["speech", "fullband", "female"],
}


def awake_flow(config: ModelConfig) -> Flow:
    """A random flow in which nothing that starts at zero is zero."""
    flow = UniSinger.random(config).flow
    generator = torch.Generator().manual_seed(1)
    network = flow.network
    with torch.no_grad():
        looked_up = (attention.out.weight for attention in network.look_up)
        for weight in (network.latent_out.weight, network.sounds_in.weight, *looked_up):
            weight.copy_(torch.randn(weight.shape, generator=generator) * 0.1)
        said = network.conditions.sounds.said
        said.copy_(torch.rand(said.shape, generator=generator))
    return flow


def conditions(
    batch: int, frames: int, task: int = 2, seed: int = 0, config: ModelConfig = PRESETS["debug"]
) -> Conditions:
    """Random conditions, shown as the task's masks of that model say."""
    g = torch.Generator().manual_seed(seed)
    on = torch.ones(batch, dtype=torch.bool)
    mask = masks_of(config.flow)[task]
    return Conditions(
        task=torch.full((batch,), task),
        phonemes=torch.randint(len(config.phonemes), (batch, frames), generator=g),
        content=torch.randint(config.content.codes, (batch, frames), generator=g),
        timbre=torch.nn.functional.normalize(torch.randn(batch, config.timbre.dim, generator=g), dim=-1),
        sounds=torch.randn(batch, len(config.phonemes), config.codec.channels, generator=g),
        moments=torch.randn(batch, config.flow.moments, config.codec.channels, generator=g),
        moment_codes=torch.randint(config.content.codes, (batch, config.flow.moments), generator=g),
        moments_there=torch.rand(batch, config.flow.moments, generator=g) < 0.7,
        pitch=100 + 300 * torch.rand(batch, frames, generator=g),
        score=torch.rand(batch, frames, config.score_dim, generator=g),
        tags=(torch.rand(batch, len(config.tags), generator=g) > 0.7).float(),
        phoneme_on=on & mask.phoneme,
        semantic_on=on & mask.semantic,
        speaker_on=on & mask.speaker,
        pitch_on=on,
        score_on=on,
        instruct_on=on & mask.instruct,
        groups_on=torch.tensor([[name in mask.groups for name in config.flow.groups]]).expand(batch, -1),
    )


def made_clip(
    speaker: str, vectors: torch.Tensor, frames: int = 40
) -> tuple[dict[str, object], dict[str, torch.Tensor]]:
    """A row and its features, of a speaker with these timbre vectors."""
    tensors = {
        "vocal": torch.zeros(frames, CHANNELS, dtype=torch.int8),
        "accomp": torch.zeros(0, dtype=torch.int8),
        "content": torch.zeros(1 + len(OTHERS), frames, dtype=torch.int16),
        "timbre": vectors.half(),
        "phonemes": torch.zeros(frames, dtype=torch.int8),
        "hz": torch.zeros(frames, dtype=torch.float16),
    }
    return ROW | {"id": speaker, "speaker": speaker}, tensors


def data_of(clips: list[Clip], size: int, config: ModelConfig = PRESETS["debug"]) -> FlowData:
    """These clips to train on, in batches of `size`; where they end, there is silence."""
    silence = {
        "vocal": torch.zeros(1, CHANNELS, dtype=torch.int8),
        "content": torch.zeros(1 + len(OTHERS), 1, dtype=torch.int16),
    }
    return FlowData(clips, silence, config, torch.device("cpu"), size, SoundTable(config))
