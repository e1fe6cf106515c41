"""Latents -> sound, in stretches of constant memory that equal the whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from unisinger_cli.audio import Tape
from unisinger_cli.backends.memory import give_back
from unisinger_cli.types import Floats, Sound

if TYPE_CHECKING:
    from unisinger_cli.model.unisinger import UniSinger

STRETCH = 1024  # latent frames decoded at once, 24 s


def decode(
    model: UniSinger, latents: Sound, hz: Floats | None = None, step: Callable[[int, int], None] = lambda i, n: None
) -> Tape:
    """Normalised latents [channels, n], and F0 [n] in Hz (0 unvoiced) where they are a voice of known pitch, -> mono
    sound of n * hop samples.

    Each stretch is decoded with as much context as the decoder's layers and the overlapping windows of its inverse STFT
    reach, and cut to its own frames.
    """
    import torch

    from unisinger_cli.model.source import harmonics, phases

    codec, n = model.codec, latents.length
    hop, rate, context, device = codec.config.hop, codec.config.rate, codec.decoder.context, codec.latent_mean.device
    sound = Tape(1, rate)
    with torch.inference_mode():
        f0 = None if hz is None else torch.from_numpy(hz)[None].to(device)
        phase = None if f0 is None else phases(f0, hop, rate)
        for first in range(0, n, STRETCH):
            left, right = max(0, first - context), min(n, first + STRETCH + context)
            piece = torch.from_numpy(latents.read(left, right).T)[None].to(device)
            source = None
            if f0 is not None and phase is not None:
                source = harmonics(f0, hop, rate, left, right, phase[:, left])
            found = codec.decode(piece, source)[0].cpu().numpy()
            sound.append(found[None, (first - left) * hop : (first - left + STRETCH) * hop])
            give_back()
            step(min(first + STRETCH, n), n)
    return sound
