"""The variants of the ablation: what each must see changes what it makes, and what it must not see does not."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from toy_flow import CHANNELS, awake_flow, conditions, data_of, made_clip
from unisinger_cli.model.checkpoint import load_checkpoint, save_checkpoint
from unisinger_cli.model.conditioning import MASKS
from unisinger_cli.model.config import PRESETS, ModelConfig
from unisinger_cli.model.unisinger import UniSinger
from unisinger_cli.pipeline.condition import from_recording
from unisinger_cli.stages.sample import as_tensors
from unisinger_cli.training.curriculum import CURRICULUM, FULL, VARIANTS, stage_at
from unisinger_cli.types import Content, Pitch, Timbre

DEBUG = PRESETS["debug"]
SONGS, CONVERSIONS = (0, 2), (1, 3)
VOICE_MAPS = ("conditions.speaker.weight", "conditions.speaker.bias", "conditions.speaker_null")
VOICE_MAPS += ("conditions.speaker_to_blocks.weight", "sounds_in.weight")


# ---------------------------------------------------------------- what is seen
@pytest.mark.parametrize("task", range(4))
@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_sees_what_it_should(name: str, task: int) -> None:
    config = VARIANTS[name].of(DEBUG)
    flow, mask = awake_flow(config), MASKS[task]
    c, other = (conditions(1, 32, task, seed, config) for seed in (0, 9))
    latent = torch.randn(1, 2, 32, CHANNELS, generator=torch.Generator().manual_seed(0))
    plain = flow.velocity(latent, 0.3, c)
    everything = name == "no-masks"
    seen = {"phonemes": mask.phoneme, "content": mask.semantic, "tags": mask.instruct}
    seen |= {"timbre": mask.speaker, "sounds": mask.speaker}
    for field, visible in seen.items():
        changed = flow.velocity(latent, 0.3, c.map({field: getattr(other, field)}))
        assert torch.equal(plain, changed) != (visible or everything), field


@pytest.mark.parametrize("masked", [True, False])
def test_batches_show_what_a_clip_has(masked: bool) -> None:
    """Without masks everything is shown in every task but for dropout; words that nobody knows are shown in none."""
    config = VARIANTS[FULL if masked else "no-masks"].of(DEBUG)
    clips = [made_clip(name, torch.randn(3, config.timbre.dim)) for name in ("a", "b")]
    clips[1] = ({**clips[1][0], "phonemes": None}, clips[1][1])
    data = data_of(clips, 400, config)
    data.task_weight.fill_(1.0)
    torch.manual_seed(0)
    c = data.draw().conditions
    for task, mask in enumerate(MASKS[:3]):  # no song here has an accompaniment, so the last task is never drawn
        mine = c.task == task
        shares = {n: getattr(c, n)[mine].float().mean().item() for n in ("semantic_on", "speaker_on", "instruct_on")}
        expected = {"semantic_on": mask.semantic, "speaker_on": mask.speaker, "instruct_on": mask.instruct}
        for field, share in shares.items():
            assert (share > 0.7) == (expected[field] or not masked), (task, field)
            assert share < 1
        words = c.phoneme_on[mine].float().mean().item()  # in task 1 half of the clips have none
        assert (words > 0.3) == (mask.phoneme or not masked)
    silent = c.task == 1
    assert c.phoneme_on[silent].float().mean() < 0.6


@pytest.mark.parametrize("name", VARIANTS)
def test_inference_shows_what_training_showed(name: str) -> None:
    """A conversion without accompaniment hides the style, unless nothing is hidden; its words are not there at all."""
    config = VARIANTS[name].of(DEBUG)
    content = Content(np.zeros(32, dtype=np.int64), config.codec.frame_rate)
    pitch = Pitch(np.full(32, 200.0, dtype=np.float32), config.codec.frame_rate)
    timbre = Timbre(np.ones(config.timbre.dim, dtype=np.float32))
    given = as_tensors(UniSinger.random(config), from_recording(config, content, pitch, timbre, None, ["pop"]), 32)
    assert given.semantic_on.all() and given.speaker_on.all() and not given.phoneme_on.any()
    assert given.instruct_on.all() == (name == "no-masks")


# ---------------------------------------------------------------- what is trained
@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_draws_its_tasks_alone(name: str) -> None:
    variant = VARIANTS[name]
    stages = variant.stages
    assert stages[0].begin == 0 and [s.begin for s in stages] == sorted({s.begin for s in stages})
    for stage in stages:
        assert sum(stage.weights) == pytest.approx(1)
        assert {task for task, weight in enumerate(stage.weights) if weight} <= set(variant.tasks)
    assert {task for task, weight in enumerate(stage_at(1.0, stages).weights) if weight} == set(variant.tasks)


def test_the_full_variant_is_the_method_as_it_is() -> None:
    assert VARIANTS[FULL].of(DEBUG) == DEBUG
    assert [stage.begin for stage in VARIANTS[FULL].stages] == [stage.begin for stage in CURRICULUM]
    for mine, paper in zip(VARIANTS[FULL].stages, CURRICULUM, strict=True):
        assert mine.weights == pytest.approx(paper.weights)


# ---------------------------------------------------------------- two speaker spaces
@pytest.mark.parametrize("tasks", [SONGS, CONVERSIONS])
def test_songs_and_conversions_share_no_map_of_a_voice(tasks: tuple[int, ...]) -> None:
    """The loss of songs has no gradient in the maps of conversions, and the other way round."""
    config = VARIANTS["two-spaces"].of(DEBUG)
    flow = awake_flow(config).requires_grad_()
    torch.manual_seed(0)
    for task in tasks:
        for voiced in (True, False):  # a dropped voice trains the null
            c = conditions(2, 32, task, config=config)
            c = c.map({"speaker_on": c.speaker_on & voiced})
            flow.loss(torch.randn(2, 2, 32, CHANNELS), c).sum().backward()
    for name in VOICE_MAPS:
        songs, conversions = flow.network.get_parameter(name).grad.chunk(2)
        mine, foreign = (songs, conversions) if tasks == SONGS else (conversions, songs)
        assert mine.any() and not foreign.any(), name
    for stream, mix in enumerate(flow.network.conditions.with_speaker):
        trained = any(p.grad is not None and p.grad.any() for p in mix.parameters())
        assert trained == ((stream == 1) == (tasks == CONVERSIONS))


def test_another_space_is_another_voice() -> None:
    """Changing conversion's maps leaves songs as they are."""
    config = VARIANTS["two-spaces"].of(DEBUG)
    flow, latent = awake_flow(config), torch.randn(1, 2, 32, CHANNELS, generator=torch.Generator().manual_seed(0))
    before = [flow.velocity(latent, 0.3, conditions(1, 32, task, config=config)) for task in range(4)]
    with torch.no_grad():
        for name in VOICE_MAPS:
            flow.network.get_parameter(name).chunk(2)[1].add_(0.1)
    after = [flow.velocity(latent, 0.3, conditions(1, 32, task, config=config)) for task in range(4)]
    assert [torch.equal(a, b) for a, b in zip(before, after, strict=True)] == [True, False, True, False]


