"""Captions in people's own words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unisinger_cli.errors import InputError
from unisinger_cli.model.config import TAGS
from unisinger_cli.stages.style import bpm_of, key_of, tags_of


@pytest.mark.parametrize(
    ("caption", "tags"),
    [
        ("", ""),
        ("a slow piano ballad, female singer", "ballad piano slow female"),
        ("Slow, sad piano ballad in A minor, 72 bpm", "ballad piano slow minor dark"),
        ("upbeat synth-pop at 128 BPM", "pop synth fast energetic"),
        ("not too fast, without piano, no drums", ""),
        ("fast at first, then slow", "slow"),
        ("a male tenor, gentle acoustic guitar", "acoustic guitar calm male"),
        ("slow jazz, 140 bpm", "jazz fast"),  # the number has authority
        ("Ein Lied in c-moll?", "classical minor"),
        ("bassoon and pianola", ""),  # parts of words are no words
    ],
)
def test_tags(caption: str, tags: str) -> None:
    assert set(tags_of(caption)) == set(tags.split())


@given(st.text(max_size=60))
def test_any_caption_gives_known_tags_without_opposites(caption: str) -> None:
    try:
        tags = tags_of(caption)
    except InputError:
        return
    assert set(tags) <= set(TAGS)
    assert len({"slow", "medium", "fast"} & set(tags)) <= 1


@pytest.mark.parametrize(
    ("caption", "bpm"),
    [("72 bpm", 72), ("at 120.5BPM", 120.5), ("tempo 90", 90), ("80 beats per minute", 80), ("top 40", None)],
)
def test_tempo(caption: str, bpm: float | None) -> None:
    assert bpm_of(caption) == bpm


def test_tempo_out_of_range() -> None:
    with pytest.raises(InputError, match="300"):
        bpm_of("300 bpm")


@pytest.mark.parametrize(
    ("caption", "key"),
    [
        ("in A minor", "A:min"),
        ("In C", "C:maj"),
        ("a waltz in E flat major", "Eb:maj"),
        ("key of f# minor", "F#:min"),
        ("rock in C#m", "Db:min"),
        ("D major, please", "D:maj"),
        ("in a band, in a dream", None),
        ("in E-flat", "Eb:maj"),
        ("a major success", None),
        ("", None),
    ],
)
def test_key(caption: str, key: str | None) -> None:
    assert key_of(caption) == key
