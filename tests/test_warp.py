"""More singers out of those there are: recordings at other speeds, and references as training draws them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import Run
from toy_flow import ROW
from unisinger_cli.notation.keys import tonic_and_mode
from unisinger_cli.training.warp import resampled, warped

RATE, HOP = 44100, 1024


def tone(hz: float, frames: int) -> torch.Tensor:
    return torch.sin(2 * torch.pi * hz / RATE * torch.arange(frames * HOP, dtype=torch.float64)).float()[None]


@settings(max_examples=25, deadline=None)
@given(st.integers(-12, 12), st.floats(100.0, 9000.0))
def test_a_warped_tone_sounds_at_its_new_pitch_and_level(semitones: int, hz: float) -> None:
    _, audio, pitch = warped(ROW, tone(hz, 40), np.full(40, hz, dtype=np.float32), semitones, HOP)
    frames, speed = len(pitch), 2 ** (semitones / 12)
    assert audio.shape == (1, frames * HOP) and frames == int(40 * HOP / speed) // HOP
    assert np.allclose(pitch, hz * speed)
    middle = audio[0, 4 * HOP : -4 * HOP]  # a stretch that is no whole period long rings at its ends
    spectrum = torch.fft.rfft(middle * torch.hann_window(len(middle))).abs()
    assert spectrum.argmax().item() * RATE / len(middle) == pytest.approx(hz * speed, abs=1.5 * RATE / len(middle))
    assert middle.square().mean().sqrt().item() == pytest.approx(0.5**0.5, rel=0.02)


def test_a_warped_row_is_another_speakers_and_its_times_move_along() -> None:
    row, audio, _ = warped(ROW, tone(200.0, 40), np.zeros(40, dtype=np.float32), -12, HOP)
    assert (row["id"], row["speaker"], row["speed"]) == ("x@-12", "anna@-12", 0.5)
    assert row["phonemes"] == [["_", 0.0, 0.2], ["a", 0.2, 1.6], ["s", None, None]]
    assert row["tags"] == ["speech", "fullband"]  # whether it still is a woman's voice nobody can say
    assert row["seconds"] == pytest.approx(audio.shape[1] / RATE)
    assert ROW["speaker"] == "anna"


@given(st.integers(-12, 12))
def test_the_chords_of_a_warped_song_are_those_that_sound(semitones: int) -> None:
    chords = [[0.0, 2.0, 9, "min", 0], [2.0, 4.0, 5, "maj7", 5]]
    score = {"bpm": 90.0, "beats_per_bar": 3, "key": "A:min", "downbeat": 0.5, "chords": chords}
    song = ROW | {"score": score, "notes": [[0.0, 1.0, 60.0]], "caption": {"mood": "calm"}, "tags": ["fast", "pop"]}
    stems = torch.cat([tone(200.0, 40), tone(300.0, 40)])
    row, moved, _ = warped(song, stems, np.zeros(40, dtype=np.float32), semitones, HOP)
    found, speed = row["score"], 2 ** (semitones / 12)
    assert tonic_and_mode(found["key"]) == ((9 + semitones) % 12, "min")
    assert found["bpm"] == pytest.approx(90 * speed) and found["downbeat"] == pytest.approx(0.5 / speed)
    assert found["beats_per_bar"] == 3
    for (start, end, root, quality, bass), was in zip(found["chords"], chords, strict=True):
        assert [start * speed, end * speed] == pytest.approx(was[:2])
        assert [(root - semitones) % 12, quality, (bass - semitones) % 12] == was[2:]
    # each stem is moved as if it were alone, and what is no longer true of the song is not said of it
    for stem, alone in zip(moved, stems, strict=True):
        torch.testing.assert_close(stem[None], warped(song, alone[None], np.zeros(40), semitones, HOP)[1])
    assert row["tags"] == ["pop"] and not {"notes", "caption"} & row.keys()


def test_its_pitch_is_read_where_the_sound_comes_from() -> None:
    hz = np.where(np.arange(40) < 20, 100.0, 0.0).astype(np.float32)
    pitch = warped(ROW, tone(200.0, 40), hz, 12, HOP)[2]
    assert np.array_equal(pitch, np.where(np.arange(20) < 10, 200.0, 0.0))


def test_stretching_by_nothing_changes_nothing() -> None:
    noise = torch.randn(2, 8 * HOP)
    torch.testing.assert_close(resampled(noise, 8 * HOP), noise, atol=1e-5, rtol=0)


def test_a_clip_that_is_too_short_is_named() -> None:
    with pytest.raises(ValueError, match="x is too short"):
        warped(ROW, tone(200.0, 1), np.zeros(1, dtype=np.float32), 12, HOP)


@pytest.mark.parametrize(
    ("step", "flags", "said"),
    [
        ("flow", ("--warp", "1"), "--warp means nothing to flow"),
        ("features", ("--warp", "1", "--warp", "0"), "--warp 0"),
        ("codec", ("--lieder", "scores"), "--lieder means nothing to codec"),
        ("timbre", ("--measure",), "--measure means nothing to timbre"),
    ],
)
def test_what_a_step_does_not_heed_is_refused(unisinger: Run, step: str, flags: tuple[str, ...], said: str) -> None:
    refused = unisinger("train", step, "--data", "pack", "--out", "out", *flags)
    assert refused.code == 2 and said in refused.err
