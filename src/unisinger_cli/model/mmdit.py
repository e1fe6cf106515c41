"""The MM-DiT: condition tokens and noisy latents -> velocity (UniSinger, arXiv 2606.07015, fig. 2).

Joint blocks over `[task | instruct | phoneme and semantic | latent]`, then single blocks over the latents alone. Every
token carries the time at which it sounds and the rotary embedding turns by it: one clock for all streams.

Shapes: b batch, s latent groups (vocal, accompaniment), n latent frames, c channels, k tokens = n / patch, d width.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from unisinger_cli.model.blocks import JointBlock, SingleBlock
from unisinger_cli.model.conditioning import PITCH_FEATURES, ConditionEncoder, Conditions, VoiceMap
from unisinger_cli.model.config import ModelConfig
from unisinger_cli.model.linear_flow import LinearFlow
from unisinger_cli.model.moments import Memory, MomentAttention, MomentMemory
from unisinger_cli.model.ops import rotary_angles, timestep_features


@dataclass(frozen=True)
class Prepared:
    """Conditions as the blocks take them: what is the same at every flow time, worked out once."""

    tokens: Tensor  # [b, 2 + k, d]
    angles: Tensor  # [2 + k, d / (2 heads)] by which they are turned
    frames: Tensor  # [b, k, d] what is added to the latent tokens
    pooled: Tensor  # [b, d] what modulates the blocks, beside the flow time
    memory: Memory
    groups_on: Tensor  # bool [b, s]


class MMDiT(nn.Module):
    """Velocity field of the flow. The direction of flow time is stated in `flow.py`."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        flow, c = config.flow, config.codec.channels
        if flow.width % flow.heads:
            raise ValueError(f"width {flow.width} is not a multiple of heads {flow.heads}")
        d, per_token = flow.width, flow.patch * len(flow.groups) * c
        self.config = config
        self.conditions = ConditionEncoder(config)
        self.group_null = nn.Parameter(torch.randn(len(flow.groups), c) * 0.02)
        self.latent_in = nn.Linear(per_token, d)
        self.frames_in = nn.Linear(flow.patch * (PITCH_FEATURES + config.score_dim), d)
        self.sounds_in = VoiceMap(flow.patch * c, d, flow.speaker_spaces, bias=False)
        self.moments_in = VoiceMap(c + len(config.phonemes), d, flow.speaker_spaces)
        self.memory = MomentMemory(d, flow.heads)
        self.look_up = nn.ModuleList(MomentAttention(d, flow.heads) for _ in range(flow.joint_blocks))
        self.group_in = nn.Linear(len(flow.groups), d)
        self.time = nn.Sequential(nn.Linear(256, d), nn.SiLU(), nn.Linear(d, d))
        self.modulate = nn.Sequential(nn.SiLU(), nn.Linear(d, 6 * d))
        self.joint = nn.ModuleList(
            JointBlock(d, flow.heads, flow.mlp, flow.mlp_condition) for _ in range(flow.joint_blocks)
        )
        self.single = nn.ModuleList(SingleBlock(d, flow.heads, flow.mlp) for _ in range(flow.single_blocks))
        self.norm_out = nn.LayerNorm(d, elementwise_affine=False)
        self.modulate_out = nn.Linear(d, 2 * d)
        self.latent_out = nn.Linear(d, per_token)
        self.linear = LinearFlow(config)
        nn.init.zeros_(self.sounds_in.weight)
        nn.init.zeros_(self.latent_out.weight)
        nn.init.zeros_(self.latent_out.bias)

    def prepare(self, c: Conditions) -> Prepared:
        """All that conditions come to before the flow time and the latents are known."""
        tokens, times, frames, sounds, pooled = self.conditions(c)
        b, n = c.pitch.shape
        k = n // self.config.flow.patch
        space = self.conditions.space(c.task)
        added = self.frames_in(frames.reshape(b, k, -1))
        added = added + self.sounds_in(sounds.reshape(b, k, -1).to(added.dtype), space)
        pooled = pooled + self.group_in(c.groups_on.to(added.dtype))
        angles = rotary_angles(times, self.config.flow.width // self.config.flow.heads)
        return Prepared(tokens, angles, added, pooled, self._memory(c, space), c.groups_on)

    def forward(self, latent: Tensor, t: Tensor, conditions: Conditions | Prepared) -> Tensor:
        """Noisy latents [b, s, n, c] at flow times t [b] -> velocity [b, s, n, c]; n a multiple of patch."""
        given = conditions if isinstance(conditions, Prepared) else self.prepare(conditions)
        b, s, n, c = latent.shape
        patch = self.config.flow.patch
        active = given.groups_on[:, :, None, None]
        latent = torch.where(active, latent, self.group_null[None, :, None].to(latent.dtype))
        x = self.latent_in(latent.permute(0, 2, 1, 3).reshape(b, n // patch, patch * s * c)) + given.frames
        pooled = given.pooled + self.time(timestep_features(t, 256))
        shared = self.modulate(pooled).view(b, 6, -1)
        tokens, angles = given.tokens, (given.angles, given.angles[2:])
        for i, (joint, look_up) in enumerate(zip(self.joint, self.look_up, strict=True), start=1):
            tokens, x = joint(tokens, x, shared, angles, last=i == len(self.joint))
            x = x + look_up(x, given.memory)
        for single in self.single:
            x = single(x, shared, angles[1])
        shift, scale = self.modulate_out(torch.nn.functional.silu(pooled))[:, None].chunk(2, dim=-1)
        x = self.latent_out(self.norm_out(x) * (1 + scale) + shift)
        return x.view(b, n, s, c).permute(0, 2, 1, 3) + self.linear(latent, t)

    def _memory(self, c: Conditions, space: Tensor) -> Memory:
        """The moments of the voices [b], with what is probably said in each; none without a voice."""
        said = self.conditions.sounds.said[c.moment_codes]
        moments = self.moments_in(torch.cat([c.moments, said], dim=-1), space)
        return self.memory(moments, c.moments_there & c.speaker_on[:, None])
