"""Lines of a song once more: what lies outside of them stays as it is, whatever it was made of."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from conftest import RATE, store, sung
from unisinger_cli import audio
from unisinger_cli.cli.checks import outputs
from unisinger_cli.cli.commands.retake import numbers
from unisinger_cli.errors import UnisingerError
from unisinger_cli.model.config import PRESETS
from unisinger_cli.model.unisinger import UniSinger
from unisinger_cli.pipeline.existing import existing, take_curve
from unisinger_cli.pipeline.lines import passages, reworded
from unisinger_cli.pipeline.produce import produce
from unisinger_cli.pipeline.reporter import Silent
from unisinger_cli.pipeline.retake import retake
from unisinger_cli.pipeline.studio import Studio
from unisinger_cli.requests import Job, SamplerConfig, SongRequest, one_voice
from unisinger_cli.stages.clock import phoneme_spans
from unisinger_cli.stages.sample import Known, sample
from unisinger_cli.types import Condition

WORDS = "the morning comes\nacross the sea\nand I will sing\n"
PARTS = ("", ".vocal", ".accomp")


@pytest.fixture(scope="module")
def studio() -> Studio:
    return Studio.open("debug")


@pytest.fixture(scope="module")
def place(studio: Studio, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a song of three lines, song.wav, in 24 bits, short.wav in 16."""
    folder = tmp_path_factory.mktemp("songs")
    store(folder / "voice.wav", sung(2.0).samples)
    request = SongRequest(WORDS, one_voice(folder / "voice.wav"), bpm=150, sampler=SamplerConfig(steps=1))
    for name, bits in (("song.wav", "24"), ("short.wav", "16")):
        files = outputs(folder / name, ("vocal", "accomp"), force=False, inputs=())
        produce(studio, Job(request, files, {"ref": folder / "voice.wav"}, bits), Silent())
    return folder


def again(studio: Studio, receipt: Path, lines: set[int], name: str, **sampler: Any) -> Path:
    """A retake, written as NAME.wav beside; returns its receipt."""
    song = existing(receipt)
    files = outputs(receipt.with_name(f"{name}.wav"), ("vocal", "accomp"), force=True, inputs=())
    asked = replace(song.request.sampler, **({"take": song.next_take()} | sampler))
    retake(studio, song, lines, asked, files, Silent())
    return files["receipt"]


def samples(receipt: Path, part: str) -> np.ndarray:
    path = receipt.with_name(f"{receipt.stem}{part}.wav")
    found: np.ndarray = soundfile.read(str(path), dtype="int32", always_2d=True)[0] >> 8
    return found


@pytest.mark.parametrize(("name", "lines"), [("song", {1, 3}), ("song", {2}), ("short", {2})])
def test_nothing_changes_outside(studio: Studio, place: Path, name: str, lines: set[int]) -> None:
    old = place / f"{name}.json"
    new = again(studio, old, lines, "new")
    plan = existing(old).plan
    inside = np.zeros(len(samples(old, "")), dtype=bool)
    for passage in passages(plan, [line - 1 for line in lines]):
        inside[round(passage.before.start * RATE) : round(passage.after.stop * RATE)] = True
    for other, line in enumerate(plan.lines, 1):
        if other not in lines:
            assert not inside[int(line.start * RATE) : int(line.end * RATE)].any()
    changed = [(samples(old, part) != samples(new, part)).any(axis=1) for part in PARTS]
    assert not (changed[0] & ~inside).any() and not (changed[1] & ~inside).any()
    assert not changed[2].any()  # the accompaniment
    for line in lines:
        sung_again = slice(int(plan.lines[line - 1].start * RATE), int(plan.lines[line - 1].end * RATE))
        assert changed[1][sung_again].mean() > 0.5
    assert np.array_equal(samples(new, ""), samples(new, ".vocal") + samples(new, ".accomp"))
    assert audio.decibels(audio.true_peak(audio.read(new.with_name("new.wav")))) <= -1


