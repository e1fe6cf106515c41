"""The ablation: its runs are trained alike and go on where they were, and what is said of them is what they show."""

from __future__ import annotations

import json
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

import pytest

from conftest import Ran
from toy_pack import training_pack
from unisinger_cli.cli.commands.train import Variant
from unisinger_cli.errors import InputError
from unisinger_cli.evaluation import claims
from unisinger_cli.evaluation.ablation import contenders
from unisinger_cli.evaluation.claims import CLAIMS, Measure, Run, Verdict, judge
from unisinger_cli.model.checkpoint import read_header, save_checkpoint
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

    pytest.importorskip("resemblyzer")
    measure = "evaluate", "--data", place / "pack", "--ablation", "runs", "--out", "report", "--items", "2"
    measure = *measure, "--steps", "1", "--threads", "1"
    told = unisinger(*measure, "--json")
    assert told.code == 0, told.err
    record = told.json
    assert record == json.loads((tmp_path / "report" / "scores.json").read_text())
    assert [(run["run"], run["steps"]) for run in record["runs"]] == [("songs.0", 2), ("two-spaces.0", 2)]
    measured = {(row["part"], row["variant"]) for row in record["table"]}
    assert measured == {("song", "songs"), ("song", "two-spaces"), ("convert", "two-spaces")}
    assert all(row["control"] is not None and row["seeds"] == 1 and row["spread"] is None for row in record["table"])
    assert {claim["answer"] for claim in record["claims"]} == {"cannot be told"}  # there is no full one
    page = (tmp_path / "report" / "report.html").read_text()
    assert escape(record["statement"]) in page and all(f'href="{run["report"]}"' in page for run in record["runs"])
    assert all((tmp_path / "report" / run["report"]).is_file() for run in record["runs"])
    before = (tmp_path / "report" / "songs.0" / "scores.json").stat().st_mtime_ns
    again = unisinger(*measure)
    assert again.code == 0 and "two-spaces" in again.out and again.out.endswith(f"{record['statement']}\n")
    assert (tmp_path / "report" / "songs.0" / "scores.json").stat().st_mtime_ns == before
    otherwise = unisinger(*measure, "--seed", "5")
    assert otherwise.code == 3 and "sampler" in otherwise.err


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


# ---------------------------------------------------------------- what is said of made-up numbers
def run_of(variant: str, seed: int, **values: float) -> Run:
    """A run with song_errors=..., song_likeness=..., and so on."""
    parts: dict[str, list[dict[str, Any]]] = {"song": [], "convert": []}
    for name, value in values.items():
        measure: Measure = getattr(claims, name.upper())
        control = 0.1 if measure.higher_is_better else 0.05
        parts[measure.part].append({"name": measure.score, "value": value, "control": control, "against": "that"})
    return Run(variant, seed, [{"part": part, "scores": scores} for part, scores in parts.items()])


def answers(runs: list[Run]) -> dict[str, Verdict]:
    cells = claims.table(runs)
    return {claim.variant + claim.measures[0].part: judge(claim, cells) for claim in CLAIMS}


def test_a_claim_holds_where_all_seeds_agree() -> None:
    runs = [run_of("full", seed, song_errors=0.2 + 0.01 * seed, song_likeness=0.7) for seed in range(3)]
    runs += [run_of("no-masks", seed, song_errors=0.3 + 0.01 * seed, song_likeness=0.6) for seed in range(3)]
    found = answers(runs)["no-maskssong"]
    assert found.answer == "holds"
    assert "full 0.210 ± 0.010, no-masks 0.310 ± 0.010 (that 0.050)" in found.reasons[0]
    assert "once in 20" in found.reasons[0]
    assert answers(runs)["songssong"].answer == "cannot be told"  # nobody was measured
    errors = claims.table(runs)[0]
    assert (errors.variant, errors.mean, errors.spread) == ("full", pytest.approx(0.21), pytest.approx(0.01))
    assert claims.rows([errors])[1] == ["song", "phoneme_error_rate", "full", "0.210", "0.010", "3", "0.050", "that"]


