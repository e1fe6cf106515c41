"""The coordinates that latents are handed out in, chosen once a codec has been trained.

A codec that is hardly held back by its KL uses all of its channels, each of unit variance, and a flow spends as much
of itself on those that are scarcely heard as on the others. What many directions of little variance cost it can be
told beforehand: the best flow of a Gaussian of variance v loses v / (t^2 v + (1 - t)^2) at flow time t. So variances
along the principal directions are made to fall exponentially, as far as noise on all of them stays unheard. The map
is linear, and is taken in by the encoder's last layer and the decoder's first: what is decoded stays the same.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from unisinger_cli.model.codec import Codec

_FALL = 7.0  # nepers of variance between the first direction and the one after the last
_LEAST = 1e-4  # of the mean variance: directions of less are not blown up


@torch.no_grad()
def measure_latents(codec: Codec, draw: Callable[[], Tensor], draws: int = 8) -> None:
    """Set the per-channel mean and deviation by which latents are normalised, on sound [b, l] as `draw` gives it."""
    raw = _raw(codec, draw, draws)
    codec.latent_mean.copy_(raw.mean(0))
    codec.latent_std.copy_(raw.std(0))


@torch.no_grad()
def arrange_latents(codec: Codec, draw: Callable[[], Tensor], draws: int = 8) -> None:
    """Turn latents so that their variances fall from direction to direction, 1 on average; levels stay as they are.

    What is arranged already is left alone, up to what sound is drawn. Beside the weights of the encoder's and the
    decoder's outermost layers, this sets the mean and deviation by which latents are normalised.
    """
    raw = _raw(codec, draw, draws).double()
    levels = codec.config.levels
    found, directions = torch.linalg.eigh(torch.cov(raw[:, levels:].T))  # the smallest first
    found = found.clamp_min(_LEAST * float(found.mean()))
    wanted = (_FALL * torch.arange(len(found), device=found.device) / len(found)).exp()
    factors = (wanted / wanted.mean() / found).sqrt()
    turn = directions @ factors.diag() @ directions.T
    back = directions @ factors.reciprocal().diag() @ directions.T

    head, count = codec.encoder.head, len(found)
    variance = head.bias[count:].double().exp()  # of the posterior, about: it is hardly ever looked at again
    head.weight[:count] = (turn @ head.weight[:count].double()).to(head.weight)
    head.bias[:count] = (turn @ head.bias[:count].double()).to(head.bias)
    head.bias[count:] = (turn.square() @ variance).log().to(head.bias)
    project = codec.decoder.project.weight  # [width, channels, 3]
    project[:, levels:] = torch.einsum("wck,cd->wdk", project[:, levels:].double(), back).to(project)
    codec.latent_mean.copy_(torch.cat([raw[:, :levels].mean(0), turn @ raw[:, levels:].mean(0)]))
    codec.latent_std.copy_(torch.cat([raw[:, :levels].std(0), torch.ones_like(found)]))


def _raw(codec: Codec, draw: Callable[[], Tensor], draws: int) -> Tensor:
    """What the encoder says of some sounds: [frames, c]."""
    return torch.cat([codec.encoder(draw())[0].flatten(0, 1) for _ in range(draws)])
