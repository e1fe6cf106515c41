"""Networks of third parties, tiny and with random weights, in the files that their authors write; and jobs."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from unisinger_cli.errors import InputError


def tiny_whisper(path: Path, seed: int = 0) -> Path:
    """A Whisper, saved as OpenAI saves its own."""
    pytest.importorskip("whisper")
    import torch
    from whisper.model import ModelDimensions, Whisper

    torch.manual_seed(seed)
    sizes = {"n_audio_ctx": 1500, "n_audio_state": 16, "n_audio_head": 2, "n_audio_layer": 1}
    sizes |= {"n_text_ctx": 40, "n_text_state": 16, "n_text_head": 2, "n_text_layer": 2}
    dims = {"n_mels": 80, "n_vocab": 51865} | sizes
    network = Whisper(ModelDimensions(**dims))
    torch.nn.init.normal_(network.decoder.token_embedding.weight)
    torch.nn.init.normal_(network.decoder.positional_embedding)
    torch.nn.init.normal_(network.encoder.positional_embedding)
    torch.save({"dims": dims, "model_state_dict": network.state_dict()}, path)
    return path


def tiny_demucs(folder: Path) -> Path:
    """A folder with an HTDemucs, saved as Demucs saves its own."""
    pytest.importorskip("demucs")
    import torch
    from demucs.htdemucs import HTDemucs

    torch.manual_seed(0)
    settings = {
        "sources": ["drums", "bass", "other", "vocals"],
        "channels": 4,
        "nfft": 512,
        "depth": 2,
        "t_layers": 1,
        "t_heads": 2,
        "bottom_channels": 8,
        "dconv_mode": 0,
        "segment": 1,
    }
    model = HTDemucs(**settings)
    package = {"klass": HTDemucs, "args": (), "kwargs": settings, "state": model.state_dict()}
    folder.mkdir(exist_ok=True)
    torch.save(package, folder / "tiny.th")
    return folder


def killed_by_three(job: str) -> dict[str, Any]:
    """Work that some input kills, as a decoder may be by a damaged file."""
    if job == "3":
        os.kill(os.getpid(), signal.SIGKILL)
    return {"twice": 2 * int(job)}


def refused(job: str) -> dict[str, Any]:
    """Work that cannot be done at all."""
    raise InputError("the disk is gone")
