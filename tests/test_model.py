"""The networks: equivalences that must hold whatever the weights are."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from toy_flow import CHANNELS, awake_flow, conditions
from unisinger_cli.audio import whole
from unisinger_cli.model.blocks import JointBlock
from unisinger_cli.model.checkpoint import load_checkpoint, quantise_rows, save_checkpoint
from unisinger_cli.model.conditioning import MASKS, Conditions, pitch_features
from unisinger_cli.model.config import PRESETS, ModelConfig
from unisinger_cli.model.flow import Flow, draw_times, time_grid
from unisinger_cli.model.ops import overlap_add, rotary_angles, rotate, stft, stft_magnitude
from unisinger_cli.model.unisinger import UniSinger
from unisinger_cli.stages.decode import decode
from unisinger_cli.types import Audio

DEBUG = PRESETS["debug"]


@pytest.fixture(scope="module")
def model() -> UniSinger:
    return UniSinger.random(DEBUG)


@pytest.fixture(scope="module")
def flow() -> Flow:
    return awake_flow(DEBUG)


def test_joint_attention_equals_a_naive_loop() -> None:
    """Every token, condition or latent, attends to all tokens of both streams, each through its own weights."""
    torch.manual_seed(0)
    d, heads = 32, 2
    block = JointBlock(d, heads, 2, 2).eval()
    condition, latent, shared = torch.randn(1, 3, d), torch.randn(1, 5, d), torch.randn(1, 6, d)
    angles = rotary_angles(torch.arange(3.0), d // heads), rotary_angles(torch.arange(5.0), d // heads)
    made_c, made_l = block(condition, latent, shared, angles)

    (qc, kc, vc), gates_c = block.condition.before(condition, shared, angles[0])
    (ql, kl, vl), gates_l = block.latent.before(latent, shared, angles[1])
    q, k, v = torch.cat([qc, ql], 2), torch.cat([kc, kl], 2), torch.cat([vc, vl], 2)
    attended = torch.zeros_like(q)
    for h in range(heads):
        for i in range(8):
            logits = torch.stack([q[0, h, i] @ k[0, h, j] / (d // heads) ** 0.5 for j in range(8)])
            weights = logits.exp() / logits.exp().sum()
            attended[0, h, i] = sum(w * v[0, h, j] for j, w in enumerate(weights))
    torch.testing.assert_close(made_c, block.condition.after(condition, attended[:, :, :3], gates_c))
    torch.testing.assert_close(made_l, block.latent.after(latent, attended[:, :, 3:], gates_l))
    unseen, latent_alone = block(condition, latent, shared, angles, last=True)
    assert unseen is condition
    torch.testing.assert_close(latent_alone, made_l)


def test_rotation_sees_only_time_differences() -> None:
    q, k = torch.randn(1, 1, 1, 16), torch.randn(1, 1, 1, 16)

    def product(a: float, b: float) -> Tensor:
        turn = lambda x, t: rotate(x, rotary_angles(torch.tensor([t]), 16))  # noqa: E731
        return (turn(q, a) * turn(k, b)).sum()

    torch.testing.assert_close(product(3.0, 5.0), product(40.0, 42.0), rtol=1e-3, atol=1e-3)


def test_fresh_attention_looks_at_its_own_time() -> None:
    """The first heads start on the clock: the key that sounds together with a query gets the largest weight."""
    torch.manual_seed(0)
    block = JointBlock(64, 2, 2, 2)
    angles = rotary_angles(torch.arange(64.0), 32)
    x = torch.randn(1, 64, 64)
    (q, _, _), _ = block.latent.before(x, torch.zeros(1, 6, 64), angles)
    (_, k, _), _ = block.condition.before(torch.randn(1, 64, 64), torch.zeros(1, 6, 64), angles)
    nearest = (q[0, 0] @ k[0, 0].T).argmax(-1)
    assert ((nearest - torch.arange(64)).abs() <= 1).float().mean() > 0.9


@pytest.mark.parametrize("task", range(4))
def test_a_masked_modality_has_no_effect(flow: Flow, task: int) -> None:
    """The mask table holds: what a task must not see changes nothing, what it sees changes the velocity."""
    torch.manual_seed(0)
    latent, c, other = torch.randn(1, 2, 32, CHANNELS), conditions(1, 32, task), conditions(1, 32, task, seed=9)
    mask = MASKS[task]
    plain = flow.velocity(latent, 0.3, c)
    seen = {"phonemes": mask.phoneme, "content": mask.semantic, "tags": mask.instruct}
    seen |= {"timbre": mask.speaker, "sounds": mask.speaker}
    for name, visible in seen.items():
        changed = flow.velocity(latent, 0.3, c.map({name: getattr(other, name)}))
        assert torch.equal(plain, changed) != visible, name


def test_absent_group_is_not_looked_at(flow: Flow) -> None:
    latent, c = torch.randn(1, 2, 32, CHANNELS), conditions(1, 32, task=1)
    changed = latent.clone()
    changed[:, 1] += 1
    assert torch.equal(flow.velocity(latent, 0.5, c)[:, 0], flow.velocity(changed, 0.5, c)[:, 0])


def test_guidance_scales(flow: Flow) -> None:
    """1 is the plain field; 0 takes the condition out; in between lies on the line through both."""
    latent, c = torch.randn(1, 2, 32, CHANNELS), conditions(1, 32)
    plain = flow.velocity(latent, 0.5, c)
    assert torch.equal(flow.velocity(latent, 0.5, c, [(c.without("speaker_on"), (1.0, 1.0))]), plain)
    without = flow.velocity(latent, 0.5, c.map({"speaker_on": torch.zeros(1, dtype=torch.bool)}))
    torch.testing.assert_close(flow.velocity(latent, 0.5, c, [(c.without("speaker_on"), (0.0, 0.0))]), without)
    more = plain + 2 * (plain - without)
    torch.testing.assert_close(flow.velocity(latent, 0.5, c, [(c.without("speaker_on"), (3.0, 3.0))]), more)
    vocal = flow.velocity(latent, 0.5, c, [(c.without("speaker_on"), (3.0, 1.0))])  # each group has a scale of its own
    torch.testing.assert_close(vocal[:, 0], more[:, 0])
    torch.testing.assert_close(vocal[:, 1], plain[:, 1])


def test_batch_equals_single(flow: Flow) -> None:
    latent, c = torch.randn(3, 2, 32, CHANNELS), conditions(3, 32)
    whole = flow.velocity(latent, 0.5, c, [(c.without("phoneme_on"), (2.0, 1.5))])
    for i in range(3):
        one = Conditions(**{name: value[i : i + 1] for name, value in c.__dict__.items()})
        torch.testing.assert_close(
            flow.velocity(latent[i : i + 1], 0.5, one, [(one.without("phoneme_on"), (2.0, 1.5))])[0], whole[i]
        )


def test_time_grid_runs_from_noise_to_data() -> None:
    for shift in (1.0, 3.0):
        grid = time_grid(7, shift)
        assert grid[0] == 0 and grid[-1] == 1 and (grid.diff() > 0).all()
    assert time_grid(8, 3.0)[4] < 0.5  # more steps near the noise


def test_most_is_learned_in_the_middle_and_enough_at_the_beginning() -> None:
    torch.manual_seed(0)
    times = draw_times(100_000, torch.device("cpu"))
    assert times.min() >= 0 and times.max() <= 1
    assert (times == 0).float().mean().item() == pytest.approx(0.25 / 6, abs=0.004)  # where every song begins
    share = [((times >= low) & (times < low + 0.1)).float().mean().item() for low in (0.0, 0.1, 0.45, 0.9)]
    logit_normal = (0.014, 0.069, 0.158, 0.014)
    expected = [0.75 * usual + extra for usual, extra in zip(logit_normal, (0.146, 0.104, 0, 0), strict=True)]
    assert share == pytest.approx(expected, abs=0.006)


def test_untrained_flow_loss_is_that_of_predicting_nothing() -> None:
    """The output layer starts at zero: the loss is E|data - noise|^2 = 1 + E|data|^2, in present groups only."""
    torch.manual_seed(0)
    data = torch.randn(4, 2, 64, CHANNELS)
    loss = UniSinger.random(DEBUG).flow.loss(data, conditions(4, 64, task=1))
    assert loss[:, 0].mean().item() == pytest.approx(2.0, abs=0.1)
    assert (loss[:, 1] == 0).all()


def test_pitch_features_tell_octaves_and_voicing() -> None:
    f = pitch_features(torch.tensor([[0.0, 110.0, 220.0, 440.0]]))[0]
    assert f[0].abs().sum() == 0
    assert f[1:, 1].tolist() == [-1.0, 0.0, 1.0]


def test_decoding_in_stretches_equals_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    model = UniSinger.random(DEBUG)
    model.codec.decoder.expect_harmonics()
    latents = np.random.default_rng(0).standard_normal((150, CHANNELS), dtype=np.float32)
    hz = np.where(np.arange(len(latents)) % 50 < 40, 150.0, 0.0).astype(np.float32)
    for pitch in (None, hz):
        monkeypatch.setattr("unisinger_cli.stages.decode.STRETCH", 1024)
        one_piece = whole(decode(model, Audio(latents.T, 1), pitch)).samples
        monkeypatch.setattr("unisinger_cli.stages.decode.STRETCH", 40)
        np.testing.assert_allclose(whole(decode(model, Audio(latents.T, 1), pitch)).samples, one_piece, atol=1e-5)
    assert one_piece.shape == (1, 150 * DEBUG.codec.hop)


@pytest.mark.parametrize(("n_fft", "hop"), [(4096, 1024), (2048, 256), (1024, 512), (1000, 300)])
def test_overlap_add_undoes_the_stft(n_fft: int, hop: int) -> None:
    audio = torch.randn(2, 20 * hop, generator=torch.Generator().manual_seed(0))
    again = overlap_add(stft(audio, n_fft, hop), hop)
    torch.testing.assert_close(again, audio, atol=2e-4, rtol=1e-4)  # the edges too


def test_errors_of_frames_that_are_not_learned_do_not_count() -> None:
    flow = UniSinger.random(
        DEBUG
    ).flow  # untrained, it predicts nothing, and the loss is that of the data and the noise
    data = torch.zeros(3, 2, 64, CHANNELS)
    data[:, :, 32:] = 10.0
    learned = torch.zeros(3, 64, dtype=torch.bool)
    learned[0, :32] = learned[1, 32:] = True
    loss = flow.loss(data, conditions(3, 64, task=3), learned)
    assert loss[0].tolist() == pytest.approx([1.0, 1.0], rel=0.15)
    assert loss[1].tolist() == pytest.approx([101.0, 101.0], rel=0.05)
    assert loss[2].tolist() == [0.0, 0.0]


def test_spectra_stand_on_the_latent_clock() -> None:
    """A click in the middle of frame 7 is loudest in frame 7, at every resolution."""
    audio = torch.zeros(1, 16 * 1024)
    audio[0, 7 * 1024 + 512] = 1
    for n_fft in (2048, 4096):
        assert stft_magnitude(audio, n_fft, 1024)[0].sum(0).argmax() == 7


def test_save_load_is_the_same_model(model: UniSinger, tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    save_checkpoint(model, path, {"a": 1}, int8=False)
    again = load_checkpoint(path)
    audio = torch.randn(1, 30 * 1024) * 0.1
    assert torch.equal(model.content(audio), again.content(audio))
    torch.testing.assert_close(model.timbre(audio), again.timbre(audio))
    latent = model.codec.encode(audio)
    torch.testing.assert_close(again.codec.encode(audio), latent)
    torch.testing.assert_close(again.codec.decode(latent), model.codec.decode(latent))


def test_loading_draws_nothing_and_needs_no_compiler(model: UniSinger, tmp_path: Path) -> None:
    """Importing torch's compiler would take longer than all the rest."""
    path = tmp_path / "m.safetensors"
    save_checkpoint(model, path, {}, int8=True)
    before = torch.get_rng_state()
    load_checkpoint(path)
    assert torch.equal(torch.get_rng_state(), before)
    look = "import sys; from pathlib import Path; from unisinger_cli.model.checkpoint import load_checkpoint as load"
    tell = "load(Path(sys.argv[1])); print([name for name in ('torch._dynamo', 'sympy') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", f"{look}\n{tell}", path], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_int8_rows_are_within_half_a_step() -> None:
    weight = torch.randn(7, 5, 3) * torch.logspace(-3, 1, 7)[:, None, None]
    rows, scale = quantise_rows(weight)
    error = (rows.float() * scale.float()[:, None, None] - weight).abs().flatten(1).amax(1)
    assert (error <= 0.51 * scale.float() + weight.abs().flatten(1).amax(1) * 1e-3).all()