def test_takes_of_a_line(studio: Studio, place: Path) -> None:
    """The same take is the same sound, another is another, and retakes of retakes keep what was there."""
    one, same = (again(studio, place / "song.json", {2}, f"t{i}", take=5) for i in range(2))
    assert np.array_equal(samples(one, ""), samples(same, ""))
    other = again(studio, place / "song.json", {2}, "t2", take=6)
    assert not np.array_equal(samples(one, ""), samples(other, ""))
    both = again(studio, one, {3}, "both")
    assert [(item["lines"], item["take"]) for item in json.loads(both.read_text())["retakes"]] == [([2], 5), ([3], 6)]
    second = existing(both).plan.lines[1]
    kept = slice(int(second.start * RATE), int(second.end * RATE))
    assert np.array_equal(samples(both, ".vocal")[kept], samples(one, ".vocal")[kept])
    song = existing(both)
    assert song.retakes[0].sha256 == existing(place / "song.json").sha256


def test_pitch_glides_from_take_to_take(studio: Studio, place: Path) -> None:
    song = existing(again(studio, place / "song.json", {2}, "glide", take=3))
    frames, rate = int(np.ceil(song.plan.seconds * studio.frame_rate)), studio.frame_rate
    takes = [take_curve(song.plan, replace(song.request.sampler, take=take), frames, rate) for take in (0, 3)]
    made = song.curve(frames, rate)
    line = song.plan.lines[1]
    middle = slice(int((line.start + 0.3) * rate), int((line.end - 0.3) * rate))
    assert np.array_equal(made[: int((line.start - 0.4) * rate)], takes[0][: int((line.start - 0.4) * rate)])
    assert np.allclose(made[middle], takes[1][middle], rtol=1e-5)

    def steps(hz: np.ndarray) -> float:
        voiced = (hz[1:] > 0) & (hz[:-1] > 0)
        return float(np.abs(np.log2(hz[1:][voiced] / hz[:-1][voiced])).max())

    assert steps(made) <= max(map(steps, takes)) + 0.01


def test_borders_lie_in_rests(place: Path) -> None:
    plan = existing(place / "song.json").plan
    rests = [(a, b) for symbol, a, b in phoneme_spans(plan) if symbol == "_"]
    for passage in passages(plan, [1]):
        for border in (passage.before, passage.after):
            assert any(a - 1e-9 <= border.start < border.stop <= b + 1e-9 for a, b in rests)
    assert [(p.first, p.last) for p in passages(plan, [2, 0, 1])] == [(0, 2)]
    legato = replace(plan, lines=tuple(replace(line, syllables=line.syllables) for line in plan.lines))
    notes = [replace(s.notes[0], end=plan.lines[1].start) for s in plan.lines[0].syllables[-1:]]
    last = replace(plan.lines[0].syllables[-1], notes=tuple(notes))
    first = replace(plan.lines[0], syllables=(*plan.lines[0].syllables[:-1], last))
    legato = replace(plan, lines=(first, *plan.lines[1:]))
    (passage,) = passages(legato, [1])
    assert 0 < passage.before.stop - passage.before.start < 0.05
    assert passage.before.start < plan.lines[1].start < passage.after.start


def test_what_is_known_stays() -> None:
    """Latents that are known come out as they went in, and the rest is another than it is without them."""
    rng = np.random.default_rng(0)
    model = UniSinger.random(PRESETS["debug"])
    generator = torch.Generator().manual_seed(0)
    for parameter in model.flow.parameters():  # a new model does not look around yet
        torch.nn.init.normal_(parameter, std=0.1, generator=generator)
    frames, channels = 200, model.config.codec.channels
    absent = dict.fromkeys(("phonemes", "content", "score", "tags", "timbre"))
    condition = Condition(0, frames, ("vocal", "accomp"), pitch=np.full(frames, 220, dtype=np.float32), **absent)  # type: ignore[arg-type]
    latents = rng.normal(size=(2, frames, channels)).astype(np.float32)
    kept = np.zeros((2, frames), dtype=bool)
    kept[0, :90], kept[1] = True, True
    config = SamplerConfig(steps=2)
    free = sample(model, condition, config, lambda i, n: None)
    held = sample(model, condition, config, lambda i, n: None, Known(latents, kept))
    for i, group in enumerate(("vocal", "accomp")):
        made = held[group].read(0, frames).T
        assert np.allclose(made[kept[i]], latents[i][kept[i]], atol=1e-6)
    rest = [found["vocal"].read(90, frames) for found in (free, held)]
    assert not np.allclose(*rest, atol=1e-3)


