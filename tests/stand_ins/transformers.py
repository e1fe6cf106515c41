"""A stand-in for the package: as much of it as examples/judges/wavlm.py uses. Its vector tells length and level."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch


class _Stored:
    @classmethod
    def from_pretrained(cls, folder: str, *, local_files_only: bool) -> Any:
        assert local_files_only and Path(folder).is_dir(), "nothing may be downloaded"
        return cls()


class Wav2Vec2FeatureExtractor(_Stored):
    def __call__(self, sound: np.ndarray, *, sampling_rate: int, return_tensors: str) -> dict[str, torch.Tensor]:
        assert (sampling_rate, return_tensors) == (16000, "pt")
        return {"input_values": torch.from_numpy(sound)[None]}


class WavLMForXVector(_Stored):
    def eval(self) -> WavLMForXVector:
        return self

    def __call__(self, input_values: torch.Tensor) -> SimpleNamespace:
        told = torch.tensor([[input_values.shape[1] / 16000, float(input_values.abs().max())]])
        return SimpleNamespace(embeddings=told)
