"""The aligner hears in recordings made from arithmetic what is known of them, and knows nothing of it beforehand."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from conftest import store
from corpus_voice import RATE, say
from unisinger_cli.corpus.pack import write_pack
from unisinger_cli.evaluation.alignment import onsets
from unisinger_cli.model.config import PRESETS
from unisinger_cli.training.aligner import bounds, discriminant, spread, train_aligner


def untimed_pack(folder: Path, words: list[str]) -> dict[str, list[list[object]]]:
    """A pack of these syllables, each clip in another voice; returns the spans that it does not tell."""
    (folder / "audio").mkdir(parents=True)
    rows, true = [], {}
    for i, said in enumerate(words):
        audio, spans = say(said, hz=110.0 + 10 * i, seed=i)
        name = f"clip{i}"
        store(folder / "audio" / f"{name}.wav", audio.samples, RATE)
        known = [symbol for symbol, _, _ in spans]
        split = "test" if i == 0 else "train"
        row = {"id": name, "kind": "speech", "split": split, "vocal": f"audio/{name}.wav", "seconds": audio.seconds}
        rows.append(row | {"phonemes": [[symbol, None, None] for symbol in known]})
        true[name] = spans
    write_pack(folder, rows, {})
    return true


def teach(place: Path, report: Callable[[str], None]) -> None:
    where = torch.device("cpu")
    train_aligner(PRESETS["debug"], [place / "pack"], place / "out", device=where, workers=1, report=report)


def test_boundaries_are_found(tmp_path: Path) -> None:
    words = ["sa si sa", "si sa_si", "sa sa si si", "si_sa si", "sa_si_sa si", "si si sa"]
    true = untimed_pack(tmp_path / "pack", words)
    said: list[str] = []
    teach(tmp_path, said.append)
    lines = (tmp_path / "out" / "alignments.jsonl").read_text(encoding="utf-8").splitlines()
    found = {row["id"]: row["spans"] for row in map(json.loads, lines)}
    assert found.keys() == true.keys()  # a test clip is aligned too
    errors = []
    for name, spans in found.items():
        assert all(a[2] == b[1] for a, b in pairwise(spans))
        pair = onsets(true[name]), onsets(spans)
        assert [symbol for symbol, _ in pair[0]] == [symbol for symbol, _ in pair[1]]
        errors += [abs(a - b) for (_, a), (_, b) in zip(*pair, strict=True)]
    assert np.median(errors) < 0.012  # a frame
    assert max(errors) < 0.04
    assert said[0].startswith("6 transcribed clips") and said[-1].endswith(" 0.0 % of frames changed")


def test_transcripts_that_do_not_fit_are_left_out(tmp_path: Path) -> None:
    untimed_pack(tmp_path / "pack", ["sa", "si sa"])
    index = tmp_path / "pack" / "index.jsonl"
    rows = [json.loads(line) for line in index.read_text(encoding="utf-8").splitlines()]
    rows[0]["phonemes"] = [["s", None, None]] * 500
    index.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    out = tmp_path / "out"
    train_aligner(
        PRESETS["debug"], [tmp_path / "pack"], out, device=torch.device("cpu"), workers=1, report=lambda text: None
    )
    lines = (out / "alignments.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["id"] for line in lines] == ["clip1"]


def test_phonemes_are_spread_over_what_sounds() -> None:
    quiet = torch.tensor([True, False, False, True, False, False, True])
    assert spread([(0, True), (3, False), (2, False), (0, True)], quiet).tolist() == [0, 3, 3, 0, 2, 2, 0]
    assert spread([(3, False)], quiet).tolist() == [-1, 3, 3, -1, 3, 3, -1]


def test_what_is_known_of_words_bounds_their_phonemes() -> None:
    """Two words, the second from 1.0 to 2.0 s: 0.15 s to either side, at ten frames a second."""
    first = [["_", None, None], ["a", None, None], ["s", None, None], ["_", None, None]]
    second = [["a", 1.0, None], ["s", None, None], ["a", None, 2.0], ["_", None, None]]
    found = bounds({"phonemes": first + second}, 30, 10.0)
    assert found == [(0, 22)] * 4 + [(8, 22)] * 3 + [(8, 30)]


def test_given_times_of_words_are_kept(tmp_path: Path) -> None:
    """A word of which nothing is heard but noise is where the corpus says that it is."""
    true = untimed_pack(tmp_path / "pack", ["sa si", "si_sa", "sa_si si", "si sa"])
    index = tmp_path / "pack" / "index.jsonl"
    rows = [json.loads(line) for line in index.read_text(encoding="utf-8").splitlines()]
    spans = true["clip3"]
    sounding = [i for i, (symbol, _, _) in enumerate(spans) if symbol != "_"]
    rows[3]["phonemes"][sounding[2]][1] = 0.02  # the second word, said to begin right away
    index.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    teach(tmp_path, lambda text: None)
    lines = (tmp_path / "out" / "alignments.jsonl").read_text(encoding="utf-8").splitlines()
    found = {row["id"]: [span for span in row["spans"] if span[0] != "_"] for row in map(json.loads, lines)}
    assert found["clip3"][2][1] == pytest.approx(spans[sounding[2]][1], abs=0.03)  # late is no harm
    rows[3]["phonemes"][sounding[1]][2] = 0.1  # the first word, said to be over at once
    index.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    teach(tmp_path, lambda text: None)
    lines = (tmp_path / "out" / "alignments.jsonl").read_text(encoding="utf-8").splitlines()
    found = {row["id"]: [span for span in row["spans"] if span[0] != "_"] for row in map(json.loads, lines)}
    assert found["clip3"][1][2] <= 0.1 + 0.15 + 0.012


def test_a_sung_vowel_is_as_long_as_a_short_note(tmp_path: Path) -> None:
    untimed_pack(tmp_path / "pack", ["sa si", "si_sa", "sa_si si", "si sa"])
    index = tmp_path / "pack" / "index.jsonl"
    rows = [json.loads(line) | {"kind": "song"} for line in index.read_text(encoding="utf-8").splitlines()]
    rows[3]["phonemes"] = [["a", None, None]] * 4  # more vowels than there are
    index.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    teach(tmp_path, lambda text: None)
    lines = (tmp_path / "out" / "alignments.jsonl").read_text(encoding="utf-8").splitlines()
    for row in map(json.loads, lines):
        lengths = [end - start for symbol, start, end in row["spans"] if symbol in "ai"]
        assert min(lengths) > 0.068  # six frames of 11.6 ms


def test_a_discriminant_is_the_likelihood_of_gaussians() -> None:
    """Against the densities themselves, of classes that differ in their means alone."""
    g = torch.Generator().manual_seed(0)
    spreading = torch.tensor([[1.0, 0.0], [0.4, 0.9]])
    means = torch.tensor([[2.0, 0.0], [0.0, 1.0], [-2.0, -1.0]])
    labels = torch.arange(3).repeat_interleave(4000)
    frames = means[labels] + torch.randn(12000, 2, generator=g) @ spreading.T
    weight, offset = discriminant(frames, labels, 3)
    points = torch.randn(50, 2, generator=g)
    density = torch.stack(
        [torch.distributions.MultivariateNormal(mean, spreading @ spreading.T).log_prob(points) for mean in means], 1
    )
    found = points @ weight + offset
    assert torch.allclose(found - found[:, :1], density - density[:, :1], rtol=0.05, atol=0.2)
    assert found.argmax(1).eq(density.argmax(1)).float().mean() > 0.95


def test_nothing_to_learn_from(tmp_path: Path) -> None:
    untimed_pack(tmp_path / "pack", ["sa"])
    with pytest.raises(ValueError, match="no transcribed clip outside of the test split"):
        teach(tmp_path, lambda text: None)
