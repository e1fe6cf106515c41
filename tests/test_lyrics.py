"""Lyrics as people write them, and what they sound like."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unisinger_cli.errors import InputError
from unisinger_cli.model.config import PHONEMES, VOWELS
from unisinger_cli.stages.lyrics import LANGUAGES, pronounce, read_lyrics


def said(text: str, language: str = "en") -> str:
    """Symbols with "." between syllables and a space between words."""
    return " ".join(".".join("".join(s) for s in word.syllables) for word in pronounce(text, language))


@pytest.mark.parametrize(
    ("text", "language", "sound"),
    [
        ("Hello world", "en", "hɛ.loʊ wɚld"),
        ("DON’T cry", "en", "doʊnt kɹaɪ"),
        ("'tis o'er", "en", "tɪz ɔɹ"),
        ("walkin'", "en", "wɔ.kɪn"),
        ("café", "en", "kæ.feɪ"),
        ("self-made", "en", "sɛlf meɪd"),
        ("J A R E K", "en", "dʒeɪ eɪ ɑɹ i keɪ"),
        ("singing", "en", "sɪŋ.ɪŋ"),
        ("21st", "en", "twɛn.ti fɚst"),
        ("Ｈｉ ²", "en", "haɪ tu"),
        ("3", "de", "dʁaɪ"),
        ("Straße", "de", "ʃtʁa.sə"),
        ("Zeit, Freude!", "de", "tsaɪt fʁɔɪ.də"),
        ("huis", "nl", "hœys"),
        ("5", "nl", "vɛif"),
        ("yağmur ışık", "tr", "ja.muɾ ɯ.ʃɯk"),
        ("IŞIK", "tr", "ɯ.ʃɯk"),
        ("さくら", "ja", "sa.kɯ.ɾa"),
        ("サクラ", "ja", "sa.kɯ.ɾa"),
        ("sakura", "ja", "sa.kɯ.ɾa"),
        ("きょうと", "ja", "kjo.ɯ.to"),
        ("nǐ hǎo", "zh", "ni xaʊ"),
        ("ni3 hao3 xue", "zh", "ni xaʊ ɕyɛ"),
    ],
)
def test_words_sound_as_they_should(text: str, language: str, sound: str) -> None:
    assert said(text, language) == sound


def test_an_unknown_word_is_guessed() -> None:
    assert said("zorblax").startswith("z")
    assert len(pronounce("flimberdoodle", "en")[0].syllables) in (3, 4)


def test_a_region_falls_to_its_language() -> None:
    assert pronounce("hello", "en-US") == pronounce("hello", "en") == pronounce("hello", "EN_gb")


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=30), st.sampled_from(LANGUAGES))
def test_any_text_is_words_or_one_error(text: str, language: str) -> None:
    try:
        words = pronounce(text, language)
    except InputError:
        return
    assert words
    for word in words:
        assert word.syllables
        for syllable in word.syllables:
            assert syllable and set(syllable) <= set(PHONEMES)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.sampled_from("bad tree strength over happening window people nation joyous fire".split()), min_size=1)
)
def test_every_syllable_has_one_nucleus(words: list[str]) -> None:
    for word in pronounce(" ".join(words), "en"):
        for syllable in word.syllables:
            where = [i for i, symbol in enumerate(syllable) if symbol in VOWELS]
            assert where == list(range(where[0], where[0] + len(where)))
            assert len(where) <= 2


@pytest.mark.parametrize(
    ("text", "hint"), [("♪ ♪", "letters"), ("...", "letters"), ("", "letters"), ("日本", "letters")]
)
def test_nothing_to_pronounce(text: str, hint: str) -> None:
    with pytest.raises(InputError, match="no pronounceable word") as caught:
        pronounce(text, "en")
    assert hint in caught.value.hint


def test_mandarin_in_characters_asks_for_pinyin() -> None:
    with pytest.raises(InputError) as caught:
        pronounce("你好", "zh")
    assert "pinyin" in caught.value.hint


@pytest.mark.parametrize(("text", "language"), [("1999", "de"), ("9" * 30, "en"), ("7", "tr")])
def test_numbers_that_cannot_be_read_out(text: str, language: str) -> None:
    with pytest.raises(InputError, match=text) as caught:
        pronounce(text, language)
    assert "as words" in caught.value.hint


def test_sections_and_blank_lines() -> None:
    lyrics = read_lyrics("\ufeffone\n\n[Verse 2]\r\ntwo\n♪\n[chorus]\nthree\n", "en-GB")
    assert [(line.text, line.section) for line in lyrics.lines] == [
        ("one", ""),
        ("two", "verse 2"),
        ("three", "chorus"),
    ]
    assert lyrics.language == "en"


def test_time_stamps_end_lines() -> None:
    text = "[ti:A song]\n[00:01.50]one\n[00:04.00]two\n[00:06.25]\n[01:10.5][00:20.00]again"
    lines = read_lyrics(text, "en").lines
    assert [(line.text, line.start, line.end) for line in lines] == [
        ("one", 1.5, 4.0),
        ("two", 4.0, 6.25),
        ("again", 20.0, 70.5),
        ("again", 70.5, None),
    ]


def test_half_stamped_lyrics_are_refused() -> None:
    with pytest.raises(InputError, match=r"words\.lrc.*'two'"):
        read_lyrics("[00:01.50]one\ntwo", "en", name="words.lrc")


def test_headings_alone_are_no_lyrics() -> None:
    with pytest.raises(InputError, match=r"words\.txt: no pronounceable word"):
        read_lyrics("[verse]\n\n[chorus]\n", "en", name="words.txt")


def test_unknown_language_is_named() -> None:
    with pytest.raises(InputError, match="'tlh'") as caught:
        read_lyrics("nuqneH", "tlh")
    assert "en" in caught.value.hint