@pytest.mark.parametrize("text", ["0", "4", "2-9", "3-2", "x", "-1", "1-", "99999999", ""])
def test_no_such_line(text: str) -> None:
    with pytest.raises(UnisingerError) as told:
        numbers([text], WORDS.splitlines())
    assert told.value.exit_code in (2, 3)
    assert numbers(["3", "1-2,2"], WORDS.splitlines()) == {1, 2, 3}


def test_other_words(studio: Studio, place: Path) -> None:
    """Other words on the same notes; as many syllables, or an error that tells how many."""
    song = existing(place / "song.json")
    plan = reworded(song.plan, 1, "beyond the tree")
    assert [s.notes for line in plan.lines for s in line.syllables] == [
        s.notes for line in song.plan.lines for s in line.syllables
    ]
    assert [line.text for line in plan.lines] == ["the morning comes", "beyond the tree", "and I will sing"]
    files = outputs(place / "words.wav", ("vocal", "accomp"), force=True, inputs=())
    asked = replace(song.request.sampler, take=1)
    retake(studio, replace(song, plan=plan), {2}, asked, files, Silent(), "beyond the tree")
    made = existing(place / "words.json")
    assert (made.plan, made.retakes[0].words) == (plan, "beyond the tree")
    with pytest.raises(UnisingerError, match="3 syllables, and line 2 has 4"):
        reworded(song.plan, 1, "the tall tree")


HOSTILE: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "a line that is not there": (lambda r: r.update(retakes=[_entry() | {"lines": [9]}]), "retakes"),
    "no list": (lambda r: r.update(retakes={"lines": 1}), "retakes"),
    "a take of text": (lambda r: r.update(retakes=[_entry() | {"take": "1"}]), "take"),
    "a huge take": (lambda r: r.update(retakes=[_entry() | {"take": 10**400}]), "take"),
    "endless": (lambda r: r.update(retakes=[_entry()] * 2000), "retakes"),
    "endless words": (lambda r: r.update(retakes=[_entry() | {"words": "a" * 10**5}]), "words"),
    "control characters": (lambda r: r.update(retakes=[_entry() | {"receipt": "a\x1b[2J"}]), "receipt"),
    "a plan of another song": (lambda r: r["plan"].update(seconds=3), "end"),
    "no plan": (lambda r: r.update(plan=None), "plan"),
    "no files": (lambda r: r.update(files=[]), "files"),
    "a stem that is not there": (lambda r: r["files"]["vocal"].update(path="gone.wav"), "gone.wav"),
    "another file as a stem": (lambda r: r["files"]["vocal"].update(path="song.wav"), "changed"),
    "a folder as a stem": (lambda r: r["files"]["vocal"].update(path=".."), "not there"),
    "a null in a path": (lambda r: r["files"]["vocal"].update(path="a\0b"), "vocal"),
    "too long a path": (lambda r: r["files"]["vocal"].update(path="a" * 4000), "not there"),
    "a conversion": (lambda r: r.update(command="convert"), "no lines"),
}


def _entry() -> dict[str, Any]:
    return {"lines": [1], "take": 1, "receipt": "song.json", "sha256": "0" * 64}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_receipts(place: Path, tmp_path: Path, name: str) -> None:
    for path in place.glob("song*.wav"):
        (tmp_path / path.name).symlink_to(path)
    record = json.loads((place / "song.json").read_text())
    change, told = HOSTILE[name]
    change(record)
    (tmp_path / "song.json").write_text(json.dumps(record))
    with pytest.raises(UnisingerError, match=told) as error:
        existing(tmp_path / "song.json")
    assert error.value.exit_code == 3
    assert "\x1b" not in error.value.message + error.value.hint
