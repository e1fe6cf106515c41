"""Sound of any length: what streams in blocks is what comes out in one piece."""

from __future__ import annotations

import math
import resource
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyloudnorm
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from conftest import RATE, store, sung
from unisinger_cli import audio
from unisinger_cli.model.config import PRESETS
from unisinger_cli.model.source import harmonics, phases
from unisinger_cli.model.unisinger import UniSinger
from unisinger_cli.pipeline import render
from unisinger_cli.pipeline.convert import follow
from unisinger_cli.requests import SamplerConfig
from unisinger_cli.stages import pitch, sample
from unisinger_cli.stages.content import content
from unisinger_cli.types import Audio, Condition, Stems

BLOCKS = ("tape.BLOCK", "levels.BLOCK", "mastering.BLOCK", "reading.BLOCK")


def set_blocks(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """Everything is worked on in blocks of that many samples."""
    for name in BLOCKS:
        monkeypatch.setattr(f"unisinger_cli.audio.{name}", size)
    monkeypatch.setattr("unisinger_cli.audio.tape.blocks.__defaults__", (size,))


@pytest.fixture(params=[1000, 1 << 18])
def block(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    set_blocks(monkeypatch, request.param)


def rough(seconds: float, channels: int = 2, rate: int = RATE, seed: int = 0) -> Audio:
    """Noise that swells and fades."""
    n = round(seconds * rate)
    noise = np.random.default_rng(seed).standard_normal((channels, n)) * 0.3 * np.sin(np.arange(n) / n * 40) ** 2
    return Audio(noise.astype(np.float32), rate)


@given(st.lists(st.integers(0, 60), max_size=6), st.integers(-20, 300), st.integers(0, 200))
def test_a_tape_gives_back_what_it_was_given(lengths: list[int], start: int, size: int) -> None:
    sound = np.random.default_rng(0).standard_normal((2, sum(lengths))).astype(np.float32)
    cuts = np.cumsum([0, *lengths])
    tape = audio.record((sound[:, a:b] for a, b in pairwise(cuts)), 2, RATE)
    assert tape.length == sound.shape[1]
    for one in (tape, Audio(sound, RATE)):
        found = one.read(start, start + size)
        wanted = np.pad(sound, ((0, 0), (20, 600)))[:, start + 20 : start + 20 + size]
        assert np.array_equal(found, wanted)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="nothing tells how much memory is held")
def test_the_pitch_tracker_keeps_nothing_of_what_it_worked_in() -> None:
    def held() -> float:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20

    pitch.track(sung(1.0), 43.0)
    before = held()
    pitch.track(sung(70.0, rate=16000), 43.0)
    assert held() - before < 50


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 48000])
@pytest.mark.parametrize("seconds", [0.3, 1.0, 3.37])
def test_loudness_is_that_of_the_meter(block: None, rate: int, seconds: float) -> None:
    sound = rough(seconds, rate=rate)
    samples = sound.samples.T.astype(np.float64)
    if seconds < 0.4:
        samples = np.pad(samples, ((0, math.ceil(0.4 * rate) + 1 - len(samples)), (0, 0)))
    assert audio.loudness(sound) == pytest.approx(pyloudnorm.Meter(rate).integrated_loudness(samples), abs=0.02)


def test_blocks_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    """To true peaks, to mastering with its limiter, to the stereo picture, to the dynamics that are followed."""
    stems, voice, other = Stems(rough(2.0), rough(2.0, seed=1)), sung(1.5), rough(1.5, channels=1)

    def made() -> list[np.ndarray]:
        sounds = [audio.master(stems).mix, render.widen(voice), follow(voice, other)]
        return [np.array(audio.true_peak(stems.vocal)), *(audio.whole(sound).samples for sound in sounds)]

    at_once = made()
    set_blocks(monkeypatch, 1000)
    for found, wanted in zip(made(), at_once, strict=True):
        np.testing.assert_allclose(found, wanted, atol=2e-4)
    assert np.abs(at_once[2].mean(axis=0) - voice.samples[0]).max() < 1e-6


def test_the_sides_are_the_mid_through_all_pass_filters(block: None) -> None:
    """Against the recursion as it is written, sample by sample."""
    voice = rough(0.2, channels=1)
    side = voice.samples[0].astype(np.float64)
    for delay in (round(ms * RATE / 1000) for ms in render._DELAYS_MS):
        x, side = side, np.zeros_like(side)
        for n in range(len(x)):
            before = (x[n - delay], side[n - delay]) if n >= delay else (0.0, 0.0)
            side[n] = before[0] + render._FEEDBACK * (before[1] - x[n])
    wide = audio.whole(render.widen(voice)).samples
    np.testing.assert_allclose((wide[0] - wide[1]) / 2, render.WIDTH * side, atol=1e-6)


