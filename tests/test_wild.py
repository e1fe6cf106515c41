"""The steps of the in-the-wild pipeline, each on sounds of which the truth is known."""

from __future__ import annotations

import io
import json
import tarfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import RATE, store, sung
from toy_flow import CHANNELS
from toys import killed_by_three, refused
from unisinger_cli.audio import read
from unisinger_cli.audio.snr import snr
from unisinger_cli.backends.executor import over_processes
from unisinger_cli.corpus.captions import FIELDS, caption
from unisinger_cli.corpus.labels import of_words
from unisinger_cli.corpus.segments import Lengths, Span, segments
from unisinger_cli.corpus.shards import join_shards, write_shard
from unisinger_cli.corpus.wild import Drop, Settings, Tools, listen, samples_of
from unisinger_cli.errors import InputError
from unisinger_cli.stages.transcribe import HeardWord
from unisinger_cli.training.features import ClipEncoder
from unisinger_cli.types import Audio, Floats, Sound

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
SETTINGS = Settings("test", recognisers=())


def noisy(audio: Audio, decibels: float, seed: int = 0) -> Audio:
    """White noise added at this SNR."""
    noise = np.random.default_rng(seed).standard_normal(audio.samples.shape)
    noise *= np.sqrt(np.mean(audio.samples**2)) / 10 ** (decibels / 20)
    return Audio((audio.samples + noise).astype(np.float32), audio.rate)


