"""The table of a voice's sounds: what it keeps of a reference."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from unisinger_cli.model.config import PRESETS
from unisinger_cli.model.sounds import SoundTable

CONFIG = PRESETS["debug"]
CODES, PHONEMES = CONFIG.content.codes, len(CONFIG.phonemes)


@pytest.fixture
def table() -> SoundTable:
    """Fitted to many frames in which code k stands for phoneme k // 4, and its latent is k everywhere."""
    g = torch.Generator().manual_seed(0)
    codes = torch.randint(CODES, (5000,), generator=g) // 2 * 2 + (torch.rand(5000, generator=g) < 0.2).long()
    latents = codes[:, None].float().expand(-1, CONFIG.codec.channels)
    table = SoundTable(CONFIG)
    table.fit(latents, codes, codes // 4)
    return table


def reference(table: SoundTable, codes: Tensor, shift: float) -> Tensor:
    latents = table.usual[codes] + shift
    return table.settle(*table.tally(latents, codes))


def test_a_usual_voice_has_an_empty_table(table: SoundTable) -> None:
    codes = torch.randint(CODES, (1, 300))
    torch.testing.assert_close(reference(table, codes, 0.0), torch.zeros(1, PHONEMES, CONFIG.codec.channels))


def test_what_a_voice_does_otherwise_is_found_where_it_was_said(table: SoundTable) -> None:
    codes = torch.tensor([[20] * 400 + [28] * 400])  # phonemes 5 and 7
    latents = table.usual[codes].clone()
    latents[:, :400] += 2.0
    found = table.settle(*table.tally(latents, codes))[0, :, 0]
    assert found[5] > 1.9 and found[7] < 0.1
    assert found[3].item() == pytest.approx(1.0, abs=0.01)  # never said: as the voice does on the whole
    along = table.along_codes(found[None, :, None], codes)[0, :, 0]
    assert along[0] > 1.9 and along[-1] < 0.1


def test_tallies_of_parts_add_up_to_that_of_the_whole(table: SoundTable) -> None:
    codes = torch.randint(CODES, (1, 200))
    latents = torch.randn(1, 200, CONFIG.codec.channels)
    parts = [table.tally(latents[:, a:b], codes[:, a:b]) for a, b in ((0, 70), (70, 200))]
    for of_whole, one, other in zip(table.tally(latents, codes), *parts, strict=True):
        torch.testing.assert_close(of_whole, one + other, atol=1e-4, rtol=1e-4)
