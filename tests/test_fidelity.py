"""How near sounds are: spectra, levels and roughness, on sounds whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest

from conftest import RATE, sung
from unisinger_cli.evaluation import fidelity
from unisinger_cli.evaluation.roundtrip import worst_and_mean
from unisinger_cli.evaluation.spectra import griffin_lim
from unisinger_cli.types import Floats

TIME = np.arange(2 * RATE) / RATE


def noise(seed: int, level: float = 0.1) -> Floats:
    return np.random.default_rng(seed).normal(0, level, 2 * RATE).astype(np.float32)


def tone(hz: float, level: float = 0.5) -> Floats:
    return (level * np.sin(2 * np.pi * hz * TIME)).astype(np.float32)


# ---------------------------------------------------------------- codec
def test_log_mel_l1_is_in_natural_logarithms() -> None:
    """Half the level is ln 2, far above the floor; silence under the floor is no error; Griffin-Lim is in between."""
    loud = noise(1, 3.0)
    assert fidelity.log_mel_l1(loud / 2, loud, RATE) == pytest.approx(np.log(2), abs=0.01)
    assert fidelity.log_mel_l1(noise(2, 1e-7), noise(3, 1e-8), RATE) < 1e-3
    voice = sung(2.0).samples[0]
    assert fidelity.log_mel_l1(voice, voice, RATE) == 0
    floor = fidelity.log_mel_l1(griffin_lim(voice, RATE, 64, 1024), voice, RATE)
    assert 0.05 < floor < 0.5 * fidelity.log_mel_l1(noise(0), voice, RATE)


def test_log_mel_l1_is_the_loss_of_the_training() -> None:
    """The same but for the logarithm, and for the frames at the very edges."""
    import torch

    from unisinger_cli.training.spectral_losses import SpectralLoss

    one, other = (noise(seed)[: 64 * 1024] for seed in (1, 2))
    loss = SpectralLoss(RATE)(torch.from_numpy(one)[None], torch.from_numpy(other)[None])["mel"]
    assert fidelity.log_mel_l1(one, other, RATE) == pytest.approx(float(loss) * np.log(10), rel=0.02)


def test_losses_of_level_and_modulation() -> None:
    """The one sees treble that is 50 dB under the rest, the other pulses that are smeared, but not where they are."""
    import torch

    from unisinger_cli.training.spectral_losses import SpectralLoss

    losses = SpectralLoss(RATE)
    crop = lambda x: torch.from_numpy(np.asarray(x, dtype=np.float32)[: 64 * 1024])[None]  # noqa: E731
    bass, treble = tone(300, 0.3), tone(15000, 0.001)
    assert losses(crop(bass + treble), crop(bass + treble))["level"] == 0
    assert losses(crop(bass), crop(bass + treble))["level"] > 0.1
    pulses = sum(tone(120 * k, 0.02) for k in range(1, 80))
    late = np.roll(pulses, RATE // 300)
    rng = np.random.default_rng(0)
    smeared = sum(np.roll(tone(120 * k, 0.02), rng.integers(RATE)) for k in range(1, 80))
    assert losses(crop(late), crop(pulses))["modulation"] < 0.01
    assert losses(crop(smeared), crop(pulses))["modulation"] > 0.3


def test_loss_of_periodicity() -> None:
    """It tells a voice from a hoarse one of the same spectrum, and not by the phase of its harmonics."""
    import torch

    from unisinger_cli.training.periodicity import periodicity_loss

    crop = lambda x: torch.from_numpy(np.asarray(x, dtype=np.float32)[: 64 * 1024])[None]  # noqa: E731
    hz = torch.full((1, 64), 120.0)
    pulses = sum(tone(120 * k, 0.02) for k in range(1, 80))
    late, hoarse = np.roll(pulses, RATE // 300), 0.7 * pulses + noise(1, 0.05)
    loss = lambda made: float(periodicity_loss(crop(made), crop(pulses), hz, RATE))  # noqa: E731
    assert loss(pulses) == 0 and loss(late) < 0.02 and loss(hoarse) > 0.1
    assert periodicity_loss(crop(hoarse), crop(pulses), 0 * hz, RATE) == 0
    silent = torch.zeros(1, 64 * 1024, requires_grad=True)
    periodicity_loss(silent, crop(0 * pulses), hz, RATE).backward()
    assert silent.grad is not None and silent.grad.isfinite().all()


@pytest.mark.parametrize(("hz", "octave"), [(100, 0), (200, 1), (440, 2), (1000, 3), (8000, 6), (16000, 7)])
def test_levels_of_octaves(hz: float, octave: int) -> None:
    """A sine of amplitude 0.5 has -9 dB, in its own octave."""
    levels = fidelity.octave_levels(tone(hz), RATE)
    assert levels.argmax() == octave
    assert levels[octave] == pytest.approx(-9.03, abs=0.01)
    assert np.delete(levels, octave).max() < -60


def test_a_sound_that_is_cut_off_has_no_treble() -> None:
    assert fidelity.octave_levels(tone(300)[: RATE + 30], RATE)[7] < -100


def test_level_errors_where_something_sounds() -> None:
    real = tone(100) + tone(1000)
    errors = fidelity.level_errors(2 * tone(100) + tone(1000), real, RATE)
    assert errors[0] == pytest.approx(6.02, abs=0.01) and errors[3] == pytest.approx(0, abs=0.01)
    assert np.isnan(np.delete(errors, (0, 3))).all()
    assert np.isfinite(fidelity.level_errors(noise(1), noise(2), RATE)).all()


@pytest.mark.parametrize(("hz", "depth"), [(100, 0.8), (100, 0.4), (500, 0.8), (10, 0.0), (3000, 0.0)])
def test_modulation(hz: float, depth: float) -> None:
    """For a sine, depth over the square root of two, at any level; slower and faster ones do not count."""
    wave = (1 + (depth or 0.8) * np.sin(2 * np.pi * hz * TIME)) * tone(4300)
    assert fidelity.modulation(wave, RATE) == pytest.approx(depth / np.sqrt(2), abs=0.01)
    assert fidelity.modulation(0.1 * wave, RATE) == pytest.approx(depth / np.sqrt(2), abs=0.01)
    assert fidelity.modulation(0 * wave, RATE) == 0


def test_smeared_pulses_are_less_modulated() -> None:
    """The same harmonics at random phases have the same levels, and a flatter envelope."""
    rng = np.random.default_rng(0)
    pulses, smeared = (
        sum(tone(120 * k, 0.02) if sharp else np.roll(tone(120 * k, 0.02), rng.integers(RATE)) for k in range(1, 80))
        for sharp in (True, False)
    )
    assert fidelity.modulation(smeared, RATE) < 0.7 * fidelity.modulation(pulses, RATE)
    assert np.abs(fidelity.level_errors(smeared, pulses, RATE)[:6]).max() < 0.5


def test_the_worst_octave_is_of_all_sounds() -> None:
    """The distances are averaged over sounds first, without their sign; what was not heard does not count."""
    one, other = (
        {"level_from_86_hz_db": 1.0, "level_from_172_hz_db": None},
        dict.fromkeys(("level_from_86_hz_db", "level_from_172_hz_db"), -2.0),
    )
    assert worst_and_mean([one, other]) == (2.0, 1.75)
    assert worst_and_mean([]) == (None, None)
