"""Lyrics as written -> lines of pronounced words: plain text, [section] headings, or LRC time stamps."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from unisinger_cli.errors import InputError
from unisinger_cli.model.config import VOWELS
from unisinger_cli.stages.phones import LEXICON_LANGUAGES, RULE_LANGUAGES, kana_to_romaji, word_phonemes
from unisinger_cli.types import LyricLine, Lyrics, Word

LANGUAGES = (*LEXICON_LANGUAGES, *RULE_LANGUAGES)
_GLIDES = frozenset("aɪ eɪ ɔɪ aʊ oʊ ɛi ɑu œy ɛɪ yɛ".split())  # two vowels, one nucleus
_ONSETS = frozenset(
    "pl pɹ pj bl bɹ bj tɹ tw tj dɹ dw dj kl kɹ kw kj gl gɹ gw fl fɹ fj θɹ θw sl sw sm sn sp st sk spl spɹ stɹ skɹ "
    "skw ʃɹ hj mj vj nj tʃ dʒ ts tɕ pf kn gn ʃt ʃp ʃl ʃm ʃn ʃv ʃʁ tʁ dʁ kʁ gʁ bʁ pʁ fʁ kv tsv ʃtʁ ʃpʁ ʃpl zw sx "
    "sxɹ".split()
)
_DIGITS = {
    "en": "zero one two three four five six seven eight nine".split(),
    "de": "null eins zwei drei vier fünf sechs sieben acht neun".split(),
    "nl": "nul een twee drie vier vijf zes zeven acht negen".split(),
}
_LETTERS = dict(
    zip(
        "abcdefghijklmnopqrstuvwxyz",
        "eɪ bi si di i ɛf dʒi eɪtʃ aɪ dʒeɪ keɪ ɛl ɛm ɛn oʊ pi kju ɑɹ ɛs ti ju vi dʌbəlju ɛks waɪ zi".split(),
        strict=True,
    )
)
_WRITE = {"zh": "write Mandarin in pinyin", "ja": "write Japanese in kana or romaji"}
_STAMP = re.compile(r"\[(\d{1,3}):(\d{1,2}(?:[.:]\d{1,3})?)\]")
_WORD_STAMP = re.compile(r"<\d{1,3}:\d{1,2}(?:[.:]\d{1,3})?>")  # of enhanced LRC; lines have times enough
_HEADING = re.compile(r"^\[([^\]\d:]{1,40}\d{0,2})\]$")
_TAG = re.compile(r"^\[(ti|ar|al|au|by|la|length|offset|re|ve|tool|#):?.*\]$", re.IGNORECASE)


def syllabify(phonemes: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """Split at the longest onset that can begin a word (maximal onset principle); one nucleus each.

    A word without a vowel ("hm", "nth") is one syllable; () stays ().
    """
    nuclei: list[tuple[int, int]] = []
    i = 0
    while i < len(phonemes):
        if phonemes[i] in VOWELS:
            glide = i + 1 < len(phonemes) and phonemes[i] + phonemes[i + 1] in _GLIDES
            nuclei.append((i, i + 1 + glide))
            i += 1 + glide
        else:
            i += 1
    if not nuclei:
        return (tuple(phonemes),) if phonemes else ()
    cuts = [0]
    for (_, left), (right, _) in pairwise(nuclei):
        start = right
        while start > left and (right - start < 1 or "".join(phonemes[start - 1 : right]) in _ONSETS):
            if phonemes[start - 1] == "ŋ":
                break
            start -= 1
        cuts.append(start)
    cuts.append(len(phonemes))
    return tuple(tuple(phonemes[a:b]) for a, b in pairwise(cuts))


def _number(digits: str, language: str) -> list[str]:
    """The words of "7", "1999" or "21st"."""
    if language == "en" and 1 < len(digits) < 14:
        import inflect

        return re.findall(r"[a-z]+", str(inflect.engine().number_to_words(digits, andword="")))
    names = _DIGITS.get(language)
    if names is None or len(digits) > 1:
        raise InputError(f"the number {digits} cannot be read out in {language!r}", "write numbers as words")
    return [names[int(digits)]]


def _tokens(text: str, language: str) -> list[str]:
    """Lower-case words; digits are left for `_number`."""
    text = unicodedata.normalize("NFKC", re.sub(r"[’‘`´]", "'", text))
    text = re.sub(r"\d", lambda digit: str(unicodedata.decimal(digit[0])), text)
    if language == "tr":
        text = text.replace("I", "ı").replace("İ", "i")
    if language == "ja":
        text = kana_to_romaji(text)
    text = text.lower()
    text = re.sub(r"(?<=\d)[.,](?=\d{3}\b)", "", text)
    if language == "zh":
        text = re.sub(r"(?<=[^\W\d_])[1-5]", "", text)  # tones written as ni3 hao3
    return re.findall(r"\d+(?:(?:st|nd|rd|th)\b)?|[^\W\d_]+(?:'[^\W\d_]+)*'?|'[^\W\d_]+(?:'[^\W\d_]+)*", text)


def _spell(token: str, language: str) -> list[Word]:
    if token[0].isdecimal():
        return [word for name in _number(token, language) for word in _spell(name, language)]
    if language == "en" and len(token) == 1 and token in _LETTERS and token not in "ai":
        return [Word(token, syllabify(tuple(_LETTERS[token])))]
    if token == "a" and language == "en":
        return [Word(token, (("ə",),))]
    syllables = syllabify(word_phonemes(token, language))
    return [Word(token, syllables)] if syllables else []


def _base(language: str) -> str:
    base = re.split("[-_]", language)[0].lower()
    if base not in LANGUAGES:
        raise InputError(f"language {language!r} is not known", f"use one of {', '.join(LANGUAGES)}")
    return base


def pronounce(text: str, language: str) -> tuple[Word, ...]:
    """Words of one line with their syllables, in the order in which they are sung.

    `language` is a code of LANGUAGES, with a region or not ("en-US"). Raises InputError for another language, for
    numbers that cannot be read out, and where nothing in the text can be pronounced.
    """
    base = _base(language)
    letters = re.fullmatch(r"\s*(?:[A-Za-z][\s,.]+)+[A-Za-z]?\s*", text) is not None
    words: list[Word] = []
    for token in _tokens(text, base):
        if letters and base == "en" and token in ("a", "i"):
            words.append(Word(token, syllabify(tuple(_LETTERS[token]))))  # a name spelled out
        else:
            words += _spell(token, base)
    if not words:
        hint = _WRITE.get(base, "write words with letters")
        raise InputError(f"no pronounceable word in {text.strip()[:40]!r}", hint)
    return tuple(words)


def _seconds(minutes: str, seconds: str) -> float:
    return 60 * int(minutes) + float(seconds.replace(":", "."))


def read_lyrics(text: str, language: str, *, name: str = "lyrics") -> Lyrics:
    """Lines of plain text or LRC. "[chorus]" on a line of its own names the section of the lines below it.

    Time stamps such as [00:12.50] start a line; the next stamp ends it. A line in which nothing can be pronounced (only
    symbols) is passed over. Raises InputError where no line is left.
    """
    language = _base(language)
    lines: list[LyricLine] = []
    section = ""
    problem: InputError | None = None
    for raw in text.splitlines():
        line = raw.strip().lstrip("\ufeff")
        stamps = [_seconds(*found) for found in _STAMP.findall(line)]
        line = _WORD_STAMP.sub("", _STAMP.sub("", line)).strip()
        heading = _HEADING.match(line)
        if heading:
            section = heading[1].strip().lower()
            continue
        if not line or _TAG.match(line):
            if stamps and lines and lines[-1].start is not None and lines[-1].end is None:
                lines[-1] = replace(lines[-1], end=stamps[0])
            continue
        try:
            words = pronounce(line, language)
        except InputError as error:
            if not error.message.startswith("no pronounceable word"):
                raise InputError(f"{name}: {error.message}", error.hint) from error
            problem = error
            continue
        begins: list[float | None] = [*stamps] or [None]
        lines += [LyricLine(line, words, section, start) for start in begins]
    if not lines:
        raise problem or InputError(f"{name}: no pronounceable word", "write words with letters")
    if any(line.start is not None for line in lines):
        lines = _timed(lines, name)
    return Lyrics(tuple(lines), language)


def _timed(lines: list[LyricLine], name: str) -> list[LyricLine]:
    untimed = [line for line in lines if line.start is None]
    if untimed:
        raise InputError(f"{name}: {untimed[0].text[:40]!r} has no time stamp, others have", "stamp all lines or none")
    lines = sorted(lines, key=lambda line: line.start if line.start is not None else 0.0)
    ends: list[float | None] = [*(line.start for line in lines[1:]), None]
    return [line if line.end is not None else replace(line, end=end) for line, end in zip(lines, ends, strict=True)]
