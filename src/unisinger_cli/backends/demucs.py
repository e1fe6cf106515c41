"""Hybrid Transformer Demucs (arXiv 2211.08553) as a separator: the vocal of a stereo mix at the network's
rate.

The weights are a pickle, and unpickling runs what is in it. So a file is loaded only after its full sha256
was found to be the published one, or from a folder that the user names as trusted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from unisinger_cli.backends import weights
from unisinger_cli.errors import MissingExtra, ModelError
from unisinger_cli.types import Floats

OVERLAP = 0.25  # of a segment, as its authors run it
SOURCE = "vocals"


class Demucs:
    """A loaded network. `rate` in Hz is what `vocal` takes and gives."""

    def __init__(self, model: Any, device: Any) -> None:
        self._model = model.to(device).eval()
        self._device = device
        self.rate = int(model.samplerate)

    def vocal(self, samples: Floats, step: Callable[[int, int], None] | None = None) -> Floats:
        """The vocal in `samples`, both float32 [2, n]. `step(done, parts)` is called after each segment.

        Segments overlap by a quarter and are cross-faded by triangular weights, with no random shifts: the
        same input gives the same output. Memory does not grow with the number of stems, only with n.
        """
        import torch
        from demucs.apply import apply_model

        n = samples.shape[1]
        level = samples.mean(axis=0)
        centre, scale = float(level.mean()), float(level.std()) + 1e-8
        out, total = np.zeros_like(samples), np.zeros(n, dtype=np.float32)
        parts = list(self._parts(n))
        source = self._model.sources.index(SOURCE)
        for i, (start, end) in enumerate(parts):
            chunk = torch.from_numpy((samples[None, :, start:end] - centre) / scale).to(self._device)
            with torch.inference_mode():
                heard = apply_model(self._model, chunk, shifts=0, split=False)[0, source].cpu().numpy()
            weight = _triangle(end - start)
            out[:, start:end] += weight * heard
            total[start:end] += weight
            if step is not None:
                step(i + 1, len(parts))
        vocal: Floats = out / total * np.float32(scale)
        if not np.isfinite(vocal).all():
            raise ModelError("the separator gave values that are not numbers", "unisinger models verify")
        return vocal

    def _parts(self, n: int) -> Iterator[tuple[int, int]]:
        """Start and end of each segment; the last one reaches back, so that none is filled up with silence."""
        length = int(min(float(model.segment) for model in _members(self._model)) * self.rate)
        stride = int((1 - OVERLAP) * length)
        for start in range(0, max(1, n - length + stride), stride):
            start = max(0, min(start, n - length))
            yield start, min(start + length, n)


def _members(model: Any) -> list[Any]:
    return list(getattr(model, "models", [model]))


def _triangle(length: int) -> Floats:
    ramp = np.minimum(np.arange(1, length + 1), np.arange(length, 0, -1)).astype(np.float32)
    return np.asarray(ramp / ramp.max(), dtype=np.float32)


def require() -> None:
    """Raise MissingExtra unless the package is installed. Cheap: nothing is imported."""
    if find_spec("demucs") is None:
        raise MissingExtra("demucs, which takes the vocal out of a mix,", "separate")


def load(name: str, folder: Path | None, device: Any) -> Demucs:
    """The separator `name` on a torch `device`, from its pulled and verified weights or, where given, from
    the trusted `folder`.

    Such a folder has `.th` files as Demucs saves them and, for a bag of several, a `.yaml` that lists them.
    Raises ModelError where weights are missing, damaged or unfit.
    """
    if folder is None:
        path = weights.verified(name)
        folder, signature = path.parent, path.stem.split("-")[0]
    else:
        signature = _signature(folder)
    from demucs.pretrained import get_model

    try:
        model = get_model(signature, repo=folder)
    except (
        Exception,
        SystemExit,
    ) as error:  # it unpickles: anything may come, and demucs itself calls sys.exit
        reason = f"{type(error).__name__}: {error}".splitlines()[0][:120]
        raise ModelError(f"the separator in {folder} cannot be loaded ({reason})", "give another --weights") from error
    if SOURCE not in model.sources or any(member.audio_channels != 2 for member in _members(model)):
        raise ModelError(
            f"the separator in {folder} gives {', '.join(model.sources)}; it must take stereo and give {SOURCE}",
            "give another --weights",
        )
    return Demucs(model, device)


def _signature(folder: Path) -> str:
    """What to ask Demucs for in a trusted folder: its one bag, or else its one file."""
    if not folder.is_dir():
        raise ModelError(f"{folder} is not a folder of weights", "give the folder that has the .th file")
    bags, files = sorted(folder.glob("*.yaml")), sorted(folder.glob("*.th"))
    found = bags if bags else files
    if len(found) != 1 or not files:
        raise ModelError(
            f"{folder} has {len(files)} .th and {len(bags)} .yaml files, and must have one model",
            "give a folder with one .th file, or several and one .yaml",
        )
    return bags[0].stem if bags else files[0].stem.rsplit("-", 1)[0]
