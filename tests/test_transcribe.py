"""`transcribe`: the words of a recording and their times."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import Run, store, sung
from toys import tiny_whisper
from unisinger_cli.errors import InputError, ModelError
from unisinger_cli.stages import transcribe as stage
from unisinger_cli.stages.lyrics import read_lyrics
from unisinger_cli.types import Audio, Floats

Lines = list[list[tuple[str, float, float]]]


class Heard:
    """A transcriber that has heard this before."""

    rate = 16000

    def __init__(self, lines: Lines, language: str = "en") -> None:
        self.lines, self.language = lines, language
        self.samples: Floats | None = None

    def hear(self, samples: Floats, language: str | None) -> tuple[str, Lines]:
        self.samples = samples
        return language or self.language, self.lines


LINES: Lines = [
    [(" Hello", 1.0, 1.4), (" world", 1.5, 2.0), (" -", 2.0, 2.1), (" again,", 3.5, 4.0)],
    [(" Goodbye", 61.25, 62.0)],
]


def heard(lines: Lines = LINES, language: str = "en") -> stage.Transcript:
    return stage.transcribe(sung(1.0), Heard(lines, language))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_whisper(tmp_path_factory.mktemp("weights") / "toy.pt")


# ---------------------------------------------------------------- lines and formats
def test_the_recording_is_heard_as_mono_at_the_rate_of_the_network() -> None:
    ears = Heard(LINES)
    stage.transcribe(Audio(np.stack([np.ones(44100), np.zeros(44100)]).astype(np.float32), 44100), ears)
    assert ears.samples is not None and ears.samples.shape == (16000,) and ears.samples.dtype == np.float32
    assert np.median(ears.samples) == pytest.approx(0.5, abs=0.01)


def test_a_pause_starts_a_line_and_a_dash_is_no_word() -> None:
    assert stage.as_text(heard()) == "Hello world\nagain,\nGoodbye\n"


def test_lrc() -> None:
    assert stage.as_lrc(heard()) == "[00:01.00]Hello world\n[00:03.50]again,\n[01:01.25]Goodbye\n"


def test_srt() -> None:
    assert stage.as_srt(heard()) == (
        "1\n00:00:01,000 --> 00:00:02,000\nHello world\n\n"
        "2\n00:00:03,500 --> 00:00:04,000\nagain,\n\n"
        "3\n00:01:01,250 --> 00:01:02,000\nGoodbye\n"
    )


def test_data_has_every_word_with_its_times() -> None:
    data = stage.as_data(heard())
    assert data["language"] == "en"
    assert data["lines"][0] == {
        "text": "Hello world",
        "start": 1.0,
        "end": 2.0,
        "words": [
            {"text": "Hello", "start": 1.0, "end": 1.4},
            {"text": "world", "start": 1.5, "end": 2.0},
        ],
    }


def test_languages_without_spaces_are_joined_without() -> None:
    assert stage.as_text(heard([[("你", 0.0, 0.2), ("好", 0.2, 0.4)]], "zh")) == "你好\n"


@pytest.mark.parametrize("lines", [[], [[("...", 0.0, 1.0)]], [[]]])
def test_no_words_is_an_error(lines: Lines) -> None:
    with pytest.raises(InputError, match="no word"):
        heard(lines)


@given(st.floats(0, 20 * 60))
def test_times_never_read_sixty_seconds(seconds: float) -> None:
    line = heard([[("la", seconds, seconds + 0.1)]])
    minutes, rest = stage.as_lrc(line)[1:].split("]")[0].split(":")
    assert float(rest) < 60 and int(minutes) * 60 + float(rest) == pytest.approx(seconds, abs=0.0051)
    clock, ms = stage.as_srt(line).splitlines()[1].split(" ")[0].split(",")
    hours, minutes, rest = clock.split(":")
    assert int(hours) * 3600 + int(minutes) * 60 + int(rest) + int(ms) / 1000 == pytest.approx(seconds, abs=6e-4)


def test_the_lrc_is_what_song_reads() -> None:
    read = read_lyrics(stage.as_lrc(heard()), "en")
    assert [line.start for line in read.lines] == pytest.approx([1.0, 3.5, 61.25])
    assert [word.text.strip(",").lower() for word in read.lines[0].words] == ["hello", "world"]


# ---------------------------------------------------------------- the backend and the command
def test_command_with_a_model_of_ones_own(unisinger: Run, model: Path, tmp_path: Path) -> None:
    store(tmp_path / "take.wav", sung(4.0).samples)
    done = unisinger("transcribe", "take.wav", "--weights", model, "--language", "en", "--json")
    assert done.code == 0, done.err
    lines = done.json["lines"]
    times = [word[side] for line in lines for word in line["words"] for side in ("start", "end")]
    assert done.json["language"] == "en" and times == sorted(times) and times[0] >= 0 and times[-1] <= 30
    asked = ("transcribe", "take.wav", "--weights", model, "--language", "en", "-o", "words.srt")
    again = unisinger(*asked)
    assert (again.code, again.out) == (0, "words.srt\n")
    text = (tmp_path / "words.srt").read_text()
    assert text.count("-->") == len(lines)
    assert all(line["text"] in text for line in lines), "the same input gives the same words"


def test_what_is_asked_is_checked_before_anything_loads(unisinger: Run, tmp_path: Path) -> None:
    store(tmp_path / "take.wav", sung(1.0).samples)
    (tmp_path / "words.txt").write_text("mine")
    assert unisinger("transcribe", "take.wav", "-o", "words.pdf").code == 2
    taken = unisinger("transcribe", "take.wav", "-o", "words.txt")
    assert taken.code == 3 and "--force" in taken.err
    assert (tmp_path / "words.txt").read_text() == "mine"
    assert unisinger("transcribe", "none.wav").code == 3


def test_without_weights_it_names_the_command(unisinger: Run, tmp_path: Path) -> None:
    pytest.importorskip("whisper")
    store(tmp_path / "take.wav", sung(1.0).samples)
    done = unisinger("transcribe", "take.wav", "--model", "tiny")
    assert done.code == 4 and "hint: unisinger models pull whisper-tiny" in done.err


@pytest.mark.parametrize("what", ["absent", "garbage", "other"])
def test_a_file_that_is_no_model(what: str, model: Path, tmp_path: Path) -> None:
    import torch

    path = tmp_path / "own.pt"
    if what == "garbage":
        path.write_bytes(model.read_bytes()[:5000])
    if what == "other":
        torch.save({"weights": torch.zeros(3)}, path)
    with pytest.raises(ModelError, match=r"own\.pt"):
        stage.choose_transcriber(weights=path)


def test_a_pickle_is_not_run(model: Path, tmp_path: Path) -> None:
    import pickle

    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (Path(tmp_path / "exploded"),)  # type: ignore[return-value]

    path = tmp_path / "bomb.pt"
    path.write_bytes(pickle.dumps(Bomb(), protocol=2))
    with pytest.raises(ModelError):
        stage.choose_transcriber(weights=path)
    assert not (tmp_path / "exploded").exists()


def test_an_unknown_language(model: Path) -> None:
    with pytest.raises(InputError, match="klingon"):
        stage.transcribe(sung(1.0), stage.choose_transcriber(weights=model), "klingon")
