"""Speaker encoder after CAM++ (Wang et al. 2023, arXiv 2303.00332): who sings, as one unit vector.

A small 2-D convolutional front end, densely connected time-delay layers each with a context-aware mask, and
attention-free statistics pooling. Bands are centred over time, which takes out the recording channel.

Shapes: b batch, l samples, n frames, m mels, c channels.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unisinger_cli.model.config import CodecConfig, TimbreConfig
from unisinger_cli.model.ops import LogMel


class FrontEnd(nn.Module):
    """2-D convolutions over (mel, time) that halve the mel axis three times: [b, n, m] -> [b, channels, n]."""

    def __init__(self, mels: int, channels: int) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(
            nn.Conv2d(1 if i == 0 else 16, 16, 3, stride=(2, 1), padding=1) for i in range(3)
        )
        self.norms = nn.ModuleList(nn.GroupNorm(4, 16) for _ in range(3))
        self.project = nn.Conv1d(16 * (mels // 8), channels, 5, padding=2)

    def forward(self, mel: Tensor) -> Tensor:
        x = mel.transpose(1, 2)[:, None]  # b 1 m n
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            x = F.relu(norm(convolution(x)))
        return self.project(x.flatten(1, 2))


class DenseLayer(nn.Module):
    """Bottleneck, dilated convolution and context-aware mask; its output is appended to its input."""

    def __init__(self, channels: int, growth: int, dilation: int) -> None:
        super().__init__()
        self.norm_in = nn.GroupNorm(1, channels)
        self.bottleneck = nn.Conv1d(channels, 2 * growth, 1)
        self.norm = nn.GroupNorm(1, 2 * growth)
        self.local = nn.Conv1d(2 * growth, growth, 3, padding=dilation, dilation=dilation)
        self.squeeze = nn.Conv1d(2 * growth, growth, 1)
        self.excite = nn.Conv1d(growth, growth, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norm(self.bottleneck(F.relu(self.norm_in(x)))))
        # the context of a frame: the mean of the clip and of its neighbourhood of about two seconds
        near = F.avg_pool1d(F.pad(y, (40, 40), mode="replicate"), 81, stride=1) if y.shape[-1] > 81 else 0.0
        context = y.mean(-1, keepdim=True) + near
        mask = torch.sigmoid(self.excite(F.relu(self.squeeze(context))))
        return torch.cat([x, self.local(y) * mask], dim=1)


class TimbreEncoder(nn.Module):
    """Audio [b, l] -> unit vectors [b, dim]."""

    def __init__(self, config: TimbreConfig, codec: CodecConfig) -> None:
        super().__init__()
        self.mel = LogMel(codec.rate, codec.hop, config.mels, stack=1, n_fft=2048)
        self.front = FrontEnd(config.mels, config.width)
        self.layers = nn.ModuleList(
            DenseLayer(config.width + i * config.growth, config.growth, dilation=(1, 2, 3)[i % 3])
            for i in range(config.blocks)
        )
        channels = config.width + config.blocks * config.growth
        self.norm = nn.GroupNorm(1, channels)
        self.head = nn.Linear(2 * channels, config.dim)

    def from_mel(self, mel: Tensor) -> Tensor:
        x = self.front(mel - mel.mean(1, keepdim=True))
        for layer in self.layers:
            x = layer(x)
        x = F.relu(self.norm(x)).float()
        pooled = torch.cat([x.mean(-1), (x.var(-1, correction=0) + 1e-5).sqrt()], dim=-1)
        return F.normalize(self.head(pooled), dim=-1)

    def forward(self, audio: Tensor) -> Tensor:
        return self.from_mel(self.mel(audio))
