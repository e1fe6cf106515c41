"""The MM-DiT: condition tokens and noisy latents -> velocity (UniSinger, arXiv 2606.07015, fig. 2).

Joint blocks over `[task | instruct | phoneme and semantic | latent]`, then single blocks over the latents alone. Every
token carries the time at which it sounds and the rotary embedding turns by it: one clock for all streams.

Shapes: b batch, s latent groups (vocal, accompaniment), n latent frames, c channels, k tokens = n / patch, d width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from unisinger_cli.model.blocks import JointBlock, SingleBlock
from unisinger_cli.model.conditioning import PITCH_FEATURES, ConditionEncoder, Conditions, VoiceMap
from unisinger_cli.model.config import ModelConfig
from unisinger_cli.model.moments import Memory, MomentAttention, MomentMemory
from unisinger_cli.model.ops import rotary_angles, timestep_features


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
        nn.init.zeros_(self.sounds_in.weight)
        nn.init.zeros_(self.latent_out.weight)
        nn.init.zeros_(self.latent_out.bias)

    def forward(self, latent: Tensor, t: Tensor, conditions: Conditions) -> Tensor:
        """Noisy latents [b, s, n, c] at flow times t [b] -> velocity [b, s, n, c]; n a multiple of patch."""
        b, s, n, c = latent.shape
        patch = self.config.flow.patch
        tokens, times, frames, sounds, pooled = self.conditions(conditions)
        active = conditions.groups_on[:, :, None, None]
        latent = torch.where(active, latent, self.group_null[None, :, None].to(latent.dtype))
        x = latent.permute(0, 2, 1, 3).reshape(b, n // patch, patch * s * c)
        x = self.latent_in(x) + self.frames_in(frames.reshape(b, n // patch, -1))
        space = self.conditions.space(conditions.task)
        x = x + self.sounds_in(sounds.reshape(b, n // patch, -1).to(x.dtype), space)
        pooled = pooled + self.time(timestep_features(t, 256)) + self.group_in(conditions.groups_on.to(x.dtype))
        shared = self.modulate(pooled).view(b, 6, -1)
        head_dim = self.config.flow.width // self.config.flow.heads
        angles = rotary_angles(times, head_dim)
        memory = self._memory(conditions, space)
        for joint, look_up in zip(self.joint, self.look_up, strict=True):
            tokens, x = joint(tokens, x, shared, (angles, angles[2:]))
            x = x + look_up(x, memory)
        for single in self.single:
            x = single(x, shared, angles[2:])
        shift, scale = self.modulate_out(torch.nn.functional.silu(pooled))[:, None].chunk(2, dim=-1)
        x = self.latent_out(self.norm_out(x) * (1 + scale) + shift)
        return x.view(b, n, s, c).permute(0, 2, 1, 3)

    def _memory(self, c: Conditions, space: Tensor) -> Memory:
        """The moments of the voices [b], with what is probably said in each; none without a voice."""
        said = self.conditions.sounds.said[c.moment_codes]
        moments = self.moments_in(torch.cat([c.moments, said], dim=-1), space)
        return self.memory(moments, c.moments_there & c.speaker_on[:, None])
