"""Phonetic content of a voice, bottlenecked by vector quantisation, on the latent clock.

Takes the part of the paper's HuBERT + VQ branch (arXiv 2606.07015, "semantic tokens"), trained by us: the codebook is
small enough that a singer's identity hardly fits through it.

Shapes: b batch, l samples, n latent frames, d width, k codes.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unisinger_cli.model.config import CodecConfig, ContentConfig
from unisinger_cli.model.ops import ConvNeXtBlock, LogMel

_DILATIONS = (1, 1, 2, 2, 4, 4, 8, 8)
_DROPPED = 0.3  # share of values that training hides: the sentences are few, and are soon known by heart


class ContentBackbone(nn.Module):
    """Log-mel -> phonetic features: [b, l] -> [b, n, d]."""

    def __init__(self, config: ContentConfig, codec: CodecConfig) -> None:
        super().__init__()
        self.mel = LogMel(codec.rate, codec.hop, config.mels)
        self.project = nn.Linear(2 * config.mels, config.width)
        self.blocks = nn.ModuleList(
            ConvNeXtBlock(config.width, 3 * config.width, dilation=_DILATIONS[i % len(_DILATIONS)])
            for i in range(config.blocks)
        )
        self.drop = nn.Dropout(_DROPPED)
        self.norm = nn.LayerNorm(config.width)

    def from_mel(self, mel: Tensor) -> Tensor:
        x = self.drop(self.project(mel))
        for block in self.blocks:
            x = block(x)
        return self.drop(self.norm(x))

    def forward(self, audio: Tensor) -> Tensor:
        return self.from_mel(self.mel(audio))


class ContentEncoder(nn.Module):
    """Backbone and codebook. Codes are looked up by cosine (Yu et al. 2022, "improved VQGAN", sec. 3.2)."""

    codebook: Tensor

    def __init__(self, config: ContentConfig, codec: CodecConfig) -> None:
        super().__init__()
        self.backbone = ContentBackbone(config, codec)
        self.to_code = nn.Linear(config.width, config.code_dim)
        self.register_buffer("codebook", F.normalize(torch.randn(config.codes, config.code_dim), dim=-1))

    def project(self, features: Tensor) -> Tensor:
        """Unit vectors in the codebook's space: [b, n, d] -> [b, n, code_dim]."""
        return F.normalize(self.to_code(features).float(), dim=-1)

    def quantise(self, vectors: Tensor) -> Tensor:
        """Nearest codes: [b, n, code_dim] -> int64 [b, n]."""
        return (vectors @ self.codebook.T).argmax(-1)

    def forward(self, audio: Tensor) -> Tensor:
        """Audio [b, l] -> tokens int64 [b, l/hop]."""
        return self.quantise(self.project(self.backbone(audio)))
