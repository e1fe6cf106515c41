"""From recordings to a pack: labels, splits, pitch and the index."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from corpus_voice import FRAME_RATE, manifest_row, say, write_manifest
from unisinger_cli.cli.commands.prepare import prepare
from unisinger_cli.corpus.labels import labels
from unisinger_cli.corpus.manifest import Clip, read_manifest
from unisinger_cli.corpus.opus import write_opus
from unisinger_cli.corpus.pack import pack_voices, read_index
from unisinger_cli.corpus.splits import share, split_of_clip, split_of_composer, split_of_song
from unisinger_cli.errors import InputError, UsageError
from unisinger_cli.stages.pitch import track
from unisinger_cli.types import Audio


def clip(tmp_path: Path, **more: object) -> Clip:
    row = manifest_row(str(more.pop("path", "a.opus")), str(more.pop("speaker", "x")), **more)
    write_manifest(tmp_path, [row])
    return next(read_manifest(tmp_path))


# ---------------------------------------------------------------- labels
def test_a_name_is_spelled(tmp_path: Path) -> None:
    found = labels(clip(tmp_path, set="alphanumeric", path="name.opus", text="B A, K"))
    assert [symbol for symbol, _, _ in found or ()] == [*"_bi_eɪ_keɪ_"]


def test_digits_are_read_one_by_one(tmp_path: Path) -> None:
    found = labels(clip(tmp_path, set="alphanumeric", path="number.opus", text="22"))
    symbols = "".join(symbol for symbol, _, _ in found or ()).strip("_").split("_")
    assert len(symbols) == 2 and symbols[0] == symbols[1]


def test_a_house_number_can_be_read_in_two_ways(tmp_path: Path) -> None:
    assert labels(clip(tmp_path, set="alphanumeric", path="address.opus", text="22 Elm Road")) is None
    assert labels(clip(tmp_path, set="alphanumeric", path="address.opus", text="2 Elm Road")) is not None


def test_no_words_no_labels(tmp_path: Path) -> None:
    assert labels(clip(tmp_path, text=None)) is None


def test_sung_syllables_have_times(tmp_path: Path) -> None:
    # [alias, offset, consonant, cutoff, preutterance, overlap] in ms: vowels at 0.6 s and 1.2 s; "R" is a rest,
    # and a second name of the same sound says nothing new
    oto = [["- かA4", 500, 200, -550, 100, 40], ["a かA4", 1000, 300, -700, 200, 120],
           ["- がA4", 510, 200, -550, 95, 40], ["a R", 1650, 100, -100, 50, 20]]  # fmt: skip
    found = labels(clip(tmp_path, set="vb_kumi_ja", language="ja", oto=oto, romaji="ka-ka")) or []
    assert [symbol for symbol, _, _ in found] == ["k", "a", "k", "a"]
    assert [start for _, start, _ in found] == pytest.approx([0.54, 0.6, 1.12, 1.2])
    assert all(a[2] == b[1] for a, b in zip(found[0::2], found[1::2], strict=True))
    assert found[1][2] == pytest.approx(1.05) and found[3][2] == pytest.approx(1.7)  # where the region ends


@pytest.mark.parametrize("kind", ["words", "phrases"])
def test_times_of_words_are_those_of_their_first_and_last_phonemes(tmp_path: Path, kind: str) -> None:
    sung = clip(tmp_path, set="makam_acapella", language="tr", text="gel o", **{kind: [[0.5, 1.5, "gel"], [2, 3, "o"]]})
    assert labels(sung) == [
        ("_", None, None), ("g", 0.5, None), ("e", None, None), ("l", None, 1.5), ("_", None, None),
        ("o", 2, 3), ("_", None, None),
    ]  # fmt: skip


def test_times_can_be_left_out(tmp_path: Path) -> None:
    oto = [["- か", 500, 200, -550, 100, 40]]
    sung = clip(tmp_path, set="vb_kumi_ja", language="ja", text="か", oto=oto, romaji="ka")
    assert labels(sung, timed=False) == [("_", None, None), ("k", None, None), ("a", None, None), ("_", None, None)]


# ---------------------------------------------------------------- splits
def test_shares_are_even_and_never_change() -> None:
    assert share("ls-19") == pytest.approx(0.1534, abs=1e-4)
    names = [f"speaker {i}" for i in range(2000)]
    assert np.mean([share(name) < 0.1 for name in names]) == pytest.approx(0.1, abs=0.03)


def test_a_speaker_is_in_one_split(tmp_path: Path) -> None:
    for i in range(60):
        both = {
            split_of_clip(clip(tmp_path, set="librispeech", speaker=f"ls-{i}", path=f"{take}.opus")) for take in "ab"
        }
        assert len(both) == 1


def test_ids_of_one_person_are_in_one_split(tmp_path: Path) -> None:
    for group in range(40):
        both = {
            split_of_clip(clip(tmp_path, set="alphanumeric", speaker=f"{group}{i}", same_voice_group=f"group {group}"))
            for i in range(4)
        }
        assert len(both) == 1


def test_test_is_apart(tmp_path: Path) -> None:
    found = [split_of_clip(clip(tmp_path, set="librispeech", speaker=f"ls-{i}")) for i in range(300)]
    assert {"train", "valid", "test"} == set(found) and 0.05 < found.count("test") / 300 < 0.16
    assert split_of_clip(clip(tmp_path, set="makam_acapella", speaker="makam-idil")) == "test"
    for split in (split_of_composer, split_of_song):
        assert 0.05 < np.mean([split(f"{i:03d}") == "test" for i in range(500)]) < 0.16


# ---------------------------------------------------------------- pitch
@settings(deadline=None, max_examples=30)
@given(st.floats(70, 900))
def test_a_tone_has_its_pitch(hz: float) -> None:
    time = np.arange(8000) / 16000
    tone = sum(np.sin(2 * np.pi * k * hz * time) / k for k in range(1, 5)) * 0.1
    found = track(Audio(np.asarray(tone, dtype=np.float32)[None], 16000), FRAME_RATE)
    assert len(found.hz) == int(np.ceil(0.5 * FRAME_RATE))
    assert found.voiced[3:-3].mean() > 0.9  # the tracker hesitates for a frame at a few pitches
    assert np.median(found.hz[found.voiced]) == pytest.approx(hz, rel=0.02)


@pytest.mark.parametrize("samples", [0, 10, 4000])
def test_silence_has_none(samples: int) -> None:
    assert not track(Audio(np.zeros((1, samples), dtype=np.float32), 16000), FRAME_RATE).voiced.any()


# ---------------------------------------------------------------- the pack
def test_pack(tmp_path: Path) -> None:
    corpus, out = tmp_path / "corpus", tmp_path / "pack"
    corpus.mkdir()
    audio, _ = say("sa si", hz=200)
    write_opus(corpus / "one.opus", audio)
    (corpus / "two.opus").write_bytes(b"no sound")
    write_manifest(corpus, [manifest_row("one.opus", "eve"), manifest_row("two.opus", "eve")])
    said: list[str] = []
    assert pack_voices(corpus, out, frame_rate=FRAME_RATE, workers=1, report=said.append) == 1
    assert len(said) == 1 and "two.opus" in said[0]
    (row,) = read_index(out)
    assert (row["speaker"], row["tags"]) == ("eve", ["speech", "fullband", "female"])
    assert [p[0] for p in row["phonemes"]] == ["_", "s", "i", "_"]
    assert (out / row["vocal"]).read_bytes() == (corpus / "one.opus").read_bytes()
    hz = np.load(out / "f0.npz")[row["id"]]
    assert len(hz) == int(np.ceil(row["seconds"] * FRAME_RATE - 1e-3))
    assert np.median(hz[hz > 0]) == pytest.approx(200, rel=0.03)

    alignments = tmp_path / "alignments.jsonl"
    spans = [["_", 0.0, 0.1], ["s", 0.1, 0.2], ["i", 0.2, 0.9]]
    alignments.write_text(json.dumps({"id": row["id"], "spans": spans}) + "\n", encoding="utf-8")
    done = CliRunner().invoke(prepare, ["align", str(out), str(alignments)])
    assert (done.exit_code, done.stdout.strip()) == (0, str(out))
    assert read_index(out)[0]["phonemes"] == spans


def test_a_damaged_manifest_names_its_line(tmp_path: Path) -> None:
    good = json.dumps(manifest_row("a.opus", "x"))
    (tmp_path / "manifest.jsonl").write_text(good + '\n{"path": 3}\n', encoding="utf-8")
    with pytest.raises(InputError, match=r"manifest\.jsonl line 2"):
        list(read_manifest(tmp_path))


def test_command_says_what_is_missing(tmp_path: Path) -> None:
    runner = CliRunner()
    assert isinstance(
        runner.invoke(prepare, ["voices", str(tmp_path), "-o", str(tmp_path / "p")]).exception, InputError
    )
    options = ["factory", "--pack", str(tmp_path), "--soundfont", str(tmp_path), "-o", str(tmp_path / "p")]
    assert isinstance(runner.invoke(prepare, options).exception, UsageError)
