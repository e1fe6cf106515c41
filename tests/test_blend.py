"""Blends: what `--ref anna:0.7,ben:0.3` means, and the voice that comes of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import Ran, store, sung
from test_voice import Run, done, saved
from unisinger_cli.cli import checks
from unisinger_cli.errors import InputError, ModelError, UsageError
from unisinger_cli.pipeline import voices
from unisinger_cli.pipeline.reference import reference
from unisinger_cli.pipeline.studio import Studio
from unisinger_cli.pipeline.voices import mean_voice
from unisinger_cli.requests import SongRequest, VoicePart, blend
from unisinger_cli.types import Timbre


@pytest.fixture(scope="module")
def debug() -> Studio:
    return Studio.open("debug")


@pytest.fixture
def two() -> None:
    voices.save(replace(saved("anna", 0, "debug"), median_midi=60.0))
    voices.save(replace(saved("ben", 1, "debug"), median_midi=48.0))


def weights(text: str) -> list[tuple[str, float]]:
    return [(part.path.stem, round(part.weight, 6)) for part in checks.voice(text)]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("anna", [("anna", 1)]),
        ("anna:3", [("anna", 1)]),
        ("anna:0.7,ben:0.3", [("anna", 0.7), ("ben", 0.3)]),
        (" anna : 7 , ben:3 ".replace(" : ", ":"), [("anna", 0.7), ("ben", 0.3)]),
        ("anna,ben", [("anna", 0.5), ("ben", 0.5)]),
        ("anna:1,ben:0", [("anna", 1), ("ben", 0)]),
        ("anna:1e-9,ben:1e-9", [("anna", 0.5), ("ben", 0.5)]),
        ("anna,anna,ben,ben", [("anna", 0.25), ("anna", 0.25), ("ben", 0.25), ("ben", 0.25)]),
    ],
)
def test_what_a_blend_means(two: None, text: str, parts: list[tuple[str, float]]) -> None:
    assert weights(text) == parts


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("anna:-1,ben:2", "weight of anna is -1"),
        ("anna:nan,ben:1", "weight of anna is nan"),
        ("anna:inf", "weight of anna is inf"),
        ("anna:1e9,ben:1", "from 0 to 1000"),
        ("anna:0,ben:0", "no part with a weight over 0"),
        ("anna:0", "no part with a weight over 0"),
        (",".join(["anna"] * 9), "9 parts, and at most 8"),
    ],
)
def test_weights_that_are_none(two: None, text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        checks.voice(text)


@pytest.mark.parametrize(
    "text", ["anna:0.5,nobody:0.5", "anna:much,ben:1", "nobody:1", ",", "", "C:\\none.wav:1,ben", ":1"]
)
def test_parts_that_are_not_there(two: None, text: str) -> None:
    with pytest.raises(InputError):
        checks.voice(text)


@pytest.mark.parametrize("name", ["anna:0.7,ben:0.3", "C:voice.wav", "take:2", "a,b.wav", "anna,ben"])
def test_a_file_that_exists_goes_before_a_blend(two: None, name: str, tmp_path: Path) -> None:
    path = store(tmp_path / "x.wav", sung(1.5).samples).rename(tmp_path / name)
    assert checks.voice(str(path)) == (VoicePart(path),)


def test_a_part_may_be_a_file_with_a_colon_in_its_name(two: None, tmp_path: Path) -> None:
    path = store(tmp_path / "x.wav", sung(1.5).samples).rename(tmp_path / "take:2")
    assert checks.voice(f"{path}:3,anna:1") == (VoicePart(path, 0.75), VoicePart(voices.path_of("anna"), 0.25))


def test_requests_check_their_voice() -> None:
    part = VoicePart(Path("a.wav"), 0.0)
    with pytest.raises(UsageError, match="over 0"):
        SongRequest("la", ref=(part,))
    with pytest.raises(UsageError, match="at most 8"):
        SongRequest("la", ref=(VoicePart(Path("a.wav")),) * 9)


@given(st.lists(st.floats(0, 1000), min_size=1, max_size=8).filter(any))
def test_weights_add_up_to_one(given_weights: list[float]) -> None:
    made = blend([VoicePart(Path("a"), weight) for weight in given_weights])
    assert sum(part.weight for part in made) == pytest.approx(1)
    assert all(0 <= part.weight <= 1 for part in made)


# ---------------------------------------------------------------- the voice that comes of it
def test_a_blend_with_nothing_of_the_second_is_the_first(two: None, debug: Studio) -> None:
    made, first = reference(debug, checks.voice("anna:1,ben:0")), voices.load("anna")
    assert np.array_equal(made.timbre.vector, first.timbre.vector) and made.median_midi == first.median_midi


def test_a_voice_with_itself_is_that_voice(two: None, debug: Studio) -> None:
    made, first = reference(debug, checks.voice("anna:0.2,anna:0.8")), voices.load("anna")
    assert np.allclose(made.timbre.vector, first.timbre.vector, atol=1e-6)
    assert made.median_midi == pytest.approx(first.median_midi)


@given(st.floats(0.01, 0.99))
def test_a_blend_lies_between(share: float) -> None:
    one, other = saved("anna", 0).timbre, saved("ben", 1).timbre
    made, midi = mean_voice([(one, 60.0, share), (other, 48.0, 1 - share)])
    assert np.linalg.norm(made.vector) == pytest.approx(1, abs=1e-5)
    assert midi == pytest.approx(60 * share + 48 * (1 - share))
    nearer = float(made.vector @ one.vector) > float(made.vector @ other.vector)
    assert nearer == (share > 0.5) or abs(share - 0.5) < 1e-3


def test_pitches_that_are_not_known_do_not_count() -> None:
    one, other = saved("anna", 0).timbre, saved("ben", 1).timbre
    assert mean_voice([(one, None, 0.9), (other, 48.0, 0.1)])[1] == pytest.approx(48)
    assert mean_voice([(one, None, 0.9), (other, None, 0.1)])[1] is None


def test_opposite_voices_cancel_out() -> None:
    one = saved().timbre
    with pytest.raises(InputError, match="cancel"):
        mean_voice([(one, None, 0.5), (Timbre(-one.vector), None, 0.5)])


def test_a_song_in_a_blend_tells_its_parts(two: None, unisinger: Run, tmp_path: Path) -> None:
    store(tmp_path / "me.wav", sung(1.5).samples)
    (tmp_path / "words.txt").write_text("la\n")
    flags = ("--lyrics", "words.txt", "--ref", "anna:3,me.wav:1", "--steps", 1, "--checkpoint", "debug")
    ran: Ran = unisinger("song", *flags, "-o", "song.wav")
    assert ran.code == 0, ran.err
    receipt = json.loads((tmp_path / "song.json").read_text())
    assert [receipt["inputs"][name]["path"] for name in ("ref 1", "ref 2")] == ["anna", "me.wav"]
    assert [part["weight"] for part in receipt["request"]["ref"]] == [0.75, 0.25]


# ---------------------------------------------------------------- saved
def test_a_saved_blend_is_the_blend(two: None, debug: Studio) -> None:
    assert done("blend", "duo", "anna:0.7,ben:0.3").exit_code == 0
    duo, made = voices.load("duo"), reference(debug, checks.voice("anna:0.7,ben:0.3"))
    assert np.array_equal(duo.timbre.vector, made.timbre.vector) and duo.median_midi == made.median_midi
    assert [(one.name, round(one.weight, 6)) for one in duo.parents] == [("anna", 0.7), ("ben", 0.3)]
    assert duo.consent.count('Anna said "yes", 2026') == 2 and "anna:" in duo.consent and "ben:" in duo.consent
    shown = done("show", "duo").stdout
    assert "70 %" in shown and duo.parents[1].sha256 in shown
    assert done("list").stdout.count("blend") == 1


def test_a_blend_needs_the_consent_of_all(two: None, tmp_path: Path) -> None:
    path = store(tmp_path / "me.wav", sung(1.5).samples)
    refused = done("blend", "duo", f"anna,{path}").exception
    assert isinstance(refused, InputError) and "voice add" in refused.hint and voices.names() == ["anna", "ben"]


def test_voices_of_different_checkpoints_do_not_blend(two: None) -> None:
    voices.save(saved("carl", 2, "d" * 64))
    assert isinstance(done("blend", "trio", "anna,carl").exception, ModelError)
