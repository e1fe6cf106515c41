"""A vocal brought nearer to its reference: what moves, what stays, and that no length is too long for it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from unisinger_cli.audio import Tape, whole
from unisinger_cli.model.config import PRESETS
from unisinger_cli.model.unisinger import UniSinger
from unisinger_cli.stages import liken
from unisinger_cli.stages.liken import likened
from unisinger_cli.types import Condition, Timbre

CONFIG = PRESETS["debug"]
FRAMES = 900


@pytest.fixture(scope="module")
def model() -> UniSinger:
    """Code k stands for phoneme 2 + k // 4, and nothing is usual about any."""
    model = UniSinger.random(CONFIG)
    codes = torch.arange(CONFIG.content.codes).repeat(50)
    model.flow.network.conditions.sounds.fit(torch.zeros(len(codes), CONFIG.codec.channels), codes, 2 + codes // 4)
    return model


def tape(latents: np.ndarray) -> Tape:
    made = Tape(latents.shape[0], 1)
    made.append(latents)
    return made


def condition(spelt: bool, sounds: np.ndarray | None) -> Condition:
    codes = np.random.default_rng(0).integers(CONFIG.content.codes, size=FRAMES)
    phonemes = 2 + codes // 4
    phonemes[:100] = CONFIG.phonemes.index("_")
    timbre = Timbre(np.eye(1, CONFIG.timbre.dim, dtype=np.float32)[0], sounds)
    symbols = {"phonemes": phonemes, "content": None} if spelt else {"phonemes": None, "content": codes}
    return Condition(
        2 if spelt else 1, FRAMES, groups=("vocal",), pitch=None, score=None, tags=None, timbre=timbre, **symbols
    )


def test_each_phoneme_gets_the_mean_of_the_reference(model: UniSinger, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    latents = rng.standard_normal((CONFIG.codec.channels, FRAMES), dtype=np.float32)
    table = model.flow.network.conditions.sounds
    wanted = rng.standard_normal((len(CONFIG.phonemes), CONFIG.codec.channels), dtype=np.float32)
    c = condition(True, wanted)
    assert c.phonemes is not None
    made = whole(likened(model, tape(latents), c)).samples

    symbols = torch.from_numpy(c.phonemes.astype(np.int64))[None]

    def distance(sung: np.ndarray) -> float:
        sums, counts = table.tally_spelt(torch.from_numpy(sung.T.copy())[None], symbols)
        heard = counts[0] > 0
        means = sums[0][heard] / counts[0][heard][:, None]
        return float((means - torch.from_numpy(wanted)[heard]).abs().mean())

    assert distance(made) < 0.75 * distance(latents)  # what is heard for a second only is believed by half
    change = made - latents
    assert not change[:, :100].any()  # a pause is nobody's
    one = np.flatnonzero(c.phonemes == c.phonemes[500])
    np.testing.assert_allclose(change[:, one], change[:, one[:1]].repeat(len(one), 1), atol=1e-5)

    monkeypatch.setattr(liken, "_BLOCK", 64)
    np.testing.assert_allclose(whole(likened(model, tape(latents), c)).samples, made, atol=1e-4)


def test_without_a_table_or_in_a_conversion_nothing_changes(model: UniSinger) -> None:
    vocal = tape(np.ones((CONFIG.codec.channels, FRAMES), dtype=np.float32))
    table = np.ones((len(CONFIG.phonemes), CONFIG.codec.channels), dtype=np.float32)
    assert likened(model, vocal, condition(False, table)) is vocal
    assert likened(model, vocal, condition(True, None)) is vocal
    assert likened(model, vocal, replace(condition(True, None), timbre=None)) is vocal