@pytest.mark.parametrize("rate", [8000, 48000])
def test_a_file_is_read_in_blocks(block: None, rate: int, tmp_path: Path) -> None:
    sound = sung(1.3, rate=rate, channels=2)
    path = store(tmp_path / "in.wav", sound.samples, rate)
    assert np.array_equal(audio.read(path).samples, sound.samples)
    wanted = audio.resample(sound, RATE).samples
    found = audio.whole(audio.load(path, RATE)).samples
    assert abs(found.shape[1] - wanted.shape[1]) <= 1
    n = min(found.shape[1], wanted.shape[1])
    assert np.abs(found[:, :n] - wanted[:, :n]).max() < 1e-3
    assert audio.examine(path) == pytest.approx(1.3, abs=1e-3)
    assert audio.whole(audio.at_rate(sound, RATE)).samples.shape == found.shape


def test_pulses_in_stretches_are_those_of_the_whole() -> None:
    rng = np.random.default_rng(0)
    hz = torch.from_numpy(np.where(np.arange(300) % 60 < 45, rng.uniform(90, 400, 300), 0))[None]
    one = harmonics(hz, 1024, RATE)
    phase = phases(hz, 1024, RATE, stretch=37)
    for first, last in ((0, 100), (100, 101), (101, 300)):
        part = harmonics(hz, 1024, RATE, first, last, phase[:, first])
        assert torch.equal(part.hz, one.hz[:, first:last])
        torch.testing.assert_close(part.pulses, one.pulses[:, first * 1024 : last * 1024], atol=2e-4, rtol=0)


def test_pitch_and_content_in_stretches(monkeypatch: pytest.MonkeyPatch) -> None:
    voice, model = sung(9.0), UniSinger.random(PRESETS["debug"])
    whole, tokens = pitch.track(voice, 43.07), content(model, voice)
    assert whole.voiced.mean() > 0.5
    monkeypatch.setattr(pitch, "_STRETCH", 256 * 100)
    monkeypatch.setattr("unisinger_cli.stages.content._STRETCH", 100)
    found = pitch.track(voice, 43.07)
    assert len(found.hz) == len(whole.hz)
    both = found.voiced & whole.voiced
    assert (found.voiced == whole.voiced).mean() > 0.99
    assert np.abs(1200 * np.log2(found.hz[both] / whole.hz[both])).max() < 5
    assert np.array_equal(content(model, voice).tokens, tokens.tokens)


@pytest.mark.parametrize("frames", [100, 600, 1300, 2222])
def test_streamed_solver_steps_are_those_over_the_whole(frames: int) -> None:
    """Against a loop that holds everything and takes one step after the other."""
    model = UniSinger.random(PRESETS["debug"])
    config = model.config
    hz = np.where(np.arange(frames) % 50 < 40, 200.0, 0.0).astype(np.float32)
    ids = np.random.default_rng(0).integers(0, 20, frames)
    condition = Condition(0, frames, ("vocal", "accomp"), ids, None, hz, None, None, None)
    seen: list[tuple[int, int]] = []
    sampler = SamplerConfig(seed=3, steps=4, temperature=0.7)
    found = sample.sample(model, condition, sampler, lambda i, n: seen.append((i, n)))
    assert seen == [(i + 1, len(seen)) for i in range(len(seen))]

    even = frames + frames % config.flow.patch
    given = sample.as_tensors(model, condition, even)
    spans = sample.windows(even, config.flow.window, min(sample.OVERLAP, config.flow.window // 4))
    length = spans[0][1] - spans[0][0]
    weight = torch.from_numpy(sample.ramp(length, min(sample.OVERLAP, length // 4 + 1)))[:, None]
    noise = torch.randn((even, 2, config.codec.channels), generator=torch.Generator().manual_seed(3))
    latent = 0.7 * noise.transpose(0, 1)
    for t in (0.0, 0.25, 0.5, 0.75):
        velocity, total = torch.zeros_like(latent), torch.zeros(even, 1)
        for a, b in spans:
            here = given.crop(a, b)
            one = model.flow.velocity(latent[None, :, a:b], t, here, [(here.without("phoneme_on"), (2.0, 1.0))])[0]
            velocity[:, a:b] += weight * one
            total[a:b] += weight
        latent = latent + 0.25 * velocity / total
    for i, group in enumerate(config.flow.groups):
        tape = found[group]
        assert tape.length == frames
        np.testing.assert_allclose(tape.read(0, frames), latent[i, :frames].T.numpy(), atol=1e-4)
