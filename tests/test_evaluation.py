"""The evaluation: that its measures measure, that its choice of voices is fair, and the command from end to end."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import RATE, Ran, store, sung
from unisinger_cli.corpus.pack import write_pack
from unisinger_cli.errors import InputError
from unisinger_cli.evaluation import metrics, report, spectra
from unisinger_cli.evaluation.clips import Clip, choose_pairs, unheard_clips
from unisinger_cli.evaluation.findings import Part, Score, mean
from unisinger_cli.model.config import PRESETS
from unisinger_cli.model.unisinger import UniSinger
from unisinger_cli.notation.keys import QUALITIES
from unisinger_cli.pipeline.scores import pitch_agreement
from unisinger_cli.pipeline.studio import bundled_composer
from unisinger_cli.stages.compose import compose
from unisinger_cli.stages.lyrics import read_lyrics
from unisinger_cli.stages.sample import windows_over
from unisinger_cli.training.parts import save_part
from unisinger_cli.types import Audio, Chord, Floats, Pitch

FRAME_RATE = RATE / 1024
CHORDS = [Chord(2.0 * i, 2.0 * i + 2, root, quality, root) for i, (root, quality) in enumerate(
    [(0, "maj"), (9, "min"), (5, "maj"), (7, "maj")])]  # fmt: skip


def play(chords: list[Chord], rng: np.random.Generator) -> Audio:
    """Chords plucked in arpeggios of three harmonics, in an order and rhythm of their own."""
    sound = np.zeros(round(chords[-1].end * RATE), dtype=np.float32)
    for chord in chords:
        for start in np.sort(rng.uniform(chord.start, chord.end - 0.3, 8)):
            midi = 60 + (chord.root + rng.choice(QUALITIES[chord.quality])) % 12
            t = np.arange(RATE // 2) / RATE
            hz = 440 * 2 ** ((midi - 69) / 12)
            tone = sum(np.sin(2 * np.pi * k * hz * t) / k for k in (1, 2, 3)) * np.exp(-5 * t)
            at = round(start * RATE)
            sound[at : at + len(tone)] += (0.2 * tone)[: len(sound) - at].astype(np.float32)
    return Audio(sound[None], RATE)


# ---------------------------------------------------------------- measures
def test_chords_are_heard() -> None:
    found = spectra.chroma(play(CHORDS, np.random.default_rng(0)).samples[0], RATE)
    right = metrics.chord_agreement(*found, CHORDS)
    others = [replace(chord, root=(chord.root + 1) % 12) for chord in CHORDS]
    wrong = metrics.chord_agreement(*found, others)
    assert right is not None and wrong is not None
    assert right > 0.5 > 0.1 > wrong
    key = metrics.key_shares(found[0], "C:maj")
    assert key is not None
    assert key[0] > 0.9 > 0.7 > key[1]
    assert metrics.in_key(*found, CHORDS) is True and metrics.in_key(*found, others) is False


def test_silence_has_no_harmony() -> None:
    chroma, times = spectra.chroma(np.zeros(4 * RATE, dtype=np.float32), RATE)
    assert metrics.chord_agreement(chroma, times, CHORDS) is None
    assert metrics.key_shares(chroma, "C:maj") is None
    assert metrics.in_key(chroma, times, CHORDS) is None


@pytest.mark.parametrize("midi", [45, 57, 60, 71, 80])
def test_chroma_names_the_note(midi: int) -> None:
    tone = np.sin(2 * np.pi * 440 * 2 ** ((midi - 69) / 12) * np.arange(RATE) / RATE).astype(np.float32)
    assert spectra.chroma(tone, RATE)[0].sum(axis=0).argmax() == midi % 12


def test_copies_are_found_and_others_are_not() -> None:
    """The same chords on the same instrument, played anew, are no copy; a late, quiet and noisy copy is one."""
    one, other = (play(CHORDS, np.random.default_rng(seed)) for seed in (1, 2))
    alike = [metrics.likeness(one, x) for x in (one, metrics.copied(one, np.random.default_rng(3)), other)]
    assert alike[0] == pytest.approx(1.0)
    assert alike[1] is not None and alike[2] is not None
    assert alike[1] > 0.8 > 0.5 > alike[2]
    assert metrics.likeness(one, Audio(np.zeros_like(one.samples), RATE)) is None


def test_sounding_share() -> None:
    half = np.concatenate([np.full(2 * RATE, 0.1), np.full(2 * RATE, 0.001)]).astype(np.float32)
    assert metrics.sounding_share(Audio(half[None], RATE)) == 0.5


def test_nearer_and_recognised() -> None:
    assert metrics.nearer_share([0.9, 0.4, 0.8, 0.7], [0.5, 0.6, 0.2, 0.1]) == 0.75
    assert metrics.nearer_share([], []) is None
    references = np.eye(4, dtype=np.float32)
    assert metrics.recognised_share(references, references) == 1
    assert metrics.recognised_share(np.roll(references, 1, axis=0), references) == 0


def test_pitch_of_a_plan() -> None:
    """Sung exactly as written, all is right; another plan's notes do not fit."""
    lyrics = read_lyrics("the morning comes across the sea\na silver line a waking tree", "en")
    one, other = (
        compose(
            bundled_composer(), lyrics, rng=np.random.default_rng(seed), bpm=90.0, key=key, tags=(), centre_midi=60.0
        )
        for seed, key in ((0, "C:maj"), (5, "Eb:min"))
    )
    frames = int(one.seconds * FRAME_RATE)
    wanted: Floats = metrics.note_pitch(one, frames, FRAME_RATE)
    first = one.lines[0].syllables[0].notes[0]
    middle = int((first.start + first.end) / 2 * FRAME_RATE)
    assert wanted[middle] == pytest.approx(440 * 2 ** ((first.midi - 69) / 12))
    assert wanted[-1] == 0 and not wanted[: int(first.start * FRAME_RATE) - 1].any()
    made = Pitch(wanted * np.float32(2 ** (10 / 1200)), FRAME_RATE)
    right = pitch_agreement(made, wanted)
    wrong = pitch_agreement(made, metrics.note_pitch(other, frames, FRAME_RATE))
    assert right["pitch_correlation"] == pytest.approx(1.0)
    assert right["pitch_error_cents"] == pytest.approx(10, abs=0.5)
    assert wrong["pitch_correlation"] is not None and wrong["pitch_correlation"] < 0.7


