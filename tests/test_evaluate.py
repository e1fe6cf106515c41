"""`unisinger evaluate` from end to end, on a model that makes noise."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conftest import Run, store, sung
from test_evaluation import CHORDS, play
from unisinger_cli.corpus.pack import write_pack
from unisinger_cli.evaluation.clips import unheard_clips
from unisinger_cli.model.config import PRESETS
from unisinger_cli.model.unisinger import UniSinger
from unisinger_cli.stages.sample import windows_over
from unisinger_cli.training.parts import save_part
from unisinger_cli.types import Audio


def make_pack(folder: Path, speakers: int = 3) -> Path:
    """Two recordings each of some test speakers, one of a trained one, and a factory song that was held out."""
    (folder / "audio").mkdir(parents=True)
    rows: list[dict[str, Any]] = []

    def add(name: str, speaker: str, split: str, kind: str, sound: Audio, accomp: Audio | None = None) -> None:
        store(folder / "audio" / f"{name}.wav", sound.samples, sound.rate)
        row = {"id": name, "kind": kind, "speaker": speaker, "split": split, "seconds": sound.seconds}
        row |= {"vocal": f"audio/{name}.wav", "accomp": None, "set": "s", "language": "en"}
        row["phonemes"] = [["_", 0.0, 0.5], ["a", 0.5, 1.5], ["m", 1.5, sound.seconds]]
        if accomp is not None:
            store(folder / "audio" / f"{name}.accomp.wav", accomp.samples, accomp.rate)
            row["accomp"] = f"audio/{name}.accomp.wav"
        rows.append(row)

    for i in range(speakers):
        add(f"test{i}a", f"t{i}", "test", "speech", sung(4.1, hz=120 + 40 * i, rate=16000))
        add(f"test{i}b", f"t{i}", "test", "song", sung(4.2, hz=150 + 40 * i, rate=16000))
    add("trained", "t9", "train", "speech", sung(4.1, rate=16000))
    band = play(CHORDS[:2], np.random.default_rng(0))
    add("made", "t9", "valid", "factory", sung(4.0), band)
    add("made-too", "t9", "train", "factory", sung(4.0), band)
    write_pack(folder, rows, {})
    return folder


def test_only_unheard_voices_are_taken(tmp_path: Path) -> None:
    names = {clip.name for clip in unheard_clips([make_pack(tmp_path / "pack")])}
    assert "trained" not in names and "made-too" not in names
    assert {"test0a", "test2b", "made"} <= names


def test_evaluate(unisinger: Run, tmp_path: Path) -> None:
    """All parts on the random model: what it makes is noise, and the scores must say so."""
    pytest.importorskip("resemblyzer")
    make_pack(tmp_path / "pack")
    save_part(UniSinger.random(PRESETS["debug"], seed=1), "codec", tmp_path / "baseline.safetensors", {})
    flags = "evaluate", "--data", "pack", "--out", "report", "--checkpoint", "debug", "--steps", "1", "--threads", "1"
    stand_in = f"{sys.executable} {Path(__file__).parent / 'stand_ins' / 'judge.py'}"
    judges = "--judge", f"{stand_in} voice vector", "--judge", f"{stand_in} song scores"
    done = unisinger(*flags, "--items", "3", "--json", "--baseline", "baseline.safetensors", *judges)
    assert done.code == 0, done.err
    told = done.json
    assert told["judges"] == list(judges[1::2])
    assert told == json.loads((tmp_path / "report" / "scores.json").read_text())
    scores = {(part["part"], score["name"]): score for part in told["parts"] for score in part["scores"]}
    assert scores["convert", "pitch_correlation"]["met"] is False
    assert scores["convert", "nearer_to_reference"]["at_least"] == 0.9
    assert scores["convert", "recognised_among_all"]["at_least"] == 0.7
    assert scores["song", "recognised_among_all"]["at_least"] == 0.6
    for kind in ("singing", "accompaniment", "mix"):
        codec = scores["codec", f"{kind}_log_mel_l1"]
        assert codec["value"] > codec["control"]
        assert scores["codec", f"{kind}_level_error_of_worst_octave_db"]["met"] is False
        beside = scores["codec", f"{kind}_log_mel_l1_beside_baseline"]
        assert beside["value"] == codec["value"] != beside["control"]
        assert beside["at_most"] == pytest.approx(0.8 * beside["control"])
    assert scores["codec", "singing_similarity_to_original"]["at_least"] == 0.965
    for shift in ("", "_resynthesised", "_octave_down", "_octave_up"):
        assert scores["content", f"speech_phoneme_error_rate{shift}"]["value"] > 0.2
        assert 0 <= scores["content", f"singing_frame_accuracy{shift}"]["value"] <= 1
    assert scores["timbre", "speech_equal_error_rate"]["at_most"] == 0.12
    assert scores["timbre", "speech_to_singing_equal_error_rate"]["value"] is not None
    assert scores["timbre", "speech_to_made_songs_equal_error_rate"]["value"] is None  # of one singer
    assert scores["song", "accomp_most_alike"]["value"] < scores["song", "accomp_most_alike"]["control"]
    for part in ("convert", "song"):  # a conversion has a source, too
        likeness = scores[part, "stand-in-vector_similarity_to_reference"]
        assert likeness["value"] is not None and likeness["control"] is not None
    assert ("song", "stand-in-vector_nearer_to_reference") not in scores
    assert 0 <= scores["convert", "stand-in-vector_nearer_to_reference"]["value"] <= 1
    opinion = scores["accompany", "stand-in-scores_level"]
    assert 0 < opinion["value"] <= 1 and opinion["against"] == "songs of the packs" and opinion["control"] > 0
    harmony = scores["accompany", "harmony_above_shuffled"]
    assert harmony["at_least"] == 0.9 and 0 <= harmony["value"] <= 1
    assert -1 <= scores["accompany", "harmony"]["value"] <= 1
    assert scores["song", "in_key"]["at_least"] == scores["song", "in_tempo"]["at_least"] == 0.9
    speed = [scores["speed", name] for name in ("real_time_factor", "peak_memory_mib", "loading_seconds")]
    assert all(score["value"] > 0 for score in speed)
    grown = scores["speed", "memory_of_three_minutes"]
    assert 1 <= grown["value"] < 2 and grown["at_most"] == 1.1
    held, seam = (scores["long", name] for name in ("held_note_deviation_cents", "change_at_window_borders"))
    assert held["at_most"] == 15 and 0 < held["control"] < 15  # what was asked for is near the notes
    assert 0.5 < seam["value"] < seam["at_most"]  # of noise even a cut is none: see test_steadiness
    (slow,) = (item["values"] for part in told["parts"] if part["part"] == "long" for item in part["items"])
    frames = -(-int(slow["seconds"] * 44100) // 1024)
    assert slow["windows"] == len(windows_over(frames, PRESETS["debug"].flow)) > 50
    assert scores["song", "frechet_distance"]["value"] is not None
    page = (tmp_path / "report" / "report.html").read_text()
    sounds = [sound for part in told["parts"] for item in part["items"] for sound in item["sounds"].values()]
    assert len(sounds) == 3 * 2 + 3 * 3 + 3 * 2 + 3 * 4 + 2  # three minutes are sung by one
    assert all((tmp_path / "report" / sound).is_file() and f'src="{sound}"' in page for sound in sounds)
    assert [path.name for path in tmp_path.glob(".*")] == []

    again = unisinger(*flags, "--only", "codec")
    assert again.code == 3 and "--force" in again.err


def test_evaluate_tells_what_is_missing(unisinger: Run, tmp_path: Path) -> None:
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / "resemblyzer.py").write_text("raise ModuleNotFoundError(name='resemblyzer')\n")
    make_pack(tmp_path / "pack", speakers=1)
    flags = "--out", "report", "--checkpoint", "debug"
    missing = unisinger("evaluate", "--data", "pack", *flags, PYTHONPATH=f"{tmp_path / 'hidden'}")
    assert missing.code == 5 and "unisinger[eval]" in missing.err
    no_pack = unisinger("evaluate", "--data", "hidden", *flags)
    assert no_pack.code == 3 and "index.jsonl" in no_pack.err
    save_part(UniSinger.random(PRESETS["debug"]), "timbre", tmp_path / "timbre.safetensors", {})
    no_codec = unisinger("evaluate", "--data", "pack", *flags, "--baseline", "timbre.safetensors")
    assert no_codec.code == 3 and "no codec" in no_codec.err
    no_judge = unisinger("evaluate", "--data", "pack", *flags, "--judge", "no-such-program weights")
    assert no_judge.code == 4 and "no-such-program" in no_judge.err
    assert not (tmp_path / "report").exists()
