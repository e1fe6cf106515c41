"""Latents -> sound, in stretches of constant memory that equal the whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from unisinger_cli.types import Audio, Floats

if TYPE_CHECKING:
    from unisinger_cli.model.unisinger import UniSinger

STRETCH = 1024  # latent frames decoded at once, 24 s


def decode(model: UniSinger, latents: Floats, hz: Floats | None = None) -> Audio:
    """Normalised latents [n, channels], and F0 [n] in Hz (0 unvoiced) where they are a voice of known pitch, -> mono
    sound of n * hop samples.

    Each stretch is decoded with as much context as the decoder's layers and the overlapping windows of its inverse STFT
    reach, and cut to its own frames.
    """
    import torch

    from unisinger_cli.model.source import harmonics

    codec = model.codec
    hop, context, device = codec.config.hop, codec.decoder.context, codec.latent_mean.device
    pieces = []
    with torch.inference_mode():
        source = None if hz is None else harmonics(torch.from_numpy(hz)[None].to(device), hop, codec.config.rate)
        for first in range(0, len(latents), STRETCH):
            left, right = max(0, first - context), min(len(latents), first + STRETCH + context)
            piece = torch.from_numpy(latents[left:right])[None].to(device)
            sound = codec.decode(piece, None if source is None else source.crop(left, right, hop))[0].cpu().numpy()
            pieces.append(sound[(first - left) * hop : (first - left + STRETCH) * hop])
    return Audio(np.concatenate(pieces)[None], codec.config.rate)
