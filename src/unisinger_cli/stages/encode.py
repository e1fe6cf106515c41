"""Sound -> latents: what a song has already, so that more can grow out of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from unisinger_cli.types import Floats, Sound

if TYPE_CHECKING:
    from unisinger_cli.model.unisinger import UniSinger

_CONTEXT = 32  # latent frames heard on either side


def encode(model: UniSinger, sound: Sound, first: int, last: int, gain: float = 1.0) -> Floats:
    """Normalised latents of frames first..last of a mono sound at the model's rate, times `gain`: [last - first,
    channels]. What lies outside of the sound is silence."""
    import torch

    hop = model.config.codec.hop
    heard = sound.read((first - _CONTEXT) * hop, (last + _CONTEXT) * hop) * gain
    with torch.inference_mode():
        found = model.codec.encode(torch.from_numpy(heard).float().to(model.codec.latent_mean.device))[0]
    latents: Floats = found[_CONTEXT : _CONTEXT + last - first].cpu().numpy()
    return latents
