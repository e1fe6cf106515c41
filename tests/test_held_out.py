"""A flow's log tells how it does on what it does not learn from: else nobody sees that it learns songs by heart."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from conftest import Run
from toy_flow import awake_flow, data_of, made_clip
from toy_pack import training_pack
from unisinger_cli.model.config import PRESETS
from unisinger_cli.training.features import load_features
from unisinger_cli.training.flow import FlowLoss, FlowTrainee
from unisinger_cli.training.flow_data import FlowData
from unisinger_cli.training.loop import run

CONFIG = PRESETS["debug"]


def recordings(level: int) -> FlowData:
    """One long clip, whose latents are noise around `level`."""
    generator = torch.Generator().manual_seed(level)
    row, tensors = made_clip("anna", torch.eye(2, CONFIG.timbre.dim), 600)
    noise = torch.randint(-20, 21, tensors["vocal"].shape, generator=generator)
    tensors["vocal"] = (level + noise).to(torch.int8)
    return data_of([(row, tensors)], 4)


def test_what_is_learned_by_heart_does_no_good_to_the_rest(tmp_path: Path) -> None:
    """One stretch, learned again and again, is told ever better, and another one is not."""
    torch.manual_seed(0)
    trainee = FlowTrainee(awake_flow(CONFIG), recordings(30), 5e-3, unlearned=recordings(-30))
    run(trainee, tmp_path / "run", device=torch.device("cpu"), steps=60, log_every=0.0)
    log = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert all("held-out/vocal" in line for line in log)
    first, last = log[0], log[-1]
    assert last["flow/loss"] < 0.8 * first["flow/loss"]
    assert last["held-out/loss"] > 1.5 * last["flow/loss"]


def test_it_is_the_loss_of_training_on_other_clips_and_teaches_nothing() -> None:
    flow, unlearned = awake_flow(CONFIG), recordings(-30)
    trainee = FlowTrainee(flow, recordings(30), 1e-3, unlearned=unlearned)
    trainee.advance(0.5, 0)
    torch.manual_seed(3)
    told = trainee.held_out()
    torch.manual_seed(3)
    loss = FlowLoss(flow, unlearned)
    wanted = [loss() for _ in range(4)]
    assert told["vocal"] == pytest.approx(sum(found["vocal"].item() for found in wanted) / 4, rel=1e-5)
    assert all(weight.grad is None for weight in flow.parameters())
    assert FlowTrainee(flow, recordings(30), 1e-3).held_out() == {}


def test_features_of_the_valid_split_are_measured_on(tmp_path: Path, unisinger: Run) -> None:
    pack = tmp_path / "pack"
    pack.mkdir()
    index = training_pack(pack) / "index.jsonl"
    rows = index.read_text().splitlines(keepends=True)
    index.write_text("".join(row.replace('"test"', '"valid"') if '"t1"' in row else row for row in rows))
    encode = "train", "features", "--preset", "debug", "--data", pack, "--device", "cpu"
    assert unisinger(*encode, "--out", "learned").code == 0
    done = unisinger(*encode, "--split", "valid", "--out", "unseen")
    assert done.code == 0, done.err
    assert [row["id"] for row, _ in load_features([tmp_path / "unseen"])] == ["t1"]
    flow = "train", "flow", "--preset", "debug", "--data", "learned", "--steps", "2", "--batch", "2", "--out", "flow"
    done = unisinger(*flow, "--held-out", "unseen")
    assert done.code == 0, done.err
    assert json.loads((tmp_path / "flow" / "log.jsonl").read_text().splitlines()[-1])["held-out/vocal"] > 0

    index.write_text("".join(rows))
    for code, words, *wrong in (
        (3, "valid split", *encode, "--split", "valid", "--out", "none"),
        (3, "missing", *flow, "--held-out", "missing"),
        (2, "--split", *flow, "--split", "valid"),
        (2, "--held-out", *encode, "--held-out", "unseen", "--out", "none"),
    ):
        refused = unisinger(*wrong)
        assert refused.code == code and words in refused.err, refused.err
    assert not (tmp_path / "none").exists()
