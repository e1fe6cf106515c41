"""`prepare check` and `prepare report`: that a measure tells true from false, and what the page shows."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from corpus_voice import FRAME_RATE, RATE, say
from unisinger_cli.audio import read
from unisinger_cli.cli.commands.prepare import prepare
from unisinger_cli.corpus.opus import write_opus
from unisinger_cli.corpus.pack import Row, read_index, write_index, write_pack
from unisinger_cli.errors import InputError, MissingExtra
from unisinger_cli.evaluation import factory, packs
from unisinger_cli.evaluation.alignment import check_alignment
from unisinger_cli.evaluation.factory import check_songs
from unisinger_cli.evaluation.metrics import chroma_agreement
from unisinger_cli.evaluation.recogniser import plain
from unisinger_cli.evaluation.spectra import chroma
from unisinger_cli.evaluation.tracker import note_errors
from unisinger_cli.pipeline.reporter import Silent
from unisinger_cli.stages.align import edits
from unisinger_cli.types import Audio, Floats, Note


def row(name: str, kind: str, speaker: str, spans: Any, seconds: float, **more: Any) -> Row:
    return {
        "id": name, "kind": kind, "speaker": speaker, "split": "train", "set": kind, "language": "en",
        "licence": "CC0-1.0", "seconds": seconds, "source_rate": RATE, "vocal": f"audio/{name}.opus", "accomp": None,
        "phonemes": spans, "text": "<sa> & si", "score": None, "notes": None, "tags": ["speech"], **more,
    }  # fmt: skip


def tone(midi: float, seconds: float = 1.0, harmonics: int = 4) -> Floats:
    time = np.arange(round(seconds * RATE)) / RATE
    hz = 440 * 2 ** ((midi - 69) / 12)
    return np.asarray(0.2 * sum(np.sin(2 * np.pi * k * hz * time) / k for k in range(1, harmonics)), dtype=np.float32)


# ---------------------------------------------------------------- measures
def test_notes_are_measured_at_their_middle() -> None:
    hz = np.zeros(300, dtype=np.float32)
    time = np.arange(100) / 100
    hz[:100] = 440 * 2 ** (0.5 * np.sin(2 * np.pi * 6 * time) / 12)  # vibrato on the note
    hz[:20] = 300  # a glide is not its middle
    hz[100:200] = 440 * 2 ** (40 / 1200)
    hz[200:210] = 440
    notes = [Note(0, 1, 69), Note(1, 2, 69), Note(2, 2.1, 60), Note(2.2, 3, 69)]
    assert note_errors(hz, notes) == pytest.approx([0, 40], abs=6)  # one is too short, one is silent


def test_chroma_agrees_with_its_own_harmony() -> None:
    sung = np.concatenate([tone(60), tone(64), tone(67), tone(65), tone(69), tone(72)])
    chord, other = (
        np.concatenate([sum(tone(m, 3) for m in notes) for notes in pair])
        for pair in (((48, 52, 55), (53, 57, 60)), ((49, 54, 58), (51, 56, 59)))
    )
    own, crossed = (chroma_agreement(chroma(sung, RATE)[0], chroma(x, RATE)[0]) for x in (chord, other))
    assert own is not None and crossed is not None
    assert own > 0.3 > 0.0 > crossed
    assert chroma_agreement(np.zeros((30, 12), np.float32), chroma(chord, RATE)[0]) is None


def test_edits() -> None:
    assert [edits(a, b) for a, b in (("abc", "abc"), ("", "abc"), ("abc", ""), ("axcd", "abc"))] == [0, 3, 3, 2]
    assert plain(["_", "ʌ", "^", "ɔ", "t"]) == ["ə", "ɑ", "t"]


def test_alignment_is_measured_at_vowels(tmp_path: Path) -> None:
    spans = [["k", 0.5, 0.6], ["a", 0.6, 1.0], ["s", 1.0, 1.2], ["i", 1.2, 2.0]]
    partial = [["k", 0.5, 0.6], ["a", 0.6, 1.0]]
    rows = [row("a", "sung", "x", spans, 2.0), row("b", "sung", "x", partial, 2.0), row("c", "speech", "x", spans, 2.0)]
    write_pack(tmp_path, rows, {})
    late = [["_", 0, 0.4], ["k", 0.4, 0.61], ["a", 0.61, 1.1], ["s", 1.1, 1.23], ["i", 1.23, 1.9], ["_", 1.9, 2.0]]
    file = tmp_path / "found.jsonl"
    file.write_text("".join(json.dumps({"id": name, "spans": late}) + "\n" for name in "abc"), encoding="utf-8")
    part = check_alignment(tmp_path, file)
    assert part.scores[0].value == pytest.approx(20) and part.scores[0].met
    assert part.scores[0].control is not None and part.scores[0].control > 60
    assert [item.title for item in part.items] == ["a"]  # b's labels are not all that is sung, c's are not given
    file.write_text(json.dumps({"id": "c", "spans": late}), encoding="utf-8")
    with pytest.raises(InputError, match="no sung clip"):
        check_alignment(tmp_path, file)


# ---------------------------------------------------------------- songs
class Ear:
    """A judge that knows a voice by its loudest frequency."""

    def embed(self, audio: Audio) -> Floats:
        spectrum = np.abs(np.fft.rfft(audio.samples[0], 16000))
        found = np.zeros(40, dtype=np.float32)
        found[min(39, round(spectrum.argmax() * audio.rate / 16000 / 20))] = 1
        return found


@pytest.fixture
def two_packs(tmp_path: Path) -> tuple[Path, Path]:
    voices, songs = tmp_path / "voices", tmp_path / "songs"
    for pack in (voices, songs):
        (pack / "audio").mkdir(parents=True)
    rows = []
    for speaker, midi in (("eve", 72), ("bob", 50)):
        for take in (1, 2):
            write_opus(voices / f"audio/{speaker}{take}.opus", Audio(tone(midi, 5)[None], RATE))
            rows.append(row(f"{speaker}{take}", "speech", speaker, None, 5.0))
    write_pack(voices, rows, {})
    made = []
    for name, speaker, midi, root in (("s1", "eve", 72, 0), ("s2", "bob", 50, 2), ("s3", "bob~w1.10e+1", 50, 2)):
        chord = np.asarray(sum(tone(48 + root + step, 4) for step in (0, 4, 7)), dtype=np.float32)
        write_opus(songs / f"audio/{name}.opus", Audio(tone(midi, 4)[None], RATE))
        write_opus(songs / f"audio/{name}.accomp.opus", Audio(chord[None], RATE))
        score = {"chords": [[0.0, 4.0, root, "maj", root]]}
        more = {"score": score, "notes": [[0.0, 4.0, midi]], "clips": [speaker.split("~")[0] + "1"]}
        made.append(row(name, "factory", speaker, None, 4.0, **more) | {"accomp": f"audio/{name}.accomp.opus"})
    write_pack(songs, made, {})
    return songs, voices


def test_songs_are_checked_against_what_they_were_not_made_from(
    two_packs: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Missing:
        def __init__(self) -> None:
            raise MissingExtra("a judge", "eval")

    monkeypatch.setattr(factory, "Judge", Ear)
    monkeypatch.setattr(factory, "Tracker", Missing)
    monkeypatch.setattr(factory, "Recogniser", Missing)
    part = check_songs(*two_packs, Silent())
    scores = {score.name: score for score in part.scores}
    assert [item.title for item in part.items] in (["s1 by eve", "s2 by bob"], ["s2 by bob", "s1 by eve"])
    assert scores["similarity_to_singer"].value == 1 and scores["similarity_to_singer"].control == 0
    assert scores["nearest_is_the_singer"].value == 1
    fits = scores["accompaniment_fits_chords"]
    assert fits.value is not None and fits.control is not None and fits.value > 0.6 > fits.control
    assert len(part.failed) == 2 and "a judge is not installed" in part.failed[0]
    chosen = factory._choose(*two_packs, 2, np.random.default_rng(0))
    assert all({r["id"] for r in others}.isdisjoint(song["clips"]) for song, _, others in chosen)


def test_a_judge_of_words_hears_songs_and_what_they_were_sung_from(
    two_packs: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of five seconds, which are recordings, it gets the second phoneme wrong; of four, which are songs, both."""

    class Hard:
        def __init__(self, path: Path) -> None:
            assert path.name == "judge.safetensors"

        def heard(self, audio: Audio) -> list[str]:
            return ["a", "t"] if audio.seconds > 4.5 else ["o"]

    songs, voices = two_packs
    for pack in two_packs:
        rows = [r | {"phonemes": [["_", 0.0, 0.5], ["a", 0.5, 2.0], ["s", 2.0, 4.0]]} for r in read_index(pack)]
        write_index(pack, rows)
    monkeypatch.setattr(factory, "Judge", Ear)
    for name in ("Tracker", "Recogniser"):
        monkeypatch.setattr(factory, name, lambda: (_ for _ in ()).throw(MissingExtra("it", "eval")))
    monkeypatch.setattr(factory, "Words", Hard)
    scores = {
        score.name: score for score in check_songs(songs, voices, Silent(), words=Path("judge.safetensors")).scores
    }
    rate, ratio = (scores[f"judged_phoneme_error{name}"] for name in ("_rate", "s_over_speech"))
    assert (rate.value, rate.control) == (1.0, 0.5)
    assert ratio.value == 2.0 and ratio.at_most == 1.5
    assert "judged_phoneme_error_rate" not in {score.name for score in check_songs(songs, voices, Silent()).scores}