def test_checkpoint_is_refused_unless_it_fits(model: UniSinger, tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    wider = ModelConfig(**{**DEBUG.__dict__, "content": replace(DEBUG.content, codes=64)})
    save_checkpoint(model, path, {}, int8=False)
    data = path.read_bytes()
    old, new = b'\\"codes\\": 32', b'\\"codes\\": 64'
    assert old in data and wider.content.codes == 64
    path.write_bytes(data.replace(old, new))
    with pytest.raises(ValueError, match="do not fit"):
        load_checkpoint(path)
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(ValueError, match="safetensors"):
        load_checkpoint(path)
    path.write_bytes(data.replace(b'"format":"1"', b'"format":"9"'))
    with pytest.raises(ValueError, match="format '9'"):
        load_checkpoint(path)


def test_presets_are_consistent() -> None:
    for name, config in PRESETS.items():
        assert config.name == name and ModelConfig.from_dict(config.to_dict()) == config
    with torch.device("meta"):
        paper, mini = UniSinger(PRESETS["paper"]), UniSinger(PRESETS["mini"])
    assert len(paper.flow.network.joint) == 14 and len(paper.flow.network.single) == 6
    assert sum(mini.parameter_counts().values()) < 32 * 2**20  # int8: a byte each
    assert sum(mini.parameter_counts().values()) == sum(p.numel() for p in mini.parameters())
