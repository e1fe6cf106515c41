"""What the content encoder learns from: crops in two voices that say the same, and sets that each have their say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from corpus_voice import RATE, say
from unisinger_cli.model.config import PRESETS
from unisinger_cli.model.content_encoder import ContentEncoder
from unisinger_cli.training.content import ContentData, ContentLoss
from unisinger_cli.training.dataset import AudioBank, by_set

DEBUG = PRESETS["debug"]
HOP, SIZE = DEBUG.codec.hop, 6


def data(often: tuple[float, float] = (1.0, 3.0)) -> ContentData:
    """Two clips of six seconds; the label of a frame is its place, modulo the inventory."""
    sounds = [
        say("sa si sa si sa si sa si sa si sa si", hz=hz, seed=i)[0].samples[0] for i, hz in enumerate((120.0, 210.0))
    ]
    frames = [6 * RATE // HOP] * 2
    clips = [np.resize(sound, n * HOP) for sound, n in zip(sounds, frames, strict=True)]
    samples = torch.from_numpy((np.concatenate(clips) * 32767).astype(np.int16))
    lengths = torch.tensor([n * HOP for n in frames])
    bank = AudioBank(samples, lengths.cumsum(0) - lengths, lengths, HOP)
    total = sum(frames)
    labels, hz = torch.arange(total) % len(DEBUG.phonemes), torch.full((total,), 150.0)
    return ContentData(bank, labels, hz, torch.tensor([0, 1]), torch.tensor(often), DEBUG, SIZE)


def test_half_of_the_crops_are_heard_in_another_voice_as_well() -> None:
    torch.manual_seed(0)
    drawn = data()
    audio, labels, hz, speaker, mel = drawn.draw()
    few = drawn.doubled
    assert few == SIZE // 2 and len(audio) == len(labels) == len(hz) == len(speaker) == len(mel) == few + SIZE
    for known in (labels, hz, speaker, mel):
        assert torch.equal(known[:few], known[few : 2 * few])
    other, own = (audio[i : i + few] for i in (0, few))
    assert other.shape == own.shape
    assert (torch.nn.functional.cosine_similarity(other, own) < 0.9).all()
    torch.testing.assert_close(other.square().mean(1), own.square().mean(1), rtol=0.1, atol=1e-6)  # as loud


def test_clips_are_drawn_by_their_weights() -> None:
    torch.manual_seed(0)
    drawn = data()
    assert drawn.bank.choose(4000, drawn.weights).float().mean() == pytest.approx(0.75, abs=0.03)
    for alone in (0, 1):
        assert (data((1.0 - alone, float(alone))).draw()[3] == alone).all()


def test_a_set_counts_by_the_square_root_of_its_length() -> None:
    rows = [(Path(), {"set": name, "seconds": s}) for name, s in (("long", 60.0), ("long", 40.0), ("short", 25.0))]
    weights = by_set(rows)
    assert weights[0] + weights[1] == pytest.approx(10.0) and weights[2] == pytest.approx(5.0)
    assert weights[0] / weights[1] == pytest.approx(1.5)


def test_codes_name_phonemes_without_their_neighbours() -> None:
    """The loss of naming depends on a frame's own code: shuffling the frames in time shuffles what is named."""
    torch.manual_seed(0)
    loss = ContentLoss(ContentEncoder(DEBUG.content, DEBUG.codec), data(), 2, DEBUG)
    vectors = torch.nn.functional.normalize(torch.randn(1, 20, DEBUG.content.code_dim), dim=-1)
    order = torch.randperm(20)
    torch.testing.assert_close(loss.named(vectors)[:, order], loss.named(vectors[:, order]))
    found = loss()
    assert set(found) >= {"early", "named", "agree", "commit", "rebuild"}
    found["loss"].backward()
    first = loss.encoder.backbone.project.weight.grad
    assert first is not None and first.abs().sum() > 0


def test_two_voices_that_agree_cost_nothing() -> None:
    torch.manual_seed(0)
    drawn = data()
    loss = ContentLoss(ContentEncoder(DEBUG.content, DEBUG.codec), drawn, 2, DEBUG)
    few = drawn.doubled
    vectors = torch.nn.functional.normalize(torch.randn(few + SIZE, 5, DEBUG.content.code_dim), dim=-1)
    assert loss._disagreement(vectors) > 1.0
    vectors[:few] = vectors[few : 2 * few]
    assert loss._disagreement(vectors) == 0.0