# ---------------------------------------------------------------- checkpoints
def test_a_checkpoint_from_before_the_variants_loads_unchanged(tmp_path: Path) -> None:
    model = UniSinger.random(DEBUG)
    path = tmp_path / "m.safetensors"
    save_checkpoint(model, path, {}, int8=False)
    data, now = path.read_bytes(), json.dumps(', "task_masks": true, "speaker_spaces": 1')[1:-1].encode()
    assert now in data
    size = int.from_bytes(data[:8], "little")
    head = data[8 : 8 + size].replace(now, b"").ljust(size)  # as written before the fields were there
    path.write_bytes(data[:8] + head + data[8 + size :])
    again = load_checkpoint(path)
    assert again.config == DEBUG
    for name, value in model.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name


def test_a_variant_is_told_by_its_checkpoint(tmp_path: Path) -> None:
    config = VARIANTS["two-spaces"].of(DEBUG)
    save_checkpoint(UniSinger.random(config), tmp_path / "m.safetensors", {}, int8=True)
    again = load_checkpoint(tmp_path / "m.safetensors")
    assert again.config == config
    assert again.flow.network.conditions.speaker.weight.shape == (2 * config.flow.width, config.timbre.dim)
    with pytest.raises(ValueError, match="speaker_spaces"):
        UniSinger(
            ModelConfig.from_dict({**config.to_dict(), "flow": {**config.to_dict()["flow"], "speaker_spaces": 3}})
        )
