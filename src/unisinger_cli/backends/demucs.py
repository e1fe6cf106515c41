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

from unisinger_cli.audio import Tape, blocks, mono
from unisinger_cli.backends import weights
from unisinger_cli.errors import MissingExtra, ModelError
from unisinger_cli.types import Floats, Sound

OVERLAP = 0.25  # of a segment, as its authors run it
SOURCE = "vocals"


class Demucs:
    """A loaded network. `rate` in Hz is what `vocal` takes and gives."""

    def __init__(self, model: Any, device: Any) -> None:
        self._model = model.to(device).eval()
        self._device = device
        self.rate = int(model.samplerate)

    def vocal(self, mix: Sound, step: Callable[[int, int], None] | None = None) -> Sound:
        """The vocal in a stereo `mix` at `rate`. `step(done, parts)` is called after each segment.

        Segments overlap by a quarter and are cross-faded by triangular weights, with no random shifts: the
        same input gives the same output. Memory grows neither with the number of stems nor with the length.
        """
        import torch
        from demucs.apply import apply_model

        centre, scale = _level(mix)
        vocal = Tape(2, self.rate)
        parts = list(self._parts(mix.length))
        source = self._model.sources.index(SOURCE)
        out, total = np.zeros((2, 0), dtype=np.float32), np.zeros(0, dtype=np.float32)
        for i, (start, end) in enumerate(parts):
            chunk = torch.from_numpy((mix.read(start, end)[None] - np.float32(centre)) / np.float32(scale))
            with torch.inference_mode():
                heard = apply_model(self._model, chunk.to(self._device), shifts=0, split=False)[0, source].cpu().numpy()
            weight = _triangle(end - start)
            grown = end - start - out.shape[1]  # what was left of the segment before is the beginning of this one
            out = np.pad(out, ((0, 0), (0, grown))) + weight * heard
            total = np.pad(total, (0, grown)) + weight
            final = (parts[i + 1][0] if i + 1 < len(parts) else end) - start
            found = out[:, :final] / total[:final] * np.float32(scale)
            if not np.isfinite(found).all():
                raise ModelError("the separator gave values that are not numbers", "unisinger models verify")
            vocal.append(found)
            out, total = out[:, final:], total[final:]
            if step is not None:
                step(i + 1, len(parts))
        return vocal

    def _parts(self, n: int) -> Iterator[tuple[int, int]]:
        """Start and end of each segment; the last one reaches back, so that none is filled up with silence."""
        length = int(min(float(model.segment) for model in _members(self._model)) * self.rate)
        stride = int((1 - OVERLAP) * length)
        for start in range(0, max(1, n - length + stride), stride):
            start = max(0, min(start, n - length))
            yield start, min(start + length, n)


def _level(mix: Sound) -> tuple[float, float]:
    """Mean and standard deviation of the mix, mixed down."""
    total = squares = 0.0
    for block in blocks(mono(mix)):
        total += float(block.sum(dtype=np.float64))
        squares += float(np.square(block, dtype=np.float64).sum())
    mean = total / mix.length
    return mean, float(np.sqrt(max(squares / mix.length - mean**2, 0))) + 1e-8


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