def strummed(seconds: float, rate: int = RATE) -> Floats:
    """C, F, G, C on the half note at 120 bpm, [n]."""
    time = np.arange(round(seconds * rate)) / rate
    out = np.zeros_like(time)
    chords = [(48, 64, 67, 72), (53, 60, 65, 69), (55, 59, 62, 67), (48, 60, 64, 67)]
    for beat in range(int(seconds * 2)):
        since = time - beat * 0.5
        for midi in chords[beat // 2 % 4]:
            hz = 440 * 2 ** ((midi - 69) / 12)
            tone = sum(np.sin(2 * np.pi * k * hz * since) / k**1.5 for k in range(1, 6))
            out += np.where(since >= 0, np.exp(-6 * np.maximum(since, 0)) * tone, 0)
    return np.asarray(0.3 * out / np.abs(out).max(), dtype=np.float32)


# ---------------------------------------------------------------- noise
@pytest.mark.parametrize("name", ["reference.wav", "vocal.wav"])
@pytest.mark.parametrize("decibels", [0, 5, 10, 15, 20])
def test_noise_is_told_in_decibels(name: str, decibels: float) -> None:
    assert snr(noisy(read(EXAMPLES / name), decibels)) == pytest.approx(decibels, abs=3.5)


def test_clean_sounds_of_all_kinds_are_clean_and_noise_is_noise() -> None:
    assert snr(read(EXAMPLES / "reference.wav")) > 25
    assert snr(Audio(strummed(5.0)[None], RATE)) > 20
    assert snr(Audio(np.random.default_rng(0).standard_normal((1, RATE)).astype(np.float32), RATE)) < 0
    quiet = read(EXAMPLES / "vocal.wav")
    assert snr(Audio(quiet.samples * np.float32(0.01), RATE)) == pytest.approx(snr(quiet), abs=0.1)
    silence = np.zeros((1, 5 * RATE), dtype=np.float32)
    assert snr(Audio(np.concatenate([silence, noisy(quiet, 5).samples], axis=1), RATE)) < 12  # a pause is no alibi


def test_the_filter_lets_clean_recordings_pass(tmp_path: Path) -> None:
    voice = read(EXAMPLES / "vocal.wav")
    for decibels in (0, 3, 12, 30):
        heard = listen(store(tmp_path / "x.wav", noisy(voice, decibels).samples), SETTINGS, RATE)
        if decibels < SETTINGS.least_snr:
            assert isinstance(heard, Drop) and heard.reason == "too noisy"
        else:
            assert not isinstance(heard, Drop)


def test_what_else_is_not_listened_to(tmp_path: Path) -> None:
    dull = listen(store(tmp_path / "dull.wav", sung(5.0, rate=16000).samples, 16000), SETTINGS, RATE)
    assert isinstance(dull, Drop) and dull.reason == "low sampling rate" and "16000" in dull.detail
    short = listen(store(tmp_path / "short.wav", sung(1.0).samples), SETTINGS, RATE)
    assert isinstance(short, Drop) and short.reason == "too short"
    heard = listen(store(tmp_path / "fine.wav", sung(5.0, rate=48000).samples, 48000), SETTINGS, RATE)
    assert not isinstance(heard, Drop) and heard[0].rate == RATE and heard[1] == 48000
    (tmp_path / "broken.wav").write_bytes(b"RIFF and no more")
    with pytest.raises(InputError, match=r"broken\.wav"):
        listen(tmp_path / "broken.wav", SETTINGS, RATE)


# ---------------------------------------------------------------- segments
@given(st.lists(st.tuples(st.floats(0.05, 4), st.floats(0.1, 40)), max_size=12))
def test_segments_hold_the_voice(steps: list[tuple[float, float]]) -> None:
    spans: list[Span] = []
    at = 0.0
    for pause, length in steps:
        spans.append((at + pause, at + pause + length))
        at = spans[-1][1]
    seconds, lengths = at + 1.0, Lengths()
    long, short = segments(spans, seconds, lengths)
    everything = sorted([*long, *short])
    assert all(a[1] <= b[0] + 1e-9 for a, b in pairwise(everything))
    assert all(0 <= a < b <= seconds and b - a <= lengths.longest + 1e-9 for a, b in everything)
    assert all(b - a >= lengths.shortest for a, b in long) and all(b - a < lengths.shortest for a, b in short)
    for start, end in spans:  # no voice is lost between segments
        inside = sum(max(0.0, min(b, end) - max(a, start)) for a, b in everything)
        assert inside == pytest.approx(end - start, abs=1e-6)


def test_a_long_pause_is_cut_out_and_a_short_one_is_not() -> None:
    assert segments([(1.0, 5.0), (5.5, 9.0), (12.0, 16.0)], 20.0, Lengths())[0] == [
        pytest.approx((0.85, 9.15)),
        pytest.approx((11.85, 16.15)),
    ]


# ---------------------------------------------------------------- captions and labels
def test_a_caption_says_what_was_played() -> None:
    band = Audio(strummed(12.0)[None], RATE)
    hz = np.full(500, 120.0, dtype=np.float32)
    said = caption(band, band, hz, genre="Folk-Rock")
    fields = dict(zip(FIELDS, said.fields, strict=True))
    assert fields["tempo and key"] == "120 bpm, in C major"
    assert fields["singer"] == "low male voice" and fields["instrumentation"].startswith("accompaniment")
    assert {"folk", "fast", "major", "male"} <= set(said.tags) and "drums" not in said.tags


def test_drums_are_heard_and_a_solo_is_called_one() -> None:
    rng = np.random.default_rng(0)
    beats = np.zeros(12 * RATE, dtype=np.float32)
    for start in range(0, len(beats) - 4000, RATE // 2):
        beats[start : start + 4000] += rng.standard_normal(4000) * np.exp(-np.arange(4000) / 600)
    band = Audio((0.3 * strummed(12.0) + 0.3 * beats)[None].astype(np.float32), RATE)
    high = np.full(500, 500.0, dtype=np.float32)
    assert {"drums", "female"} <= set(caption(band, band, high).tags)
    alone = caption(sung(6.0), None, np.full(200, 220.0, dtype=np.float32))
    assert alone.fields[1:3] == ("voice alone", "middle voice") and not {"female", "male"} & set(alone.tags)


def test_phonemes_fill_the_words_that_were_heard() -> None:
    words = [HeardWord("sing", 0.5, 1.5), HeardWord("###", 1.5, 1.6), HeardWord("low", 1.6, 1.7)]
    found = of_words(words, "en-US", 3.0)
    assert found is not None
    assert [symbol for symbol, _, _ in found] == ["_", *"sɪŋ", *"loʊ", "_"]
    times = {symbol: (start, end) for symbol, start, end in found[1:4]}
    assert times["s"] == pytest.approx((0.5, 0.58)) and times["ɪ"] == pytest.approx((0.58, 1.42))
    assert found[-2][2] == pytest.approx(1.7) and found[-1][1:] == (1.7, 3.0)
    assert of_words(words, "xx", 3.0) is None and of_words([], "en", 3.0) is None


# ---------------------------------------------------------------- shards
def sample(name: str, size: int = 100) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    return {"id": name, "text": "ü"}, {"b": np.arange(size, dtype=np.int8), "a": np.ones(2, dtype=np.float16)}


def test_a_shard_is_webdataset_and_always_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_shard(tmp_path / "x.tar", [sample("one"), sample("two")])
    first = (tmp_path / "x.tar").read_bytes()
    monkeypatch.setattr("time.time", lambda: 2e9)
    write_shard(tmp_path / "x.tar", [sample("one"), sample("two")])
    assert (tmp_path / "x.tar").read_bytes() == first
    with tarfile.open(tmp_path / "x.tar") as tar:
        assert tar.getnames() == ["one.json", "one.npz", "two.json", "two.npz"]
        assert json.loads(tar.extractfile("two.json").read())["text"] == "ü"  # type: ignore[union-attr]
        arrays = np.load(io.BytesIO(tar.extractfile("two.npz").read()))  # type: ignore[union-attr]
        assert arrays["b"].dtype == np.int8 and arrays["b"].shape == (100,)
    assert list(tmp_path.iterdir()) == [tmp_path / "x.tar"]


def keys(path: Path) -> list[str]:
    with tarfile.open(path) as tar:
        return tar.getnames()[::2]


def test_parts_are_joined_in_order_up_to_a_size(tmp_path: Path) -> None:
    parts = [tmp_path / f"part{i}.tar" for i in range(5)]
    for i, part in enumerate(parts):
        write_shard(part, [sample(f"s{i}", 30000 if i == 2 else 100)])
    (tmp_path / "000007.tar").write_bytes(b"of an earlier run")
    shards = join_shards(parts, tmp_path, 25000)
    assert [count for _, count in shards] == [2, 1, 2] and not (tmp_path / "000007.tar").exists()
    assert [keys(tmp_path / name) for name, _ in shards] == [
        ["s0.json", "s1.json"],
        ["s2.json"],
        ["s3.json", "s4.json"],
    ]
    assert join_shards(parts, tmp_path, 1 << 20) == [("000000.tar", 5)]
    assert join_shards([], tmp_path, 1) == [] and not list(tmp_path.glob("0*.tar"))


# ---------------------------------------------------------------- processes
def test_a_job_that_kills_its_process_takes_no_other_along() -> None:
    found = dict(over_processes(killed_by_three, [str(i) for i in range(7)], 2))
    assert found == {str(i): None if i == 3 else {"twice": 2 * i} for i in range(7)}


def test_an_error_that_is_no_ones_input_ends_the_run() -> None:
    with pytest.raises(InputError, match="disk"):
        list(over_processes(refused, ["1", "2"], 1))


# ---------------------------------------------------------------- a recording
class Half:
    """A separator that knows the answer."""

    rate = RATE

    def __init__(self, vocal: Floats) -> None:
        self.answer = vocal

    def vocal(self, mix: Sound, step: object = None) -> Sound:
        return Audio(np.repeat(self.answer[None], 2, axis=0), mix.rate)


class Ears:
    rate = 16000

    def __init__(self, *words: str) -> None:
        self.words = words

    def hear(self, samples: Floats, language: str | None) -> tuple[str, list[list[tuple[str, float, float]]]]:
        return "en", [[(word, i + 0.5, i + 1.4) for i, word in enumerate(self.words)]]


def test_a_song_becomes_samples(tmp_path: Path) -> None:
    voice = read(EXAMPLES / "vocal.wav").mono()
    path = store(tmp_path / "song.flac", voice + strummed(len(voice) / RATE)[: len(voice)], subtype="PCM_16")
    words = ("sing", "me", "a", "song")
    encoder = ClipEncoder("debug")
    tools = Tools(Half(voice), [Ears(*words), Ears(*words, "no"), Ears(*words)], encoder)
    found = samples_of(path, "a/song.flac", "song", SETTINGS, tools)
    assert not isinstance(found, Drop)
    samples, drops, seconds = found
    assert len(samples) + len(drops) >= 1 and seconds == pytest.approx(len(voice) / RATE)
    row, arrays = samples[0].row, samples[0].arrays
    assert (row["text"], row["language"], row["kind"], row["source"]) == ("sing me a song", "en", "song", "a/song.flac")
    assert row["agreement"] == pytest.approx((4 + 1 / 3) / 5, abs=1e-3) and row["snr"] > 6
    assert set(row["tags"]) >= {"singing", "fullband"} and "major" in row["tags"]
    frames = len(arrays["hz"])
    assert frames == -int(-row["seconds"] * RATE // 1024)
    assert arrays["vocal"].shape == arrays["accomp"].shape == (frames, CHANNELS)
    assert arrays["content"].shape[1] == frames
    assert (arrays["phonemes"] >= 0).mean() > 0.9 and (arrays["hz"] > 0).mean() > 0.3
    split = Tools(Half(voice), [Ears("one", "two"), Ears("three", "four", "five")], encoder)
    nothing = samples_of(path, "a/song.flac", "song", SETTINGS, split)
    assert not isinstance(nothing, Drop) and not nothing[0]
    assert {drop.reason for drop in nothing[1]} <= {"recognisers disagree", "too short"}
    deaf = samples_of(path, "a/song.flac", "song", SETTINGS, Tools(Half(voice), [Ears()], encoder))
    assert not isinstance(deaf, Drop) and "no words" in {drop.reason for drop in deaf[1]}


def test_a_voice_alone_stays_as_it_is() -> None:
    voice = read(EXAMPLES / "vocal.wav").mono()
    tools = Tools(Half(0.97 * voice), [], ClipEncoder("debug"))
    found = samples_of(EXAMPLES / "vocal.wav", "vocal.wav", "x", SETTINGS, tools)
    assert not isinstance(found, Drop)
    row, arrays = found[0][0].row, found[0][0].arrays
    assert row["kind"] == "sung" and row["accomp"] is None and row["text"] is None and row["phonemes"] is None
    assert arrays["accomp"].size == 0 and (arrays["phonemes"] == -1).all()


def test_music_without_a_voice_is_dropped(tmp_path: Path) -> None:
    path = store(tmp_path / "band.wav", strummed(8.0))
    found = samples_of(path, "band.wav", "x", SETTINGS, Tools(None, [], ClipEncoder("debug")))
    assert isinstance(found, Drop) and found.reason == "no voice"
