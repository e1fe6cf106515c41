"""Latents -> sound, in stretches of constant memory that equal the whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from unisinger_cli.types import Audio, Floats

if TYPE_CHECKING:
    from unisinger_cli.model.unisinger import UniSinger

STRETCH = 1024  # latent frames decoded at once, 24 s


def decode(model: UniSinger, latents: Floats) -> Audio:
    """Normalised latents [n, channels] -> mono sound of n * hop samples.

    Each stretch is decoded with as much context as the decoder's layers and the overlapping windows of its inverse STFT
    reach, and cut to its own frames.
    """
    import torch

    codec = model.codec
    hop, context = codec.config.hop, codec.decoder.context
    pieces = []
    with torch.inference_mode():
        for first in range(0, len(latents), STRETCH):
            left = max(0, first - context)
            piece = torch.from_numpy(latents[left : first + STRETCH + context])[None].to(codec.latent_mean.device)
            sound = codec.decode(piece)[0].cpu().numpy()
            pieces.append(sound[(first - left) * hop : (first - left + STRETCH) * hop])
    return Audio(np.concatenate(pieces)[None], codec.config.rate)
