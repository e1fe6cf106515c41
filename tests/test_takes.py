"""Takes: the same song in other performances, the best by what was measured, or all of them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import RATE, Run, store, sung
from unisinger_cli.errors import UsageError
from unisinger_cli.pipeline import produce as producing
from unisinger_cli.pipeline.recall import done
from unisinger_cli.pipeline.reporter import Reporter, Silent
from unisinger_cli.pipeline.studio import Studio
from unisinger_cli.pipeline.takes import WEIGHTS, best, following, merit
from unisinger_cli.requests import Job, SamplerConfig, SongRequest
from unisinger_cli.stages.sample import noise_seed
from unisinger_cli.types import Result, Stems

GOOD: dict[str, float | None] = {
    "similarity_to_reference": 0.5,
    "pitch_correlation": 0.9,
    "pitch_error_cents": 10.0,
    "voicing_error": 0.1,
}


class Rehearsed:
    """A rehearsal whose takes measure as they are told to; a take of None is interrupted."""

    def __init__(self, likeness: list[float | None]) -> None:
        self.likeness = likeness

    def take(self, sampler: SamplerConfig, reporter: Reporter) -> Result:
        found = self.likeness[sampler.take - 1]
        if found is None:
            raise KeyboardInterrupt
        return Result(Stems(sung(0.5, channels=2), None), GOOD | {"similarity_to_reference": found})


@pytest.mark.parametrize("name", WEIGHTS)
def test_merit(name: str) -> None:
    """Each measure counts in its own direction, and what could not be measured counts as bad."""
    value = GOOD[name]
    assert value is not None
    worse = GOOD | {name: value - 0.05 if WEIGHTS[name] > 0 else value + 5 * -0.01 / WEIGHTS[name]}
    assert merit(worse) < merit(GOOD)
    assert merit(GOOD | {name: None}) < merit(worse)


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=6))
def test_the_best_is_the_best_of_its_own_scores(likeness: list[float]) -> None:
    takes = following(SamplerConfig(), len(likeness))
    result, sampler, account = best(Rehearsed(list(likeness)), takes, Silent())
    assert [one["take"] for one in account] == list(range(1, len(likeness) + 1))
    assert sampler.take - 1 == int(np.argmax([merit(one["scores"]) for one in account]))
    assert result.scores == account[sampler.take - 1]["scores"]


@given(st.integers(0, 2**63 - 1), st.integers(1, 9999))
def test_noise_of_a_take(seed: int, take: int) -> None:
    assert noise_seed(SamplerConfig(seed=seed)) == seed
    other = noise_seed(SamplerConfig(seed=seed, take=take))
    assert 0 <= other < 2**63
    assert other != seed


@pytest.mark.parametrize("count", [0, 51])
def test_how_many(count: int) -> None:
    with pytest.raises(UsageError, match="--takes"):
        Job(SongRequest("la"), {}, {}, takes=count)


def test_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all takes, those that are finished stay; of the best nothing is there before the end."""
    studio, request = Studio.open("debug"), SongRequest("la la")
    monkeypatch.setattr(producing, "rehearse", lambda *_: Rehearsed([0.5, None]))

    def job(name: str, sampler: SamplerConfig) -> Job:
        files = {"mix": f"{name}.wav", "vocal": f"{name}.vocal.wav", "receipt": f"{name}.json"}
        return Job(replace(request, sampler=sampler), {k: tmp_path / v for k, v in files.items()}, {})

    with pytest.raises(KeyboardInterrupt):
        producing.produce(studio, replace(job("best", SamplerConfig()), takes=2), Silent())
    assert not list(tmp_path.iterdir())
    with pytest.raises(KeyboardInterrupt):
        list(producing.produce_all(studio, [job(f"t{s.take}", s) for s in following(SamplerConfig(), 2)], Silent()))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["t1.json", "t1.vocal.wav", "t1.wav"]


def test_a_batch_knows_what_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The best of two takes is there when it was asked for, and is neither the best of three nor the plain song."""
    monkeypatch.setattr(producing, "rehearse", lambda *_: Rehearsed([0.2, 0.5]))
    files = {name: tmp_path / f"s.{name}.wav" for name in ("mix", "vocal")} | {"receipt": tmp_path / "s.json"}
    job = Job(SongRequest("la la"), files, {}, takes=2)
    assert not done(job, "debug")
    assert producing.produce(Studio.open("debug"), job, Silent())["picked"] == 2
    assert [done(replace(job, takes=takes), "debug") for takes in (1, 2, 3)] == [False, True, False]


def test_takes_of_a_song(unisinger: Run, tmp_path: Path) -> None:
    (tmp_path / "lyrics.txt").write_text("the morning comes\n")
    flags = "song", "--lyrics", "lyrics.txt", "--bpm", 140, "--checkpoint", "debug", "--steps", "1"
    runs = {
        "plain.wav": (),
        "zero.wav": ("--take", 0),
        "two.wav": ("--take", 2),
        "best.wav": ("--takes", 2),
        "all.wav": ("--takes", 2, "--pick", "all", "--json"),
    }
    ran = {name: unisinger(*flags, *more, "-o", name) for name, more in runs.items()}
    assert [one.code for one in ran.values()] == [0] * 5, [one.err for one in ran.values()]
    sound = {path.name: path.read_bytes() for path in tmp_path.glob("*.wav")}
    assert sound["plain.wav"] == sound["zero.wav"]
    assert sound["two.wav"] == sound["all.take2.wav"]
    assert len({sound["plain.wav"], sound["all.take1.wav"], sound["all.take2.wav"]}) == 3
    assert ran["all.wav"].json["outputs"] == ["all.take1.wav", "all.take2.wav"]
    told = json.loads((tmp_path / "best.json").read_text())
    merits = {one["take"]: one["merit"] for one in told["takes"]}
    assert told["picked"] == told["request"]["sampler"]["take"] == max(merits, key=lambda take: merits[take])
    assert sound["best.wav"] == sound[f"all.take{told['picked']}.wav"]
    plans = [json.loads((tmp_path / f"{name}.json").read_text())["plan"] for name in ("plain", "best", "all.take1")]
    assert plans[0] == plans[1] == plans[2]


def test_all_is_checked_beforehand(unisinger: Run, tmp_path: Path) -> None:
    store(tmp_path / "vocal.wav", sung(1.5).samples, RATE)
    store(tmp_path / "out.take3.vocal.wav", sung(1.5).samples, RATE)
    before = sorted(tmp_path.iterdir())
    flags = "convert", "vocal.wav", "--target", "vocal.wav", "--checkpoint", "debug", "-o", "out.wav"
    refused = unisinger(*flags, "--takes", 3, "--pick", "all")
    assert (refused.code, refused.out) == (3, "")
    assert "out.take3.vocal.wav exists" in refused.err
    for wrong in (("--takes", 0, "--pick", "all"), ("--takes", 51), ("--pick", "worst")):
        assert unisinger(*flags, *wrong).code == 2
    assert sorted(tmp_path.iterdir()) == before