@pytest.mark.parametrize(
    ("full", "without", "answer", "why"),
    [
        ([0.7, 0.6, 0.8], [0.5, 0.65, 0.4], "holds in the mean only", "overlap"),
        ([0.7], [0.5], "holds in the mean only", "no spread"),
        ([0.5, 0.5], [0.6, 0.7], "does not hold", ""),
        ([0.5, 0.5], [0.5, 0.5], "does not hold", ""),
        ([0.09, 0.08], [0.05, 0.04], "cannot be told", "neither is better than its control"),
    ],
)
def test_what_seeds_do_not_bear_out_is_not_claimed(
    full: list[float], without: list[float], answer: str, why: str
) -> None:
    both = (("full", full), ("songs", without))
    runs = [
        run_of(name, seed, song_likeness=value, song_recognised=value)
        for name, values in both
        for seed, value in enumerate(values)
    ]
    found = answers(runs)["songssong"]
    assert found.answer == answer and all(why in reason for reason in found.reasons)


def test_one_measure_that_fails_is_enough() -> None:
    """Fewer errors and less of the voice are no gain."""
    runs = [run_of("full", seed, song_errors=0.2, song_likeness=0.5) for seed in range(2)]
    runs += [run_of("no-masks", seed, song_errors=0.3, song_likeness=0.6) for seed in range(2)]
    assert answers(runs)["no-maskssong"].answer == "does not hold"


def test_a_number_without_its_control_says_nothing() -> None:
    runs = [run_of("full", 0, song_errors=0.2, song_likeness=0.7), run_of("no-masks", 0, song_errors=0.3)]
    for run in runs:
        for score in run.parts[0]["scores"]:
            score["control"] = None
    assert "no control" in answers(runs)["no-maskssong"].reasons[0]
    assert answers(runs)["no-maskssong"].answer == "cannot be told"


def test_the_statement_tells_masks_and_transfer_apart() -> None:
    runs = [
        run_of(name, seed, song_errors=errors, song_likeness=likeness, song_recognised=likeness)
        for name, errors, likeness in (("full", 0.2, 0.7), ("no-masks", 0.3, 0.6), ("songs", 0.2, 0.8))
        for seed in range(2)
    ]
    assert lines(runs)[-1] == (
        "The paper's direction holds of the masks, and does not hold of voices from conversion to song."
    )
    better = [run for run in runs if run.variant != "songs"]
    better += [run_of("songs", seed, song_likeness=0.6, song_recognised=0.6) for seed in range(2)]
    assert lines(better)[-1] == "The paper's direction holds, of the masks and of voices from conversion to song."


def lines(runs: list[Run]) -> list[str]:
    cells = claims.table(runs)
    return claims.lines([judge(claim, cells) for claim in CLAIMS])


# ---------------------------------------------------------------- which checkpoints
def header(path: Path, **about: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_checkpoint(UniSinger.random(PRESETS["debug"]), path, dict(about), int8=False)
    return path


def test_checkpoints_say_what_they_are(tmp_path: Path) -> None:
    name = "model.safetensors"
    for variant, seed in (("songs", 1), ("full", 1), ("full", 0), ("conversion", 0)):
        header(tmp_path / "runs" / f"{variant}.{seed}" / name, variant=variant, seed=str(seed), steps="9")
    found = contenders([tmp_path / "runs"])
    assert [one.name for one in found] == ["full.0", "conversion.0", "full.1", "songs.1"]
    assert [one.parts for one in found] == [("convert", "song"), ("convert",), ("convert", "song"), ("song",)]
    with pytest.raises(InputError, match=r"both full\.0"):
        contenders([tmp_path / "runs", tmp_path / "runs" / "full.0"])
    longer = header(tmp_path / "longer.safetensors", variant="two-spaces", seed="0", steps="10")
    with pytest.raises(InputError, match="cannot be compared"):
        contenders([tmp_path / "runs", longer])
    with pytest.raises(InputError, match="does not tell its variant"):
        contenders([header(tmp_path / "plain.safetensors")])
    with pytest.raises(InputError, match="no checkpoint"):
        contenders([tmp_path / "nothing"])