def test_scores_meet_their_bars() -> None:
    assert Score("a", 0.9, at_least=0.85).met is True
    assert Score("a", 0.8, at_least=0.85).met is False
    assert Score("a", None, at_least=0.85).met is False  # what could not be measured meets nothing
    assert Score("a", 1.2, at_most=1.0).met is False
    assert Score("a", 1.2).met is None
    assert mean([1.0, None, 0.0]) == 0.5
    assert mean([1.0, None], missing=0.0) == 0.5
    assert mean([None]) is None


def test_the_page_escapes_what_it_shows() -> None:
    part = Part("convert", (Score("<b>", 1.0, 0.5, "a & b", at_least=2),), (), ("x <script>",))
    text = report.page("t", {"model": "<i>"}, [part], {})
    assert "<script>" not in text and "&lt;b&gt;" in text and "a &amp; b" in text and "missed" in text


# ---------------------------------------------------------------- who is heard
def clip(i: int, speaker: int, kind: str = "speech", seconds: float = 8.0) -> Clip:
    return Clip(f"c{i}", Path(f"c{i}.wav"), f"s{speaker}", kind, seconds)


@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.sampled_from(["speech", "song", "factory"]), st.floats(1, 40)), max_size=40
    ),
    st.integers(1, 20),
    st.integers(0, 2**31),
)
def test_pairs_are_fair(given_clips: list[tuple[int, str, float]], count: int, seed: int) -> None:
    clips = [clip(i, *rest) for i, rest in enumerate(given_clips)]
    try:
        pairs = choose_pairs(clips, count, seed)
    except InputError:
        usable = [one for one in clips if one.kind != "factory" and 4 <= one.seconds <= 30]
        possible = {a.name for a in usable if a.seconds <= 12 for b in usable if a.speaker != b.speaker}
        assert not possible
        return
    assert pairs == choose_pairs(clips, count, seed)
    assert 0 < len(pairs) <= count
    assert all(pair.source.speaker != pair.reference.speaker for pair in pairs)
    assert len({pair.source for pair in pairs}) == len({pair.reference for pair in pairs}) == len(pairs)
    assert all(pair.source.seconds <= 12 and "factory" not in (pair.source.kind, pair.reference.kind) for pair in pairs)


@pytest.mark.parametrize("bpm", [70.0, 96.0, 125.0])
def test_a_tempo_is_told_from_others(bpm: float) -> None:
    pytest.importorskip("librosa")
    rng, rate = np.random.default_rng(0), 22050
    clicks = np.zeros(20 * rate, dtype=np.float32)
    for i, time in enumerate(np.arange(0, 19.5, 60 / bpm)):
        start, length = int(time * rate), rate // 20
        clicks[start : start + length] += (
            (1.0 if i % 4 == 0 else 0.5) * rng.standard_normal(length) * np.hanning(length)
        )
    audio = Audio(clicks[None], rate)
    assert metrics.tempo_fits(audio, bpm) is True
    assert metrics.tempo_fits(audio, 2 * bpm) is True  # half the tempo is the same song
    assert metrics.tempo_fits(audio, 1.3 * bpm) is False
    assert metrics.tempo_fits(Audio(np.zeros((1, rate), dtype=np.float32), rate), bpm) is None


def test_twenty_pairs_of_twenty_voices() -> None:
    clips = [clip(i, i % 25) for i in range(50)] + [clip(50 + i, 99, "song") for i in range(15)]
    pairs = choose_pairs(clips, 20, 0)
    assert len(pairs) == 20
    assert len({pair.reference.speaker for pair in pairs}) == 20
    assert sum(pair.source.kind == "song" for pair in pairs) == 10
    assert choose_pairs(clips, 20, 1) != pairs


# ---------------------------------------------------------------- the command
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


def test_evaluate(unisinger: Callable[..., Ran], tmp_path: Path) -> None:
    """All parts on the random model: what it makes is noise, and the scores must say so."""
    pytest.importorskip("resemblyzer")
    make_pack(tmp_path / "pack")
    save_part(UniSinger.random(PRESETS["debug"], seed=1), "codec", tmp_path / "baseline.safetensors", {})
    flags = "evaluate", "--data", "pack", "--out", "report", "--checkpoint", "debug", "--steps", "1", "--threads", "1"
    done = unisinger(*flags, "--items", "3", "--json", "--baseline", "baseline.safetensors")
    assert done.code == 0, done.err
    told = done.json
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


def test_evaluate_tells_what_is_missing(unisinger: Callable[..., Ran], tmp_path: Path) -> None:
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
    assert not (tmp_path / "report").exists()
