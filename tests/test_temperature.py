"""The deviation of the noise that is begun from: what it does to latents, and that receipts and retakes keep to it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from conftest import Run
from toy_flow import awake_flow
from unisinger_cli.model.config import PRESETS
from unisinger_cli.model.unisinger import UniSinger
from unisinger_cli.pipeline.recall import recall
from unisinger_cli.requests import SamplerConfig
from unisinger_cli.stages.sample import sample
from unisinger_cli.types import Condition, Floats

DEBUG = PRESETS["debug"]
FRAMES = DEBUG.flow.window + 30  # two windows
SONG = "song", "--lyrics", "lyrics.txt", "--bpm", "200", "--checkpoint", "debug", "--steps", "1", "--threads", "1", "-q"


def sung(model: UniSinger, sampler: SamplerConfig) -> Floats:
    absent = dict.fromkeys(("phonemes", "content", "score", "tags", "timbre"))
    pitch = np.full(FRAMES, 220, dtype=np.float32)
    condition = Condition(0, FRAMES, ("vocal",), pitch=pitch, **absent)  # type: ignore[arg-type]
    return sample(model, condition, sampler, lambda *a: None)["vocal"].read(0, FRAMES)


@pytest.mark.parametrize("temperature", [0.25, 0.8, 2.0])
def test_noise_is_scaled(temperature: float) -> None:
    """A new flow stands still, so that latents are the noise itself."""
    model = UniSinger.random(DEBUG).eval()
    plain = sung(model, SamplerConfig(seed=3, temperature=1.0))
    assert 0.9 < plain.std() < 1.1
    np.testing.assert_allclose(
        sung(model, SamplerConfig(seed=3, temperature=temperature)), temperature * plain, rtol=1e-5, atol=1e-6
    )


def test_takes_differ_less_and_not_at_all_without_noise() -> None:
    model = UniSinger.random(DEBUG)
    model.flow = awake_flow(DEBUG)
    model.eval()

    def apart(temperature: float) -> float:
        config = SamplerConfig(steps=4, temperature=temperature)
        return float(np.abs(sung(model, config) - sung(model, replace(config, take=1))).mean())

    assert apart(0.0) == 0
    assert 0 < apart(0.5) < apart(1.0)


def test_receipts_tell_it_and_keep_to_it(unisinger: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lyrics.txt").write_text("the morning comes\nacross the sea\n")
    assert unisinger(*SONG, "-o", "usual.wav").code == 0
    assert unisinger(*SONG, "--temperature", "0.3", "-o", "calm.wav").code == 0
    told = json.loads((tmp_path / "calm.json").read_text())
    assert told["request"]["sampler"]["temperature"] == 0.3
    assert (tmp_path / "calm.vocal.wav").read_bytes() != (tmp_path / "usual.vocal.wav").read_bytes()
    assert unisinger("replay", "calm.json", "--threads", "1", "--json").json["identical"] is True

    monkeypatch.chdir(tmp_path)
    del told["request"]["sampler"]["temperature"]
    Path("old.json").write_text(json.dumps(told))
    assert recall(Path("old.json")).request.sampler.temperature == 1  # which every noise had when receipts said nothing


def test_a_line_is_sung_again_as_the_song_was(unisinger: Run, tmp_path: Path) -> None:
    (tmp_path / "lyrics.txt").write_text("the morning comes\nacross the sea\n")
    assert unisinger(*SONG, "--temperature", "0", "-o", "song.wav").code == 0
    vocals = []
    for name, flags in (("a", ()), ("b", ("--temperature", "0")), ("c", ("--temperature", "1"))):
        done = unisinger(
            "retake", "song.json", "--line", "2", "--take", "1", *flags, "--threads", "1", "-o", f"{name}.wav"
        )
        assert done.code == 0, done.err
        vocals.append((tmp_path / f"{name}.vocal.wav").read_bytes())
    assert vocals[0] == vocals[1] != vocals[2]
