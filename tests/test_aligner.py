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
from unisinger_cli.training.aligner import discriminant, spread, train_aligner


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
        row = {"id": name, "split": split, "vocal": f"audio/{name}.wav", "seconds": audio.seconds}
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
