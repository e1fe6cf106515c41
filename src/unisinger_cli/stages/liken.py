"""A song is brought nearer to the reference: the mean latent of each phoneme becomes that of his table.

The flow knows a few hundred voices, and draws an unheard one towards them. How its phonemes differ on the average from
those of the reference can be counted, and is added back, as in voice conversion by mapped means (Stylianou et al. 1998,
IEEE Trans. Speech Audio Process. 6(2)), in the codec's latents, which are smooth enough for it. What changes from one
moment to the next stays the flow's. Conversions are left as they are: there it gained nothing, and cost pitch
(models/LOG.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from unisinger_cli.audio import Tape
from unisinger_cli.types import Condition

if TYPE_CHECKING:
    import torch

    from unisinger_cli.model.unisinger import UniSinger

_BLOCK = 4096  # latent frames that are worked on at a time


def likened(model: UniSinger, vocal: Tape, condition: Condition) -> Tape:
    """Normalised latents [channels, n] of a vocal -> the same, nearer to the reference; unchanged where no phonemes are
    sung, where there is no reference, or nothing is known of its sounds."""
    import torch

    if condition.timbre is None or condition.timbre.sounds is None or condition.phonemes is None:
        return vocal
    table, device = model.flow.network.conditions.sounds, model.codec.latent_mean.device
    phonemes = condition.phonemes

    def block(start: int) -> tuple[torch.Tensor, torch.Tensor]:
        stop = min(start + _BLOCK, vocal.length)
        names = torch.from_numpy(np.asarray(phonemes[start:stop], dtype=np.int64)).to(device)
        return torch.from_numpy(vocal.read(start, stop).T.copy()).to(device), names

    with torch.inference_mode():
        tallies = [table.tally_spelt(*block(start)) for start in range(0, vocal.length, _BLOCK)]
        sums, counts = (sum(part) for part in zip(*tallies, strict=True))
        wanted = torch.from_numpy(condition.timbre.sounds).to(device)
        change = (wanted - table.settle(sums, counts))[None]
        made = Tape(vocal.channels, vocal.rate)
        for start in range(0, vocal.length, _BLOCK):
            latents, names = block(start)
            moved = table.along_phonemes(change, names[None])[0]
            moved[names == table.pause] = 0
            made.append((latents + moved).T.cpu().numpy())
    return made
