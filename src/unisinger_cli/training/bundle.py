"""Parts, trained one by one, become one checkpoint."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import safe_open

from unisinger_cli.model.checkpoint import save_checkpoint
from unisinger_cli.model.config import PRESETS
from unisinger_cli.model.unisinger import UniSinger
from unisinger_cli.training.curriculum import FULL, VARIANTS
from unisinger_cli.training.parts import PARTS, load_parts

CHECKPOINT = "model.safetensors"


def _about_flow(files: list[Path]) -> dict[str, str]:
    """What the last part file with a variant says of its training; nothing where none does."""
    found: dict[str, str] = {}
    for path in files:
        with safe_open(path, "pt") as handle:
            told = handle.metadata() or {}
        found = told if "variant" in told else found
    return found


def bundle(preset: str, files: list[Path], out: Path, *, before: Path | None = None, share: float = 1.0) -> Path:
    """Join parts into one int8 checkpoint `out/model.safetensors`; its header repeats how the flow was trained.

    With `before`, the flow of that file from which this one went on, only a `share` of the way between the two is gone
    (Wortsman et al. 2022, arXiv 2109.01903, "WiSE-FT"): most of what lessons taught, and less of what they spoilt.
    Raises ValueError where a part is missing.
    """
    about = _about_flow(files)
    model = UniSinger.random(VARIANTS[about.get("variant", FULL)].of(PRESETS[preset]))
    missing = set(PARTS) - set(load_parts(model, files))
    if missing:
        raise ValueError(f"no weights for {', '.join(sorted(missing))} among the files given")
    if before is not None:
        origin = UniSinger(model.config)
        if "flow" not in load_parts(origin, [before]):
            raise ValueError(f"{before} holds no flow")
        with torch.no_grad():
            for weight, old in zip(model.flow.parameters(), origin.flow.parameters(), strict=True):
                weight.copy_(old.lerp(weight, share))
        about = {**about, "share": f"{share:g}"}
    out.mkdir(parents=True, exist_ok=True)
    save_checkpoint(model, out / CHECKPOINT, about, int8=True)
    return out / CHECKPOINT
