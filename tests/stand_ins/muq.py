"""A stand-in for the package: as much of it as examples/judges/songeval.py uses. Layer 6 tells length and level."""

from __future__ import annotations

from pathlib import Path

import torch


class MuQ:
    @classmethod
    def from_pretrained(cls, folder: str) -> MuQ:
        assert Path(folder).is_dir(), "nothing may be downloaded"
        return cls()

    def eval(self) -> MuQ:
        return self

    def __call__(self, sound: torch.Tensor, *, output_hidden_states: bool) -> dict[str, list[torch.Tensor]]:
        assert output_hidden_states
        told = torch.tensor([[[sound.shape[1] / 24000, float(sound.abs().max())]]])
        return {"hidden_states": [told if layer == 6 else torch.zeros_like(told) for layer in range(13)]}
