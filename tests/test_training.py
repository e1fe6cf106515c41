"""Training: the whole way from a pack to a checkpoint that sings, on tiny networks and a few seconds of sound."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from conftest import Run
from toy_flow import CHANNELS, conditions
from toy_pack import training_pack
from unisinger_cli.model.checkpoint import load_checkpoint
from unisinger_cli.model.config import PRESETS
from unisinger_cli.model.unisinger import UniSinger
from unisinger_cli.training.codec import bridged
from unisinger_cli.training.curriculum import CURRICULUM, stage_at
from unisinger_cli.training.features import load_features
from unisinger_cli.training.loop import run
from unisinger_cli.training.optim import Phase
from unisinger_cli.training.parts import load_parts, save_part, train


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return training_pack(tmp_path_factory.mktemp("pack"))


def teach(part: str, data: Path, out: Path, *init: Path, steps: int = 2, seed: int = 0, resume: bool = False) -> Path:
    train(
        part,
        "debug",
        [data],
        out,
        list(init),
        seconds=None,
        steps=steps,
        batch=4,
        rate=1.0,
        seed=seed,
        device="cpu",
        resume=resume,
        workers=1,
        report=lambda line: None,
    )
    return out / "part.safetensors"


def log_of(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def test_from_a_pack_to_a_song(pack: Path, tmp_path: Path, unisinger: Run) -> None:
    codec = teach("codec", pack, tmp_path / "codec")
    better = teach("decoder", pack, tmp_path / "decoder", codec)
    content = teach("content", pack, tmp_path / "content", better)
    timbre = teach("timbre", pack, tmp_path / "timbre", better)
    parts = [flag for file in (better, content, timbre) for flag in ("--init", file)]
    encoded = unisinger(
        "train", "features", "--preset", "debug", "--data", pack, *parts, "--warp", "-4", "--out", "features"
    )
    assert encoded.code == 0, encoded.err
    heard = [(row["id"], row["speaker"], len(found["vocal"])) for row, found in load_features([tmp_path / "features"])]
    # of test speakers nothing is learned
    assert heard == [
        ("a1", "a", 173),
        ("a1@-4", "a@-4", 217),
        ("a2", "a", 173),
        ("a2@-4", "a@-4", 217),
        ("b1", "b", 173),
        ("b1@-4", "b@-4", 217),
    ]
    flow = teach("flow", tmp_path / "features", tmp_path / "flow", better, content, timbre)
    teach("listener", tmp_path / "features", tmp_path / "listener")
    flags = "--preset", "debug", "--data", "features", "--steps", "2", "--batch", "4", "--init", flow
    lessons = unisinger("train", "flow", *flags, "--listener", "listener/part.safetensors", "--out", "lessons")
    assert lessons.code == 0, lessons.err
    assert "lessons/voices" in log_of(tmp_path / "lessons")[-1]
    flow = tmp_path / "lessons" / "part.safetensors"
    some = unisinger("train", "bundle", "--preset", "debug", *parts, "--out", "joined")
    assert some.code == 3 and "flow" in some.err
    joined = unisinger("train", "bundle", "--preset", "debug", *parts, "--init", flow, "--out", "joined")
    assert joined.code == 0, joined.err
    model = load_checkpoint(tmp_path / "joined" / "model.safetensors")
    taught = load_file(flow)
    name = "flow.network.latent_in.weight"
    torch.testing.assert_close(model.state_dict()[name], taught[name].float(), atol=2e-2, rtol=0)  # int8 rows
    save_file(taught | {name: taught[name] + 1}, tmp_path / "before.safetensors")
    for share in (0.0, 0.5):
        way = unisinger(
            *("train", "bundle", "--preset", "debug", *parts, "--init", flow),
            *("--before", "before.safetensors", "--share", share, "--out", "way"),
        )
        assert way.code == 0, way.err
        mixed = load_checkpoint(tmp_path / "way" / "model.safetensors").state_dict()[name]
        torch.testing.assert_close(mixed, taught[name].float() + 1 - share, atol=3e-2, rtol=0)
    alone = unisinger("train", "bundle", "--preset", "debug", *parts, "--init", flow, "--share", "0.5", "--out", "x")
    assert alone.code == 2 and "--before" in alone.err
    (tmp_path / "words.txt").write_text("la la la\n")
    flags = "--lyrics", "words.txt", "--steps", "2", "--checkpoint", "joined/model.safetensors", "-o", "song.wav"
    done = unisinger("song", *flags)
    assert done.code == 0 and (tmp_path / "song.wav").stat().st_size > 100_000, done.err


def test_the_decoder_learns_and_its_latents_stay(pack: Path, tmp_path: Path) -> None:
    codec = teach("codec", pack, tmp_path / "codec")
    better = teach("decoder", pack, tmp_path / "decoder", codec, steps=4)
    before, after = load_file(codec), load_file(better)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed and all(name.startswith("codec.decoder.") for name in changed)
    assert "codec.decoder.periodic.weight" in changed


def test_the_baseline_learns_from_spectra_alone(pack: Path, tmp_path: Path, unisinger: Run) -> None:
    """No harmonics, and no adversary to the end."""
    flags = "train", "codec", "--preset", "debug", "--data", pack, "--steps", "3", "--batch", "4", "--workers", "1"
    done = unisinger(*flags, "--plain", "--out", tmp_path / "plain", "--device", "cpu")
    assert done.code == 0, done.err
    assert not load_file(tmp_path / "plain" / "part.safetensors")["codec.decoder.periodic.weight"].any()
    assert set(log_of(tmp_path / "plain")[-1]) >= {"plain/mel", "plain/kl"}
    assert not any(name.startswith(("maker", "judge")) for name in log_of(tmp_path / "plain")[-1])
    refused = unisinger("train", "decoder", *flags[2:], "--plain", "--out", tmp_path / "no")
    assert refused.code == 2 and "--plain" in refused.err


def test_a_cut_run_goes_on_where_it_was(pack: Path, tmp_path: Path) -> None:
    teach("codec", pack, tmp_path / "run", steps=3)
    teach("codec", pack, tmp_path / "run", steps=5, resume=True)
    steps = [line["step"] for line in log_of(tmp_path / "run")]
    assert 3 in steps and steps[-1] == 5
    assert steps == sorted(set(steps))  # no step was done twice
    kept = load_file(tmp_path / "run" / "state.safetensors")
    assert any(name.startswith("beside.adversary.") for name in kept)


class Line(torch.nn.Module):
    """y = 3x, to be learned: a part as the loop sees one. It stops itself at step `stop`, as Ctrl-C would."""

    beside: Mapping[str, torch.nn.Module] = {}

    def __init__(self, stop: int | None = None) -> None:
        super().__init__()
        self.model = torch.nn.Linear(1, 1, bias=False)
        torch.nn.init.zeros_(self.model.weight)
        self.stop, self.step = stop, 0

    def forward(self) -> dict[str, torch.Tensor]:
        x = torch.randn(8, 1)
        return {"loss": (self.model(x) - 3 * x).square().mean()}

    def phases(self, progress: float) -> list[Phase]:
        return [Phase("line", self, list(self.model.parameters()), rate=0.1, decay=0.0)]

    def advance(self, progress: float, step: int) -> None:
        self.step = step
        if step == self.stop:
            raise KeyboardInterrupt

    def held_out(self) -> Mapping[str, float]:
        return {}


def test_the_loop_learns(tmp_path: Path) -> None:
    line = Line()
    run(line, tmp_path / "run", device=torch.device("cpu"), steps=300)
    state = load_file(tmp_path / "run" / "state.safetensors")
    assert state["model.weight"].item() == pytest.approx(3, abs=0.05)
    assert log_of(tmp_path / "run")[-1]["line/loss"] < 9


def test_a_rate_of_nothing_teaches_nothing(tmp_path: Path) -> None:
    # it says how fast it goes after every step, and goes on at the rate that was asked for
    run(Line(), tmp_path / "run", device=torch.device("cpu"), steps=5, rate=0.0, log_every=0.0)
    assert load_file(tmp_path / "run" / "state.safetensors")["model.weight"].item() == 0


def test_a_stopped_run_keeps_what_it_learned(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(Line(stop=20), tmp_path / "run", device=torch.device("cpu"), steps=300)
    again = Line()
    run(again, tmp_path / "run", device=torch.device("cpu"), steps=21, resume=True)
    assert again.step == 20


class Watched(Line):
    """A line, and a rival that learns beside it."""

    def __init__(self) -> None:
        super().__init__()
        self.rival = Line()
        self.beside = {"rival": self.rival}

    def phases(self, progress: float) -> list[Phase]:
        rival = Phase("rival", self.rival, list(self.rival.parameters()), rate=0.1, decay=0.0)
        return [*super().phases(progress), rival]


def test_what_learns_beside_a_part_goes_on_where_it_was(tmp_path: Path) -> None:
    """A critic that begins anew would tell a resumed flow nonsense; an adversary, a codec."""
    first, again = Watched(), Watched()
    run(first, tmp_path / "run", device=torch.device("cpu"), steps=30)
    assert first.rival.model.weight.item() > 0  # where it began
    run(again, tmp_path / "run", device=torch.device("cpu"), steps=31, rate=0.0, resume=True)
    assert torch.equal(again.rival.model.weight, first.rival.model.weight)


def test_a_loss_that_explodes_stops_the_run_and_keeps_the_last_good_state(tmp_path: Path) -> None:
    run(Line(), tmp_path / "run", device=torch.device("cpu"), steps=5)
    good = (tmp_path / "run" / "state.safetensors").read_bytes()
    broken = Line()
    broken.forward = lambda: {"loss": broken.model.weight.sum() * float("nan")}  # type: ignore[method-assign]
    with pytest.raises(FloatingPointError, match="not finite"):
        run(broken, tmp_path / "run", device=torch.device("cpu"), steps=9, resume=True)
    assert (tmp_path / "run" / "state.safetensors").read_bytes() == good


def test_several_processes_train_one_model(pack: Path, tmp_path: Path) -> None:
    """Through torchrun: both processes come to an end on a budget of time, and one of them writes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", str(port)]
    flags = f"-m unisinger_cli train codec --preset debug --data {pack} --out {tmp_path / 'run'} --seconds 3 --batch 2"
    done = subprocess.run(
        [*launch, *flags.split(), "--device", "cpu", "--workers", "1"],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(str(tmp_path / "run")) == 1
    assert (tmp_path / "run" / "part.safetensors").is_file()


def test_every_stage_keeps_the_tasks_before_it() -> None:
    """The curriculum is cumulative: stage s trains tasks 0..s (arXiv 2606.07015)."""
    for number, stage in enumerate(CURRICULUM):
        assert [weight > 0 for weight in stage.weights] == [task <= number for task in range(4)]
        assert sum(stage.weights) == pytest.approx(1)
        assert stage_at(stage.begin) is stage
    assert stage_at(1.0) is CURRICULUM[-1]


def test_short_gaps_of_pitch_are_bridged() -> None:
    hz = torch.tensor([0.0, 100.0, 0.0, 0.0, 0.0, 200.0, *[0.0] * 13, 300.0, 0.0])
    found = bridged(hz)
    torch.testing.assert_close(found[1:6], 100 * torch.exp2(torch.arange(5) / 4))
    assert found[0] == 0 and not found[6:19].any() and found[-1] == 0


def test_a_trained_flow_grows_without_forgetting(tmp_path: Path) -> None:
    """A single block that joins adds nothing to what the others make, until it has learned."""
    small = UniSinger.random(PRESETS["debug"])
    torch.nn.init.normal_(small.flow.network.latent_out.weight)
    save_part(small, "flow", tmp_path / "flow.safetensors", {})
    deeper = replace(PRESETS["debug"], flow=replace(PRESETS["debug"].flow, single_blocks=3))
    grown = UniSinger.random(deeper)
    assert load_parts(grown, [tmp_path / "flow.safetensors"]) == ["flow"]
    load_parts(small, [tmp_path / "flow.safetensors"])  # both in half precision
    latent = torch.randn(2, 2, 32, CHANNELS, generator=torch.Generator().manual_seed(0))
    c = conditions(2, 32)
    torch.testing.assert_close(grown.flow.velocity(latent, 0.3, c), small.flow.velocity(latent, 0.3, c))
    save_part(grown, "flow", tmp_path / "grown.safetensors", {})
    torch.nn.init.normal_(grown.flow.network.single[2].latent.out.weight)
    load_parts(grown, [tmp_path / "grown.safetensors"])  # a block that is there is taken as it is
    torch.testing.assert_close(grown.flow.velocity(latent, 0.3, c), small.flow.velocity(latent, 0.3, c))
