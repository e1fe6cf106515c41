"""Transformer blocks of the MM-DiT: joint (two streams, one attention) and single (latents alone).

After Esser et al. 2024 (arXiv 2403.03206), with query-key normalisation; modulation is shared across blocks and
shifted by a learned table per block (PixArt-alpha, Chen et al. 2023, sec. 2.3), which saves a quarter of the weights.

Shapes: b batch, n tokens, d width, h heads.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unisinger_cli.model.ops import rotate


class Stream(nn.Module):
    """One stream's own weights around an attention that it may share: `before` -> attention -> `after`."""

    def __init__(self, width: int, heads: int, mlp: int, time_heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(width, elementwise_affine=False)
        self.norm2 = nn.LayerNorm(width, elementwise_affine=False)
        self.qkv = nn.Linear(width, 3 * width)
        self.norm_q = nn.RMSNorm(width // heads)
        self.norm_k = nn.RMSNorm(width // heads)
        self.out = nn.Linear(width, width)
        self.mlp = nn.Sequential(
            nn.Linear(width, mlp * width), nn.GELU(approximate="tanh"), nn.Linear(mlp * width, width)
        )
        self.table = nn.Parameter(torch.randn(6, width) * 0.02)
        self._start_on_the_clock(time_heads)

    def _start_on_the_clock(self, time_heads: int) -> None:
        """Let the first heads attend to what sounds at the same time, before anything is learned.

        A constant added to query and key makes their product a sum of cosines of the time difference (the rotary
        embedding), largest where the two tokens sound together.
        """
        d = self.out.in_features
        per_head = d // self.heads
        with torch.no_grad():
            self.qkv.bias.zero_()
            self.qkv.bias[: time_heads * per_head] = 1.5
            self.qkv.bias[d : d + time_heads * per_head] = 1.5

    def start_silent(self) -> None:
        """Add nothing to what passes, before anything is learned: a block that joins a trained network."""
        for last in (self.out, self.mlp[-1]):
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)

    def before(
        self, x: Tensor, shared: Tensor, angles: Tensor
    ) -> tuple[tuple[Tensor, Tensor, Tensor], tuple[Tensor, ...]]:
        """x [b, n, d], shared modulation [b, 6, d] -> rotated q, k, v [b, h, n, d/h], and the gates for `after`."""
        shift1, scale1, gate1, shift2, scale2, gate2 = (shared + self.table)[:, :, None].unbind(1)  # each b 1 d
        b, n, d = x.shape
        y = self.norm1(x) * (1 + scale1) + shift1
        q, k, v = self.qkv(y).view(b, n, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        q, k = rotate(self.norm_q(q), angles), rotate(self.norm_k(k), angles)
        return (q.to(v.dtype), k.to(v.dtype), v), (gate1, shift2, scale2, gate2)

    def after(self, x: Tensor, attended: Tensor, gates: tuple[Tensor, ...]) -> Tensor:
        gate1, shift2, scale2, gate2 = gates
        b, h, n, e = attended.shape
        x = x + gate1 * self.out(attended.transpose(1, 2).reshape(b, n, h * e))
        return x + gate2 * self.mlp(self.norm2(x) * (1 + scale2) + shift2)


class JointBlock(nn.Module):
    """Condition tokens and latent tokens keep their own weights and attend to all of both."""

    def __init__(self, width: int, heads: int, mlp: int, mlp_condition: int) -> None:
        super().__init__()
        time_heads = (heads + 1) // 2
        self.condition = Stream(width, heads, mlp_condition, time_heads)
        self.latent = Stream(width, heads, mlp, time_heads)

    def forward(
        self, condition: Tensor, latent: Tensor, shared: Tensor, angles: tuple[Tensor, Tensor], last: bool = False
    ) -> tuple[Tensor, Tensor]:
        """Both streams, and their angles, -> both streams; after the `last` block nobody looks at the condition, which
        is returned as it came."""
        (qc, kc, vc), gates_c = self.condition.before(condition, shared, angles[0])
        (ql, kl, vl), gates_l = self.latent.before(latent, shared, angles[1])
        k, v = torch.cat([kc, kl], dim=2), torch.cat([vc, vl], dim=2)
        if last:
            return condition, self.latent.after(latent, F.scaled_dot_product_attention(ql, k, v), gates_l)
        attended = F.scaled_dot_product_attention(torch.cat([qc, ql], dim=2), k, v)
        c, l = attended.split([condition.shape[1], latent.shape[1]], dim=2)  # noqa: E741
        return self.condition.after(condition, c, gates_c), self.latent.after(latent, l, gates_l)


class SingleBlock(nn.Module):
    """Latent tokens attend to themselves."""

    def __init__(self, width: int, heads: int, mlp: int) -> None:
        super().__init__()
        self.latent = Stream(width, heads, mlp, time_heads=1)

    def forward(self, latent: Tensor, shared: Tensor, angles: Tensor) -> Tensor:
        (q, k, v), gates = self.latent.before(latent, shared, angles)
        return self.latent.after(latent, F.scaled_dot_product_attention(q, k, v), gates)
