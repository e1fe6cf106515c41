"""Moments of a voice: how they are looked up, chosen, kept in a file and blended."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from toy_flow import CHANNELS, awake_flow, conditions
from unisinger_cli.errors import InputError
from unisinger_cli.model.config import PRESETS
from unisinger_cli.model.moments import MomentAttention, MomentMemory
from unisinger_cli.pipeline.voicefile import Voice, read_voice, write_voice
from unisinger_cli.stages.timbre import blend, spread
from unisinger_cli.types import Moments, Timbre

CONFIG = PRESETS["debug"]


def some(count: int, code: int = 0) -> Moments:
    """Moments whose latents tell their place."""
    latents = np.repeat(np.arange(count, dtype=np.float32)[:, None], CONFIG.codec.channels, 1)
    return Moments(latents / 100, np.full(count, code, dtype=np.int64))


def test_attention_is_a_weighted_mean_of_the_moments_that_are_there() -> None:
    torch.manual_seed(0)
    width, heads = 12, 3
    memory, attention = MomentMemory(width, heads), MomentAttention(width, heads)
    torch.nn.init.normal_(attention.out.weight)
    moments, x = torch.randn(2, 5, width), torch.randn(2, 4, width)
    there = torch.tensor([[True, False, True, True, False], [False] * 5])
    found = attention(x, memory(moments, there))
    for b in range(2):
        kept = torch.cat([memory.nobody[None], moments[b][there[b]]])
        k, v = memory.keys_values(memory.norm(kept)).chunk(2, dim=-1)
        q = attention.query(attention.norm(x[b]))
        for n in range(4):
            heard = []
            for h in range(heads):
                own = slice(h * width // heads, (h + 1) * width // heads)
                weights = torch.stack(
                    [attention.norm_q(q[n, own]) @ memory.norm_k(key[own]) / math.sqrt(width // heads) for key in k]
                )
                heard.append(weights.softmax(0) @ v[:, own])
            torch.testing.assert_close(found[b, n], attention.out(torch.cat(heard)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("task", [1, 2])
def test_the_order_of_moments_tells_nothing_and_what_they_are_does(task: int) -> None:
    network = awake_flow(CONFIG).network.eval()
    c = conditions(2, 32, task=task)
    latent, t = torch.randn(2, 2, 32, CHANNELS), torch.full((2,), 0.4)
    order = torch.randperm(CONFIG.flow.moments)
    names = ("moments", "moment_codes", "moments_there")
    with torch.inference_mode():
        plain = network(latent, t, c)
        shuffled = network(latent, t, c.map({name: getattr(c, name)[:, order] for name in names}))
        other = network(latent, t, c.map({"moments": c.moments + 1}))
        unseen = torch.where(c.moments_there[..., None], c.moments, 99.0)
        torch.testing.assert_close(network(latent, t, c.map({"moments": unseen})), plain)
    torch.testing.assert_close(shuffled, plain, rtol=1e-3, atol=1e-4)
    assert (other - plain).abs().max() > 1e-3


def test_without_a_voice_nothing_of_it_is_heard() -> None:
    network = awake_flow(CONFIG).network.eval()
    c = conditions(1, 32, task=2)
    off = c.map({"speaker_on": torch.zeros(1, dtype=torch.bool)})
    latent, t = torch.randn(1, 2, 32, CHANNELS), torch.full((1,), 0.4)
    with torch.inference_mode():
        torch.testing.assert_close(network(latent, t, off), network(latent, t, off.map({"moments": c.moments + 1})))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 300), st.floats(0.01, 1)), min_size=1, max_size=5), st.integers(1, 96))
def test_moments_are_spread_over_the_parts_by_weight(parts: list[tuple[int, float]], most: int) -> None:
    taken = spread([some(count, i) for i, (count, _) in enumerate(parts)], [w for _, w in parts], most)
    assert len(taken.codes) == len(taken.latents) <= most
    total = sum(w for _, w in parts)
    for i, (count, weight) in enumerate(parts):
        own = taken.latents[taken.codes == i, 0]
        assert (np.diff(own) > 0).all()  # none twice
        assert len(own) <= count and len(own) <= most * weight / total + 1
    if len(parts) == 1 and parts[0][0] >= most:
        place = np.round(taken.latents[:, 0] * 100)
        assert np.ptp(np.diff(place, prepend=-place[0] - 1)) <= 1.5 + parts[0][0] / most  # no stretch is left out


def test_a_blend_has_moments_of_both_by_their_shares() -> None:
    vector = np.eye(1, 8, dtype=np.float32)[0]
    one, other = (Timbre(vector, moments=some(96, code)) for code in (1, 2))
    mixed = blend([one, other], [0.75, 0.25]).moments
    assert mixed is not None
    assert np.bincount(mixed.codes, minlength=3).tolist() == [0, 72, 24]
    assert blend([one, replace(other, moments=None)], [0.5, 0.5]).moments is None


def saved(tmp_path: Path, moments: Moments) -> Path:
    path = tmp_path / "anna.safetensors"
    vector = np.eye(1, CONFIG.timbre.dim, dtype=np.float32)[0]
    write_voice(Voice("anna", Timbre(vector, moments=moments), "her own", "debug", "2026-01-01"), path)
    return path


def test_a_voice_file_keeps_moments_to_the_bit(tmp_path: Path) -> None:
    moments = some(20, 7)
    back = read_voice(saved(tmp_path, moments)).timbre.moments
    assert back is not None
    np.testing.assert_array_equal(back.latents, moments.latents)
    np.testing.assert_array_equal(back.codes, moments.codes)


@pytest.mark.parametrize(
    "moments",
    [
        Moments(np.full((3, CHANNELS), np.nan, dtype=np.float32), np.zeros(3, dtype=np.int64)),
        Moments(np.full((3, CHANNELS), 1e9, dtype=np.float32), np.zeros(3, dtype=np.int64)),
        Moments(np.zeros((3, CHANNELS), dtype=np.float32), np.zeros(4, dtype=np.int64)),
        Moments(np.zeros((3, CHANNELS), dtype=np.float32), np.full(3, -1, dtype=np.int64)),
        Moments(np.zeros((5000, 8), dtype=np.float32), np.zeros(5000, dtype=np.int64)),
    ],
    ids=["nan", "huge", "other length", "negative code", "too many"],
)
def test_damaged_moments_are_refused(tmp_path: Path, moments: Moments) -> None:
    with pytest.raises(InputError, match="moments"):
        read_voice(saved(tmp_path, moments))
