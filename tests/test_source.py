"""The harmonic source: what a voice of known pitch is decoded with."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from unisinger_cli.model.config import PRESETS
from unisinger_cli.model.ops import stft
from unisinger_cli.model.source import (
    band_weights,
    harmonics,
    minimum_phase,
    smooth,
    with_harmonics,
)
from unisinger_cli.model.unisinger import UniSinger
from unisinger_cli.stages.decode import decode
from unisinger_cli.stages.pitch import track
from unisinger_cli.types import Audio

RATE, HOP, N_FFT = 44100, 1024, 4096


@given(st.floats(60, 900))
def test_pulses_are_harmonics_of_unit_power(hz: float) -> None:
    pulses = harmonics(torch.full((1, 64), hz), HOP, RATE).pulses[0]
    assert pulses.square().mean().sqrt().item() == pytest.approx(1, abs=0.05)
    spectrum = torch.fft.rfft(pulses * torch.hann_window(len(pulses))).abs()
    at = lambda k: spectrum[round(k * hz / RATE * len(pulses)) + torch.arange(-3, 4)].max()  # noqa: E731
    for k in (1, 2, 5):
        assert at(k) > 100 * at(k + 0.5)


def test_pulses_stop_with_the_voice() -> None:
    hz = torch.zeros(1, 30)
    hz[:, 10:20] = 200.0
    pulses = harmonics(hz, HOP, RATE).pulses[0]
    assert not pulses[: 9 * HOP].any() and not pulses[21 * HOP :].any()
    assert pulses[11 * HOP : 19 * HOP].square().mean() > 0.9
    assert not harmonics(torch.zeros(2, 8), HOP, RATE).pulses.any()


def test_smooth_is_a_mean_over_the_width() -> None:
    power = torch.rand(1, 50, 3)
    width = torch.tensor([[5.0, 7.5, 300.0]])
    found = smooth(power, width)
    fine = power[0].repeat_interleave(1000, dim=0)  # each bin as a thousand slices
    for frame in range(3):
        for k in (0, 20, 49):
            low, high = (round(1000 * (k + 0.5 + side * width[0, frame].item() / 2)) for side in (-1, 1))
            wanted = fine[max(0, low) : high, frame].mean()
            assert found[0, k, frame].item() == pytest.approx(wanted.item(), rel=1e-3)


def test_minimum_phase_keeps_magnitudes_and_is_causal() -> None:
    log_magnitude = torch.from_numpy(np.sin(np.linspace(0, 9, 513)) + np.cos(np.linspace(0, 40, 513)))
    response = minimum_phase(log_magnitude)
    torch.testing.assert_close(response.abs().log(), log_magnitude, atol=2e-3, rtol=0)
    impulse = torch.fft.irfft(response).square()
    assert impulse[:200].sum() > 0.99 * impulse.sum()


def test_band_weights_share_every_bin_out() -> None:
    weights = band_weights(40, 513, RATE)
    torch.testing.assert_close(weights.sum(0), torch.ones(513))
    assert (weights >= 0).all()


@pytest.mark.parametrize("hz", [95.0, 220.0, 700.0])
def test_noise_becomes_a_voice_of_that_pitch(hz: float) -> None:
    """Same loudness in every octave band, and the pitch that was asked for; with a share of nothing, the same sound."""
    torch.manual_seed(0)
    pitch = torch.full((1, 100), hz) * torch.exp2(0.03 * torch.sin(torch.arange(100) / 3))
    noise = stft(0.1 * torch.randn(1, 100 * HOP), N_FFT, HOP)
    source = harmonics(pitch, HOP, RATE)
    same = with_harmonics(noise, torch.zeros(1, N_FFT // 2 + 1, 100), source, HOP, RATE)
    torch.testing.assert_close(same.abs(), noise.abs(), atol=0.02, rtol=0.02)
    voice = with_harmonics(noise, torch.full((1, N_FFT // 2 + 1, 100), 0.99), source, HOP, RATE)
    for low, high in ((1000, 2000), (2000, 4000), (4000, 8000)):
        band = slice(int(low / RATE * N_FFT), int(high / RATE * N_FFT))
        change = voice[0, band].abs().square().mean() / noise[0, band].abs().square().mean()
        assert 0.7 < change < 1.4


def test_a_decoded_voice_has_the_pitch_it_was_given() -> None:
    model = UniSinger.random(PRESETS["debug"]).requires_grad_(False)
    model.codec.decoder.periodic.bias.fill_(9.0)
    rng = np.random.default_rng(0)
    hz = (180 * 2 ** (0.2 * np.sin(np.arange(200) / 9))).astype(np.float32)
    latents = rng.standard_normal((200, model.config.codec.channels)).astype(np.float32)
    found = track(decode(model, Audio(latents.T, 1), hz), RATE / HOP).hz
    voiced = found > 0
    assert voiced[5:-5].mean() > 0.9
    assert np.median(np.abs(1200 * np.log2(found[voiced] / hz[voiced]))) < 20
