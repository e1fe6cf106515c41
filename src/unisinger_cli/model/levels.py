"""How loud each octave is, over the second around each frame: told outright, and kept to.

A decoder that has to guess levels from a latent is some tenths of a decibel off in every octave of every clip, in one
direction for seconds. So these numbers are channels of the latent, and the decoder's sound is brought to them, as CELT
keeps the energy of its bands (Valin et al. 2013, arXiv 1602.04845, sec. 4.2). They move slowly: an error of one
frame's hardly counts, and whoever predicts latents has little to predict.

Shapes: b batch, k bins, n latent frames, o octaves.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

SPAN = 43  # frames that a level is the mean of, about 1 s
_FAINT = 1e-7  # power of an octave, under which it counts as silent: less than 16-bit samples have
_FURTHEST = 0.6  # bels that an octave is brought up or down at most
_FADE = 1 / 3  # of an octave, over which gains of neighbours meet
_CENTRE, _SCALE = -2.0, 2.0  # bels: most levels become numbers of about unit range


def octave_of_bins(bins: int, octaves: int) -> Tensor:
    """Which of the topmost `octaves` below half the rate each bin lies in: 0 or 1 [k, o]."""
    at = _in_octaves(bins, octaves)
    return ((at[:, None] >= torch.arange(octaves)) & (at[:, None] < torch.arange(1, octaves + 1))).float()


def gain_of_bins(bins: int, octaves: int) -> Tensor:
    """How much of each octave's gain a bin gets, 1 together: [o, k]."""
    at = _in_octaves(bins, octaves).clamp(0.5, octaves - 0.5)
    away = (at - (torch.arange(octaves) + 0.5)[:, None]).abs()
    return ((0.5 + _FADE / 2 - away) / _FADE).clamp(0, 1)


def _in_octaves(bins: int, octaves: int) -> Tensor:
    """Octaves that each bin lies above the lowest one's lower edge; the last bin still lies in the topmost."""
    share = torch.arange(bins) / (bins - 1)
    return (share.clamp_min(1e-9).log2() + octaves).clamp_max(octaves - 1e-4)


def levels(power: Tensor, octave: Tensor) -> Tensor:
    """Levels of a power spectrum [b, k, n] by `octave_of_bins`, before and after which there is silence: [b, n, o]."""
    total = F.avg_pool1d(octave.T @ power, SPAN, 1, SPAN // 2)
    return (((total + _FAINT).log10() - _CENTRE) / _SCALE).transpose(1, 2)


def brought_to(wanted: Tensor, spectrum: Tensor, octave: Tensor, gain: Tensor) -> Tensor:
    """A spectrum [b, k, n] whose octaves have the levels `wanted` [b, n, o], as far as these differ from its own by
    little enough to be an error."""
    found = levels(torch.view_as_real(spectrum).square().sum(-1), octave)
    # over a second again: a single frame's wrong number is no reason to be louder
    error = F.avg_pool1d((wanted - found).transpose(1, 2), SPAN, 1, SPAN // 2, count_include_pad=False)
    bels = (error * _SCALE).clamp(-_FURTHEST, _FURTHEST)
    nepers = bels * (0.5 * math.log(10))  # of octaves, not of bins: these are a hundred times as many
    return spectrum * (gain.T @ nepers).exp()
