"""The linear flow beside the network: nothing linear does better, flows from before go on without it, and a network
that is narrower than its latents learns what it could not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from toy_flow import CHANNELS, awake_flow, conditions, data_of, made_clip
from unisinger_cli.model.checkpoint import load_checkpoint, save_checkpoint
from unisinger_cli.model.config import PRESETS, ModelConfig
from unisinger_cli.model.flow import Flow
from unisinger_cli.model.linear_flow import LinearFlow
from unisinger_cli.model.unisinger import UniSinger
from unisinger_cli.training.flow import FlowTrainee
from unisinger_cli.training.growth import hand_over
from unisinger_cli.training.parts import load_parts, save_part

DEBUG = PRESETS["debug"]
LEVELS = DEBUG.codec.levels
LINEAR = "flow.network.linear."


def narrow_latents(frames: int, seed: int = 0) -> torch.Tensor:
    """Levels that are numbers of unit variance, and other channels of a few turned directions [frames, c]."""
    generator = torch.Generator().manual_seed(seed)
    deviation = torch.cat([torch.ones(LEVELS), torch.logspace(0.5, -1.4, CHANNELS - LEVELS)])
    turn = torch.linalg.qr(
        torch.randn(CHANNELS - LEVELS, CHANNELS - LEVELS, generator=torch.Generator().manual_seed(9))
    )
    drawn = deviation * torch.randn(frames, CHANNELS, generator=generator)
    return torch.cat([drawn[:, :LEVELS], drawn[:, LEVELS:] @ turn.Q.T], dim=1)


@pytest.mark.parametrize("t", [0.0, 0.2, 0.6, 0.95, 1.0])
def test_no_linear_map_of_a_frame_does_better(t: float) -> None:
    linear = LinearFlow(DEBUG)
    linear.fit([narrow_latents(40_000) + 0.5, narrow_latents(40_000) + 0.5])
    data = narrow_latents(40_000, seed=1) + 0.5
    noise = torch.randn(data.shape, generator=torch.Generator().manual_seed(2))
    mixed, wanted = torch.lerp(noise, data, t), (data - noise)[:, LEVELS:]
    found = linear(mixed.expand(1, 2, -1, -1), torch.tensor([t]))[0, 1, :, LEVELS:]
    seen = torch.cat([mixed[:, LEVELS:], torch.ones(len(mixed), 1)], dim=1)
    best = seen @ torch.linalg.lstsq(seen, wanted).solution
    left, least = (found - wanted).square().mean(), (best - wanted).square().mean()
    assert least <= left <= 1.01 * least + 1e-6


def test_what_does_not_vary_is_told_from_the_time_alone() -> None:
    """Its mean is added, and all of its noise taken away."""
    linear = LinearFlow(DEBUG)
    still = narrow_latents(2000)
    still[:, LEVELS] = 0.7
    still[:, LEVELS + 1 :] -= still[:, LEVELS + 1 :].mean(0)
    linear.fit([still] * 2)
    noise = torch.randn(1, 2, 500, CHANNELS, generator=torch.Generator().manual_seed(0))
    mixed = torch.lerp(noise, torch.full_like(noise, 0.7), 0.2)
    velocity = linear(mixed, torch.tensor([0.2]))[..., LEVELS]
    torch.testing.assert_close(velocity, 0.7 - noise[..., LEVELS], rtol=0.01, atol=0.01)


def test_too_few_frames_tell_nothing() -> None:
    linear = LinearFlow(DEBUG)
    before = {name: value.clone() for name, value in linear.state_dict().items()}
    linear.fit([narrow_latents(CHANNELS - 1), narrow_latents(1)])
    assert all(torch.equal(value, before[name]) for name, value in linear.state_dict().items())


# ---------------------------------------------------------------- flows from before
def without_linear(path: Path) -> None:
    """Rewrite a file as it was before there was a linear flow."""
    from safetensors import safe_open

    with safe_open(path, "pt") as handle:
        metadata = handle.metadata()
    kept = {name: value for name, value in load_file(path).items() if not name.startswith(LINEAR)}
    save_file(kept, path, metadata=metadata)


def test_a_flow_from_before_goes_on_without(tmp_path: Path) -> None:
    model = UniSinger.random(DEBUG)
    model.flow = awake_flow(DEBUG)
    model.flow.network.linear.fit([narrow_latents(1000)] * 2)
    latent, c = torch.randn(1, 2, 32, CHANNELS, generator=torch.Generator().manual_seed(0)), conditions(1, 32)
    whole, part = tmp_path / "model.safetensors", tmp_path / "flow.safetensors"
    save_checkpoint(model, whole, {}, int8=False)
    save_part(model, "flow", part, {})
    model.flow.network.linear.share.data.zero_()
    wanted = model.flow.velocity(latent, 0.3, c)
    for path in (whole, part):
        without_linear(path)
        found = UniSinger.random(DEBUG)
        load_parts(found, [path])
        assert not found.flow.network.linear.share.any()
        torch.testing.assert_close(found.flow.velocity(latent, 0.3, c), wanted, atol=5e-3, rtol=5e-3)  # halves
    assert not load_checkpoint(whole).flow.network.linear.share.any()


def test_directions_are_kept_as_they_are_where_weights_are_int8(tmp_path: Path) -> None:
    model = UniSinger.random(DEBUG)
    model.flow.network.linear.fit([narrow_latents(1000)] * 2)
    save_checkpoint(model, tmp_path / "model.safetensors", {}, int8=True)
    kept = load_checkpoint(tmp_path / "model.safetensors").flow.network.linear
    torch.testing.assert_close(kept.directions, model.flow.network.linear.directions, atol=3e-4, rtol=0)
    torch.testing.assert_close(kept.variance, model.flow.network.linear.variance, atol=0, rtol=1e-3)


def test_levels_that_join_are_directions_of_their_own(tmp_path: Path) -> None:
    before = replace(DEBUG, codec=DEBUG.codec.without_levels())
    old, new = UniSinger.random(before), UniSinger.random(DEBUG)
    old.flow.network.linear.fit([narrow_latents(1000)[:, LEVELS:]] * 2)
    save_part(old, "flow", tmp_path / "flow.safetensors", {})
    load_parts(new, [tmp_path / "flow.safetensors"])
    latent, t = torch.randn(1, 2, 8, CHANNELS), torch.tensor([0.7])
    wanted = old.flow.network.linear(latent[..., LEVELS:], t)
    torch.testing.assert_close(new.flow.network.linear(latent, t)[..., LEVELS:], wanted, atol=0.02, rtol=0.02)
    assert (new.flow.network.linear.share[:, :LEVELS] == 1).all()


def test_a_network_is_handed_over_in_what_scarcely_varies() -> None:
    """It goes on with the rest, and neither sees those directions nor says anything of them."""
    flow, latents = awake_flow(DEBUG).eval(), [narrow_latents(5000)] * 2
    network, linear = flow.network, flow.network.linear
    c, t = conditions(1, 32), torch.tensor([0.4])
    latent = narrow_latents(64, seed=4).view(1, 2, 32, CHANNELS)
    with torch.no_grad():
        before = network(latent, t, c)
        hand_over(network, latents)
        low = linear.share[0].bool()
        low[:LEVELS] = False
        assert 10 < low.sum() < CHANNELS - LEVELS - 10
        there = linear.directions[0, :, low]
        quiet = latent - latent @ there @ there.T
        wanted, found = before, network(latent, t, c)
        kept = torch.eye(CHANNELS) - there @ there.T
        kept[:LEVELS] = 0  # which are the linear flow's, too
        rest = (wanted - found) @ kept.T
        assert rest.square().mean() < 0.02 * (wanted @ kept.T).square().mean()
        torch.testing.assert_close(found @ there, linear(latent, t) @ there, atol=1e-4, rtol=1e-3)
        torch.testing.assert_close(network(quiet, t, c) @ kept.T, found @ kept.T, atol=1e-4, rtol=1e-3)


def test_a_flow_from_before_gets_directions_once() -> None:
    flow = awake_flow(DEBUG)
    linear = flow.network.linear
    clip = made_clip("anna", torch.randn(2, DEBUG.timbre.dim), frames=200)
    clip[1]["vocal"].random_(-60, 60)
    clip[1]["vocal"][:, -1] = 0
    FlowTrainee(flow, data_of([clip], 2), 1e-3)
    assert not torch.equal(linear.directions[0], torch.eye(CHANNELS))
    assert linear.share[0, LEVELS:].sum() == 1  # of the channel that never varies
    kept = linear.directions.clone()
    clip[1]["vocal"].random_(-60, 60)
    FlowTrainee(flow, data_of([clip], 2), 1e-3)
    assert torch.equal(linear.directions, kept)


# ---------------------------------------------------------------- what it is for
def learned(flow: Flow, config: ModelConfig, steps: int = 60) -> float:
    """Loss on latents of few directions after some steps, mean of the last ten."""
    torch.manual_seed(0)
    told, losses = conditions(8, 32, task=3, config=config), []
    optimiser = torch.optim.Adam(flow.parameters(), 3e-3)
    for i in range(steps):
        data = narrow_latents(8 * 2 * 32, seed=i).view(8, 2, 32, CHANNELS)
        data[..., :LEVELS] = torch.linspace(-1, 1, LEVELS)  # as if they were known
        loss = flow.loss(data, told).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    return sum(losses[-10:]) / 10


def test_a_network_narrower_than_its_latents_need_not_carry_their_noise() -> None:
    assert DEBUG.flow.width < DEBUG.flow.patch * len(DEBUG.flow.groups) * CHANNELS
    with_it, without = UniSinger.random(DEBUG).flow, UniSinger.random(DEBUG).flow
    with_it.network.linear.fit([narrow_latents(5000)] * 2)
    without.network.linear.share.requires_grad_(False)
    assert learned(with_it, DEBUG) < 0.7 * learned(without, DEBUG)
