"""The ablation: its runs are trained alike and go on where they were, and what is said of them is what they show."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import Ran
from toy_pack import training_pack
from unisinger_cli.cli.commands.train import Variant
from unisinger_cli.model.checkpoint import read_header
from unisinger_cli.model.config import PRESETS
from unisinger_cli.model.unisinger import UniSinger
from unisinger_cli.training.curriculum import VARIANTS
from unisinger_cli.training.parts import save_part

PARTS = ("codec", "content", "timbre")


# ---------------------------------------------------------------- from packs to a table
@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pack, and the random parts that a flow is trained on."""
    place = tmp_path_factory.mktemp("ablation")
    (place / "pack").mkdir()
    training_pack(place / "pack")
    for part in PARTS:
        save_part(UniSinger.random(PRESETS["debug"]), part, place / f"{part}.safetensors", {})
    return place


def test_ablation_from_end_to_end(unisinger: Callable[..., Ran], place: Path, tmp_path: Path) -> None:
    debug = "--preset", "debug", *(word for part in PARTS for word in ("--init", place / f"{part}.safetensors"))
    encoded = unisinger("train", "features", *debug, "--data", place / "pack", "--out", "features")
    assert encoded.code == 0, encoded.err
    train = "train", "ablation", *debug, "--data", "features", "--out", "runs", "--batch", "4", "--device", "cpu"
    train = *train, "--variant", "songs", "--variant", "two-spaces", "--steps", "2"
    late = unisinger(*train, "--seeds", "1", "--seconds", "1")
    assert late.code == 7 and "2 of 2" in late.err and "out of time" in late.err
    done = unisinger(*train, "--seeds", "1")
    assert done.code == 0, done.err
    made = {name: tmp_path / "runs" / f"{name}.0" / "model.safetensors" for name in ("songs", "two-spaces")}
    for name, path in made.items():
        config, about = read_header(path)
        assert config == VARIANTS[name].of(PRESETS["debug"])
        assert about == {"variant": name, "seed": "0", "steps": "2"}
    before = {path: path.stat().st_mtime_ns for path in made.values()}
    again = unisinger(*train, "--seeds", "1")
    assert again.code == 0 and {path: path.stat().st_mtime_ns for path in made.values()} == before
    longer = unisinger(*train[:-1], "3", "--seeds", "1")
    assert longer.code == 3 and "2 steps" in longer.err and "not 3" in longer.err


def test_an_ablation_says_what_it_needs(unisinger: Callable[..., Ran], place: Path) -> None:
    flags = "train", "ablation", "--preset", "debug", "--data", place / "pack", "--out", "runs"
    assert "--steps" in unisinger(*flags, "--seconds", "5").err
    lacking = unisinger(*flags, "--steps", "2", "--init", place / "codec.safetensors")
    assert lacking.code == 3 and "given is codec" in lacking.err
    flow = unisinger("train", "flow", *flags[2:], "--steps", "2", "--variant", "songs", "--variant", "full")
    assert flow.code == 2 and "one variant" in flow.err
    codec = unisinger("train", "codec", *flags[2:], "--steps", "2", "--variant", "songs")
    assert codec.code == 2 and "codec" in codec.err


def test_the_command_line_knows_every_variant() -> None:
    assert [variant.value for variant in Variant] == list(VARIANTS)
