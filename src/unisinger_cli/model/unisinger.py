"""Everything that one checkpoint holds, as one module."""

from __future__ import annotations

import torch
from torch import nn

from unisinger_cli.model.codec import Codec
from unisinger_cli.model.config import ModelConfig
from unisinger_cli.model.content_encoder import ContentEncoder
from unisinger_cli.model.flow import Flow
from unisinger_cli.model.timbre_encoder import TimbreEncoder


class UniSinger(nn.Module):
    """Codec, content encoder, timbre encoder and flow. Each part is trained on its own and then frozen under
    the flow."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.codec = Codec(config.codec)
        self.content = ContentEncoder(config.content, config.codec)
        self.timbre = TimbreEncoder(config.timbre, config.codec)
        self.flow = Flow(config)

    @classmethod
    def random(cls, config: ModelConfig, seed: int = 0) -> UniSinger:
        """A model with reproducible random weights, without touching the global generator's state."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return cls(config).eval()

    def parameter_counts(self) -> dict[str, int]:
        """Parameters of each part; they sum to the total."""
        return {name: sum(p.numel() for p in part.parameters()) for name, part in self.named_children()}