def test_check_says_what_is_missing(two_packs: tuple[Path, Path]) -> None:
    songs, voices = two_packs
    with pytest.raises(InputError, match="no songs"):
        check_songs(voices, voices, Silent())
    with pytest.raises(InputError, match="lacks recordings"):
        check_songs(songs, songs, Silent())
    run = CliRunner().invoke(prepare, ["check", str(songs)])
    assert "--voices is missing" in str(run.exception)


# ---------------------------------------------------------------- the page
def test_syllable_rate() -> None:
    _, spans = say("sa si _ sa")
    assert packs.syllable_rate(spans) == pytest.approx(1 / 0.34, rel=0.01)
    assert packs.syllable_rate([["_", 0.0, 1.0]]) is None


def test_level_range_tells_noise() -> None:
    audio, _ = say("sa_sa_sa")
    noisy = np.random.default_rng(0).normal(0, 0.01, audio.samples.shape).astype(np.float32)
    clean, worse = packs.level_range(audio), packs.level_range(replace(audio, samples=audio.samples + noisy))
    assert clean > 40 > 35 > worse > 10


def test_the_page_shows_and_plays(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    pack = tmp_path / "pack"
    (pack / "audio").mkdir(parents=True)
    audio, spans = say("sa si")
    rows, pitches = [], {}
    for name, kind in (("one", "speech"), ("two", "sung")):
        write_opus(pack / f"audio/{name}.opus", audio)
        rows.append(row(name, kind, name, spans if name == "one" else None, 3600.0))
        pitches[name] = np.full(round(audio.seconds * FRAME_RATE), 130.0, dtype=np.float32)
    write_pack(pack, rows, pitches)
    out = tmp_path / "page.html"
    for flags in ([], ["--force"]):
        run = CliRunner().invoke(prepare, ["report", str(pack), "-o", str(out), *flags])
        assert run.exit_code == 0, run.exception
        kept = out.read_text(encoding="utf-8")
    run = CliRunner().invoke(prepare, ["report", str(pack), "-o", str(out)])
    assert "exists" in str(run.exception)
    assert kept == packs.page([pack], seed=0, frame_rate=FRAME_RATE)  # the same again
    assert "2 clips, 2.00 h" in kept and "&lt;sa&gt; &amp; si" in kept and "<sa>" not in kept
    sounds = re.findall(r'src="data:audio/ogg;base64,([^"]+)"', kept)
    assert len(sounds) == 2 and kept.count('src="data:image/png') == 3 + 2
    assert "http" not in kept  # nothing is fetched
    heard = tmp_path / "heard.opus"
    heard.write_bytes(base64.b64decode(sounds[0]))
    assert read(heard).seconds == pytest.approx(audio.seconds, abs=0.01)


def test_opus_files_are_equal_when_sounds_are(tmp_path: Path) -> None:
    audio, _ = say("sasi" * 6)
    for name in ("a.opus", "b.opus"):
        write_opus(tmp_path / name, audio)
    assert (tmp_path / "a.opus").read_bytes() == (tmp_path / "b.opus").read_bytes()
    again = read(tmp_path / "a.opus")  # the reader checks the checksum of every page
    assert again.seconds == pytest.approx(audio.seconds, abs=1e-3)
    assert np.corrcoef(again.samples[0][::3][: audio.samples.shape[1]], audio.samples[0])[0, 1] > 0.9
