"""Weights from before the levels of octaves were channels of the latents, or a linear flow was beside the network, made
to fit: what is new begins by adding nothing."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from unisinger_cli.model.config import ModelConfig
from unisinger_cli.model.mmdit import MMDiT

_NETWORK = "flow.network."
_LINEAR = _NETWORK + "linear."
_TOLD = 0.05  # variance of a direction, under which the network need not know of it


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
        _LINEAR + "share": (1, 1),
        _LINEAR + "mean": (1, 1),
        _LINEAR + "variance": (1, 1),
    }
    ones = {"codec.latent_std", _LINEAR + "variance"}
    if _LINEAR + "share" in state and state[_LINEAR + "share"].any():  # it was fitted
        ones.add(_LINEAR + "share")
    grown = dict(state)
    for name, (axis, blocks) in axes.items():
        if name in state:
            grown[name] = _widened(state[name], axis, blocks, new, fill=float(name in ones))
    if _LINEAR + "directions" in state:
        turned = [torch.block_diag(torch.eye(new), found) for found in state[_LINEAR + "directions"].float()]
        grown[_LINEAR + "directions"] = torch.stack(turned)
    return grown


def _widened(weight: Tensor, axis: int, blocks: int, new: int, fill: float) -> Tensor:
    """`new` channels before those of each of the `blocks` that lie side by side on an axis."""
    apart = weight.unflatten(axis, (blocks, -1))
    shape = list(apart.shape)
    shape[axis + 1] = new
    return torch.cat([apart.new_full(shape, fill), apart], dim=axis + 1).flatten(axis, axis + 1)


@torch.no_grad()
def hand_over(network: MMDiT, latents: Sequence[Tensor]) -> None:
    """Give a network that learned without a linear flow the one of these `latents`, [frames, c] of each group.

    What scarcely varies is the linear flow's alone from then on: of those directions, which most of the network's width
    was spent on carrying the noise of, it neither sees nor says anything. All others it goes on with as it did.
    """
    linear = network.linear
    linear.fit(latents)
    low = linear.variance < _TOLD
    low[:, : linear.levels] = False
    linear.share.copy_(low)
    linear.share[:, : linear.levels] = 1  # which are new to it
    kept = linear.directions * ~low[:, None]
    onto = torch.block_diag(*list(kept @ kept.mT) * network.config.flow.patch)  # what is left of a token
    network.latent_in.weight.copy_(network.latent_in.weight @ onto)
    network.latent_out.weight.copy_(onto @ network.latent_out.weight)
    network.latent_out.bias.copy_(onto @ network.latent_out.bias)
