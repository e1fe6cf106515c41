"""Moments of a voice: single frames of the reference, to be looked up while it is sung with.

A vector says whom of the known voices somebody resembles, a table of sounds what he does on the average; moments are
his sounds themselves. Each is a latent frame of the reference with what it says there, and every token attends to
those that suit it (after the fine-grained speaker attention of Zhou et al. 2022, arXiv 2204.00990, and the prompts of
Le et al. 2023, arXiv 2306.15687, without their order: four seconds and a minute look alike to the network).

Shapes: b batch, m moments, n tokens, c channels, p phonemes, d width, h heads.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# keys and values [b, h, 1 + m, d/h], and which of them are there [b, 1, 1, 1 + m]
Memory = tuple[Tensor, Tensor, Tensor]


class MomentMemory(nn.Module):
    """Moments -> keys and values, shared by all blocks; before them stands one that is always there and tells of
    nobody."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.keys_values = nn.Linear(width, 2 * width)
        self.norm_k = nn.RMSNorm(width // heads)
        self.nobody = nn.Parameter(torch.randn(width) * 0.02)

    def forward(self, moments: Tensor, there: Tensor) -> Memory:
        """Moments [b, m, d] and which of them count, bool [b, m]."""
        b, _, d = moments.shape
        x = torch.cat([self.nobody.to(moments.dtype).expand(b, 1, d), moments], dim=1)
        k, v = self.keys_values(self.norm(x)).view(b, -1, 2, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        return self.norm_k(k).to(v.dtype), v, F.pad(there, (1, 0), value=True)[:, None, None]


class MomentAttention(nn.Module):
    """Tokens [b, n, d] -> what the moments that suit them add [b, n, d]; nothing at first."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.query = nn.Linear(width, width)
        self.norm_q = nn.RMSNorm(width // heads)
        self.out = nn.Linear(width, width)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, x: Tensor, memory: Memory) -> Tensor:
        k, v, there = memory
        q = self.norm_q(self.query(self.norm(x)).unflatten(-1, (self.heads, -1)).transpose(1, 2)).to(v.dtype)
        found = F.scaled_dot_product_attention(q, k, v, attn_mask=there)
        return self.out(found.transpose(1, 2).flatten(2))
