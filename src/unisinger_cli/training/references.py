"""What the flow hears of a voice while it learns to sing with it: stretches and moments of the same speaker, and never
what is to be sung.

Shapes: b batch, n latent frames of a window, c channels, p phonemes, m moments. Frames are numbered over all clips.
"""

from __future__ import annotations

from collections import defaultdict

import torch
from torch import Tensor, nn

from unisinger_cli.model.config import ModelConfig
from unisinger_cli.model.sounds import SoundTable
from unisinger_cli.training.dataset import Row
from unisinger_cli.training.features import LATENT_STEP

Clip = tuple[Row, dict[str, Tensor]]

_STRETCHES = 4  # of a speaker that make a reference, at most
_CANDIDATES = 12  # from which those are taken that have nothing of what is to be learned
_MOVED = 0.3  # length of the noise beside a unit vector: two recordings of a person are further apart than that
_UNNAMED = 0.4  # share of examples without the vector: an unheard voice is not on the list, and its sounds must do
_SPAN = (4.0, 30.0)  # seconds of a reference that moments are taken from
_APART = 8  # latent frames between a moment and what is being learned, at least
_CUT = (0.35, 0.65)  # where a window is cut in two, of what there is in it
_NOWHERE = -(1 << 30)  # no frame, and near none


class References:
    """All that is known of all speakers, on the device of `vocal`.

    Args:
        clips: rows and features.
        starts: the first frame of each clip.
        vocal: int8 latents of all frames [frames, c].
        codes: first variant of the content of all frames, int [frames].
    """

    def __init__(
        self,
        clips: list[Clip],
        starts: list[int],
        vocal: Tensor,
        codes: Tensor,
        sounds: SoundTable,
        config: ModelConfig,
    ) -> None:
        self.config, self.vocal, self.codes, self.sounds = config, vocal, codes, sounds
        names = sorted({row["speaker"] for row, _ in clips})
        self.speaker_id = {name: i for i, name in enumerate(names)}
        own: list[list[int]] = [[] for _ in names]  # clips of each speaker
        for i, (row, _) in enumerate(clips):
            own[self.speaker_id[row["speaker"]]].append(i)
        self._lay_stretches(clips, starts, own)
        self._gather_moments(clips, starts, own)

    def _lay_stretches(self, clips: list[Clip], starts: list[int], own: list[list[int]]) -> None:
        """Timbre vectors, tallies of sounds and frames of the stretches, one speaker after the other."""
        device = self.vocal.device
        found: dict[str, list[Tensor]] = defaultdict(list)
        for i in (i for members in own for i in members):
            tensors = clips[i][1]
            stretches = len(tensors["timbre"])
            size = len(tensors["vocal"]) // stretches
            shaped = lambda t: t[: stretches * size].to(device).unflatten(0, (stretches, size))  # noqa: B023, E731
            latents, codes = shaped(tensors["vocal"]).float() * LATENT_STEP, shaped(tensors["content"][0]).long()
            sums, counts = self.sounds.tally(latents, codes)
            first = starts[i] + size * torch.arange(stretches, device=device)
            for name, value in {
                "timbre": tensors["timbre"].float().to(device),
                "sums": sums.half(),
                "counts": counts,
                "spans": torch.stack([first, first + size], dim=1),
            }.items():
                found[name].append(value)
        self.timbre, self.sums, self.counts, self.spans = (
            torch.cat(found[name]) for name in ("timbre", "sums", "counts", "spans")
        )
        count = [sum(len(clips[i][1]["timbre"]) for i in members) for members in own]
        self.stretch_count = torch.tensor(count, device=device)
        self.stretch_first = self.stretch_count.cumsum(0) - self.stretch_count

    def _gather_moments(self, clips: list[Clip], starts: list[int], own: list[list[int]]) -> None:
        """The frames in which something is said, one speaker after the other."""
        speaking = ~(self.sounds.kind == self.sounds.pause).to(self.codes.device)[self.codes.long()].cpu()
        said = lambda i: starts[i] + speaking[starts[i] :][: len(clips[i][1]["hz"])].nonzero()[:, 0]  # noqa: E731
        frames = [torch.cat([said(i) for i in members]) for members in own]
        device = self.vocal.device
        self.moment_frames = torch.cat([*frames, torch.zeros(1, dtype=torch.long)]).to(device)
        self.moment_count = torch.tensor([len(f) for f in frames], device=device)
        self.moment_first = self.moment_count.cumsum(0) - self.moment_count

    def split(self, who: Tensor, window: Tensor) -> Tensor:
        """Which frames of the windows (frame numbers [b, n], 0 for silence that fills up) of these speakers [b] are to
        be learned, bool [b, n].

        All, if more is known of a speaker than about a window. Of most there is one clip: then one part of it is
        learned, and the other is left to hear him in.
        """
        low, high = _CUT
        b, n = window.shape
        there = (window > 0).cumsum(1)
        cut = low + (high - low) * torch.rand(b, 1, device=window.device)
        after = there > cut * there[:, -1:]
        half = after == (torch.rand(b, 1, device=window.device) < 0.5)
        return half | (self.moment_count[who, None] > 2 * n)

    def draw(self, who: Tensor, window: Tensor, learned: Tensor) -> dict[str, Tensor]:
        """A reference for each of these speakers [b], as fields of `Conditions`; what is `learned` of the windows
        [b, n] is not in it, as far as anything else is known."""
        wanted = torch.where(learned, window, torch.full_like(window, _NOWHERE))[:, None, ::_APART]
        return {**self._voices(who, wanted), **self._moments(who, wanted)}

    def _voices(self, who: Tensor, wanted: Tensor) -> dict[str, Tensor]:
        """Timbre vectors [b, dim] and tables of sounds [b, p, c], out of one to four stretches, as a reference of a few
        seconds or of many would give them. The vector is moved at random by as much as a recording moves it."""
        device, b = who.device, len(who)
        drawn = torch.rand(b, _CANDIDATES, device=device) * self.stretch_count[who, None]
        pick = self.stretch_first[who, None] + drawn.long()
        first, last = self.spans[pick].unbind(-1)
        told = ((wanted >= first[..., None]) & (wanted < last[..., None])).any(-1)
        pick = pick.gather(1, told.byte().argsort(dim=1, stable=True)[:, :_STRETCHES])
        free = (~told).sum(1, keepdim=True).clamp(1, _STRETCHES)
        heard = torch.arange(_STRETCHES, device=device) < 1 + (torch.rand(b, 1, device=device) * free).long()
        mean = nn.functional.normalize((self.timbre[pick] * heard[..., None]).sum(1), dim=-1)
        moved = nn.functional.normalize(mean + _MOVED * torch.randn_like(mean) / mean.shape[-1] ** 0.5, dim=-1)
        moved = moved * (torch.rand(b, 1, device=device) >= _UNNAMED)
        sums = (self.sums[pick].float() * heard[..., None, None]).sum(1)
        counts = (self.counts[pick] * heard[..., None]).sum(1)
        return {"timbre": moved, "sounds": self.sounds.settle(sums, counts)}

    def _moments(self, who: Tensor, wanted: Tensor) -> dict[str, Tensor]:
        """Moments [b, m] out of one stretch of all that is known; of short references there are fewer."""
        device, b, most = who.device, len(who), self.config.flow.moments
        low, high = (seconds * self.config.codec.frame_rate for seconds in _SPAN)
        count = self.moment_count[who, None]
        span = torch.minimum(low + (high - low) * torch.rand(b, 1, device=device).square(), count)
        begin = torch.rand(b, 1, device=device) * (count - span)
        place = (begin + span * torch.rand(b, most, device=device)).long().clamp_max((count - 1).clamp_min(0))
        frames = self.moment_frames[self.moment_first[who, None] + place]
        near = ((frames[:, :, None] - wanted).abs() < 2 * _APART).any(-1)
        known = torch.rand(b, 1, device=device) * most
        there = (torch.arange(most, device=device) < known.clamp_min(16)) & ~near & (count > 0)
        return {
            "moments": self.vocal[frames].float() * LATENT_STEP,
            "moment_codes": self.codes[frames].long(),
            "moments_there": there,
        }
