"""Phonemes and content tokens on the latent clock -> condition tokens, one per patch of latent frames.

Takes the part of the paper's Zipformer lyric encoder (arXiv 2606.07015). Time needs no learning here: a symbol
stands on the frames in which it sounds (the song plan says which), and convolutions give it its neighbours.

Shapes: b batch, n latent frames, k tokens = n / patch, d width.
"""

from __future__ import annotations

from torch import Tensor, nn

from unisinger_cli.model.ops import ConvNeXtBlock


class SymbolEncoder(nn.Module):
    """Embeds one symbol per frame and merges `patch` frames into a token: int64 [b, n] -> [b, k, d]."""

    def __init__(self, symbols: int, width: int, patch: int, blocks: int) -> None:
        super().__init__()
        self.patch = patch
        inner = width // 2
        self.embed = nn.Embedding(symbols, inner)
        self.blocks = nn.ModuleList(ConvNeXtBlock(inner, 2 * inner) for _ in range(blocks))
        self.merge = nn.Linear(patch * inner, width)

    def forward(self, symbols: Tensor) -> Tensor:
        x = self.embed(symbols)
        for block in self.blocks:
            x = block(x)
        b, n, d = x.shape
        return self.merge(x.reshape(b, n // self.patch, self.patch * d))
