"""Weights from before the levels of octaves were channels of the latents, made to fit: what is new begins by adding
nothing."""

from __future__ import annotations

import torch
from torch import Tensor

from unisinger_cli.model.config import ModelConfig

_NETWORK = "flow.network."


def with_levels(state: dict[str, Tensor], config: ModelConfig) -> dict[str, Tensor]:
    """`state`, of parts or a whole model without levels, as one of `config`, whose latents begin with them.

    A state that has them, or nothing of latents, is returned as it is.
    """
    new, old = config.codec.levels, config.codec.channels - config.codec.levels
    known = {"codec.latent_mean", _NETWORK + "group_null"} & set(state)
    if not new or not any(state[name].shape[-1] == old for name in known):
        return state
    patches = config.flow.patch * len(config.flow.groups)
    axes = {  # where channels lie: the axis, and how many blocks of them it is made of
        "codec.decoder.project.weight": (1, 1),
        "codec.latent_mean": (0, 1),
        "codec.latent_std": (0, 1),
        _NETWORK + "group_null": (1, 1),
        _NETWORK + "latent_in.weight": (1, patches),
        _NETWORK + "latent_out.weight": (0, patches),
        _NETWORK + "latent_out.bias": (0, patches),
        _NETWORK + "sounds_in.weight": (1, config.flow.patch),
        _NETWORK + "conditions.sounds.usual": (1, 1),
        _NETWORK + "moments_in.weight": (1, 1),  # and after them what is said
    }
    grown = dict(state)
    for name, (axis, blocks) in axes.items():
        if name in state:
            grown[name] = _widened(state[name], axis, blocks, new, fill=float(name == "codec.latent_std"))
    return grown


def _widened(weight: Tensor, axis: int, blocks: int, new: int, fill: float) -> Tensor:
    """`new` channels before those of each of the `blocks` that lie side by side on an axis."""
    apart = weight.unflatten(axis, (blocks, -1))
    shape = list(apart.shape)
    shape[axis + 1] = new
    return torch.cat([apart.new_full(shape, fill), apart], dim=axis + 1).flatten(axis, axis + 1)
