"""What a voice makes of each phoneme: the fine half of the speaker space, beside the one vector of the timbre encoder.

A vector of a few hundred recorded voices says which of them somebody resembles; how an unheard voice colours its
vowels has to be shown. So a reference is also kept as a table: for each phoneme the mean latent of the reference where
it says that phoneme, less the mean of everybody there (after Zhou et al. 2022, arXiv 2204.00990, "content-dependent
fine-grained speaker embedding", with counts in place of attention: half a minute is enough, and tables blend).

Shapes: b batch, n latent frames, c channels, p phonemes, k content codes.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from unisinger_cli.model.config import ModelConfig

_DOUBT = 20.0  # frames of a phoneme after which its own mean counts as much as that of the whole reference


class SoundTable(nn.Module):
    """What is usual, and how a reference differs from it."""

    usual: Tensor
    said: Tensor
    kind: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        codes = config.content.codes
        self.pause = config.phonemes.index("_")
        self.register_buffer("usual", torch.zeros(codes, config.codec.channels))  # mean latent under each code
        self.register_buffer("said", torch.zeros(codes, len(config.phonemes)))  # P(phoneme | code), pauses left out
        self.register_buffer("kind", torch.zeros(codes, dtype=torch.int64))  # the phoneme that a code mostly stands for

    @torch.no_grad()
    def fit(self, latents: Tensor, codes: Tensor, phonemes: Tensor) -> None:
        """Learn what is usual from many voices: latents [n, c], codes [n], phonemes [n] (-1 where unknown)."""
        count = torch.bincount(codes, minlength=len(self.usual))[:, None]
        self.usual.copy_(torch.zeros_like(self.usual).index_add_(0, codes, latents) / count.clamp_min(1))
        known = phonemes >= 0
        pairs = codes[known] * self.said.shape[1] + phonemes[known]
        seen = torch.bincount(pairs, minlength=self.said.numel()).view_as(self.said).float()
        self.said.copy_(seen / seen.sum(1, keepdim=True).clamp_min(1))
        self.kind.copy_(self.said.argmax(1))
        self.said[:, self.pause] = 0

    def tally(self, latents: Tensor, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Latents [..., n, c] under codes [..., n] -> by phoneme, the sum of what is unusual [..., p, c] and how many
        frames that is [..., p]. Tallies of several recordings add up."""
        weights = self.said[codes]
        return weights.transpose(-1, -2) @ (latents - self.usual[codes]), weights.sum(-2)

    @staticmethod
    def settle(sums: Tensor, counts: Tensor) -> Tensor:
        """A tally as a table [..., p, c]: means, and what was hardly heard is drawn towards the whole reference's."""
        whole = sums.sum(-2, keepdim=True) / counts.sum(-1)[..., None, None].clamp_min(1e-6)
        return (sums + _DOUBT * whole) / (counts[..., None] + _DOUBT)

    def along_codes(self, table: Tensor, codes: Tensor) -> Tensor:
        """A table [b, p, c] laid along codes [b, n] -> [b, n, c]."""
        return self.said[codes].to(table.dtype) @ table

    @staticmethod
    def along_phonemes(table: Tensor, phonemes: Tensor) -> Tensor:
        """A table [b, p, c] laid along phonemes [b, n] -> [b, n, c]."""
        return table.gather(1, phonemes[..., None].expand(-1, -1, table.shape[-1]))
