"""More singers out of those there are: recordings at other speeds, and references as training draws them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from toy_flow import ROW, made_clip
from unisinger_cli.model.config import PRESETS
from unisinger_cli.model.sounds import SoundTable
from unisinger_cli.training.features import LATENT_STEP, OTHERS
from unisinger_cli.training.flow import FlowData
from unisinger_cli.training.warp import resampled, warped

RATE, HOP = 44100, 1024


def tone(hz: float, frames: int) -> torch.Tensor:
    return torch.sin(2 * torch.pi * hz / RATE * torch.arange(frames * HOP, dtype=torch.float64)).float()[None]


@settings(max_examples=25, deadline=None)
@given(st.floats(0.5, 2.0), st.floats(100.0, 9000.0))
def test_a_warped_tone_sounds_at_its_new_pitch_and_level(speed: float, hz: float) -> None:
    _, audio, pitch = warped(ROW, tone(hz, 40), np.full(40, hz, dtype=np.float32), speed, HOP)
    frames = len(pitch)
    assert audio.shape == (1, frames * HOP) and frames == int(40 * HOP / speed) // HOP
    assert np.allclose(pitch, hz * speed)
    middle = audio[0, 4 * HOP : -4 * HOP]  # a stretch that is no whole period long rings at its ends
    spectrum = torch.fft.rfft(middle * torch.hann_window(len(middle))).abs()
    assert spectrum.argmax().item() * RATE / len(middle) == pytest.approx(hz * speed, abs=1.5 * RATE / len(middle))
    assert middle.square().mean().sqrt().item() == pytest.approx(0.5**0.5, rel=0.02)


def test_a_warped_row_is_another_speakers_and_its_times_move_along() -> None:
    row, audio, _ = warped(ROW, tone(200.0, 40), np.zeros(40, dtype=np.float32), 0.8, HOP)
    assert (row["id"], row["speaker"], row["speed"]) == ("x@0.8", "anna@0.8", 0.8)
    assert row["phonemes"] == [["_", 0.0, 0.125], ["a", 0.125, 1.0], ["s", None, None]]
    assert row["tags"] == ["speech", "fullband"]  # whether it still is a woman's voice nobody can say
    assert row["seconds"] == pytest.approx(audio.shape[1] / RATE)
    assert ROW["speaker"] == "anna"


def test_its_pitch_is_read_where_the_sound_comes_from() -> None:
    hz = np.where(np.arange(40) < 20, 100.0, 0.0).astype(np.float32)
    pitch = warped(ROW, tone(200.0, 40), hz, 2.0, HOP)[2]
    assert np.array_equal(pitch, np.where(np.arange(20) < 10, 200.0, 0.0))


def test_stretching_by_nothing_changes_nothing() -> None:
    noise = torch.randn(2, 8 * HOP)
    torch.testing.assert_close(resampled(noise, 8 * HOP), noise, atol=1e-5, rtol=0)


def test_a_clip_that_is_too_short_is_named() -> None:
    with pytest.raises(ValueError, match="x is too short"):
        warped(ROW, tone(200.0, 1), np.zeros(1, dtype=np.float32), 2.0, HOP)


def test_a_reference_in_training_is_its_speakers() -> None:
    config = PRESETS["debug"]
    generator = torch.Generator().manual_seed(0)
    centres = torch.nn.functional.normalize(torch.randn(3, config.timbre.dim, generator=generator), dim=-1)
    noise = torch.randn(3, 5, config.timbre.dim, generator=generator) * 0.5 / config.timbre.dim**0.5
    stretches = torch.nn.functional.normalize(centres[:, None] + noise, dim=-1)
    clips = [made_clip(name, stretches[i]) for i, name in enumerate(("a", "b", "c"))]
    silence = {
        "vocal": torch.zeros(1, 64, dtype=torch.int8),
        "content": torch.zeros(1 + len(OTHERS), 1, dtype=torch.int16),
    }
    data = FlowData(clips, silence, config, torch.device("cpu"), size=8, sounds=SoundTable(config))
    who = torch.arange(3).repeat_interleave(40)
    drawn, _ = data._voices(who)
    named = drawn.any(dim=-1)  # some are shown by their sounds alone
    assert 0.4 < named.float().mean() < 0.8
    torch.testing.assert_close(drawn[named].norm(dim=-1), torch.ones(int(named.sum())))
    assert ((drawn @ centres.T).argmax(1) == who)[named].all()  # never another's
    first = drawn[:40][named[:40]]
    same = (first @ first.T)[~torch.eye(len(first), dtype=torch.bool)]
    assert 0.5 < same.mean() < 0.98  # and never twice the same


def test_moments_are_the_speakers_own_and_never_what_is_to_be_learned() -> None:
    config = PRESETS["debug"]
    clips, frames = [], 3000
    for i, name in enumerate(("a", "b")):
        row, tensors = made_clip(name, torch.eye(1, config.timbre.dim), frames)
        tensors["vocal"] = torch.full((frames, 64), 10 * (i + 1), dtype=torch.int8)
        tensors["vocal"][:, 0] = (torch.arange(frames) // 30).to(torch.int8)
        tensors["content"] = torch.full_like(tensors["content"], 3)
        tensors["content"][:, frames // 2 :] = 4  # a pause
        clips.append((row, tensors))
    silence = {
        "vocal": torch.zeros(1, 64, dtype=torch.int8),
        "content": torch.zeros(1 + len(OTHERS), 1, dtype=torch.int16),
    }
    sounds = SoundTable(config)
    sounds.said[:, 5] = 1.0
    sounds.kind.fill_(5)
    sounds.kind[4] = sounds.pause
    data = FlowData(clips, silence, config, torch.device("cpu"), size=8, sounds=sounds)
    who = torch.tensor([0, 1]).repeat(20)
    index = data.frames[data.first[who, None] + 600 + torch.arange(config.flow.window)]
    found = data._moments(who, index)
    there = found["moments_there"]
    assert there.any(1).all() and not there.all()
    speaker = (found["moments"][..., 1] / LATENT_STEP).round()
    assert (speaker[there] == (10 * (who + 1))[:, None].expand_as(there)[there]).all()
    assert (found["moment_codes"][there] == 3).all()  # nothing is heard of him in a pause
    place = (found["moments"][..., 0] / LATENT_STEP).round() * 30
    inside = (place >= 600) & (place + 30 <= 600 + config.flow.window)
    assert not (inside & there).any()
    torch.testing.assert_close(index[0, 0], data.frames[data.first[0] + 600])
