"""What a flow is shown while it learns, and how often."""

from __future__ import annotations

import pytest
import torch

from toy_flow import CHANNELS, data_of, made_clip
from toy_pack import SCORE
from unisinger_cli.model.config import PRESETS

CONFIG = PRESETS["debug"]
FRAMES = 300


@pytest.mark.parametrize("songs", [1, 3, 12])
def test_songs_are_half_of_what_is_heard_however_many_there_are(songs: int) -> None:
    """A factory makes as many as it is asked for, and recordings are as few as they are."""
    vector = torch.eye(1, CONFIG.timbre.dim)
    clips = [made_clip("anna", vector, FRAMES), made_clip("ben", vector, 4 * FRAMES)]
    for i in range(songs):
        row, tensors = made_clip("singer", vector, FRAMES)
        tensors["accomp"] = torch.zeros(FRAMES, CHANNELS, dtype=torch.int8)
        clips.append((row | {"id": f"song {i}", "kind": "factory", "accomp": "x", "score": SCORE}, tensors))
    data = data_of(clips, 2000)
    data.task_weight[1] = 1.0  # every recording can be converted
    torch.manual_seed(0)
    heard = data.draw().speaker
    often = {name: float((heard == i).float().mean()) for name, i in data.references.speaker_id.items()}
    assert often["singer"] == pytest.approx(0.5, abs=0.05)
    assert often["ben"] == pytest.approx(2 * often["anna"], rel=0.2)  # the root of how long each is
