"""What is said in a recording: phonemes from its text, and their times where the corpus gives them.

A label is [symbol, start, end] in seconds, with None for what the aligner has to find: of a word or a phrase whose
times are given, the first phoneme has its start and the last one its end. An untimed "_" marks where a pause may be.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from unisinger_cli.corpus.manifest import Clip
from unisinger_cli.errors import InputError
from unisinger_cli.model.config import VOWELS
from unisinger_cli.stages.lyrics import LANGUAGES, pronounce
from unisinger_cli.stages.transcribe import HeardWord

_CONSONANT = 0.08  # s that a consonant takes where it has the room
_REST = 0.1  # s between words from which nothing sounds

Label = tuple[str, float | None, float | None]


def labels(clip: Clip, timed: bool = True) -> list[Label] | None:
    """Phonemes of a recording in order, or None where its words are not known for sure. Not `timed`: without the times
    that the corpus gives, so that the aligner has to find them."""
    if clip.set == "vb_kumi_zh" and clip.oto:
        return None  # its aliases name parts of syllables, its text is of mixed notation
    if timed and clip.oto and clip.romaji:
        return _from_oto(clip)
    if clip.words or clip.phrases:
        return _within(clip.words or clip.phrases, clip.language)
    text = clip.text
    if not text or (clip.set == "alphanumeric" and "address" in clip.path.stem and re.search(r"\d\d", text)):
        return None  # a house number may have been read in several ways
    return _untimed(text, clip.language)


def _untimed(text: str, language: str) -> list[Label] | None:
    found: list[Label] = [("_", None, None)]
    try:
        words = pronounce(re.sub(r"(?<=\d)(?=\d)", " ", text) if language.startswith("en") else text, language)
    except InputError:
        return None
    for word in words:
        found += [(symbol, None, None) for syllable in word.syllables for symbol in syllable]
        found.append(("_", None, None))
    return found


def _within(spans: Sequence[tuple[float, float, str]], language: str) -> list[Label] | None:
    """Words or phrases (start, end, text): what is said between these times."""
    found: list[Label] = [("_", None, None)]
    for start, end, text in spans:
        said = _untimed(text, language)
        if said is None:
            return None
        said = said[1:-1]
        if said:
            said[0] = (said[0][0], start, said[0][2])
            said[-1] = (*said[-1][:2], end)
            found += [*said, ("_", None, None)]
    return found


def _from_oto(clip: Clip) -> list[Label]:
    """UTAU timings: the vowel of a syllable begins `offset + preutterance` ms into the clip, its consonant about
    `overlap` after the offset, and the sound holds until the next syllable's consonant.

    Not every syllable of a clip has an entry, and some have two names: what is between the labels is not known.
    """
    entries = sorted(clip.oto, key=lambda entry: entry[1] + entry[4])
    syllables: list[tuple[list[str], float, float, float]] = []
    for alias, offset, _, cutoff, preutterance, overlap in entries:
        kana = re.sub(r"[^ぁ-ヶー]+$", "", str(alias).split(" ")[-1])  # "ゆA3" of pitch A3; "R" is a rest
        vowel = (offset + preutterance) / 1000
        if not kana or (syllables and vowel - syllables[-1][2] < 0.05):
            continue
        symbols = [s for word in pronounce(kana, "ja") for syllable in word.syllables for s in syllable]
        consonant = vowel - min(0.12, max(0.04, (preutterance - overlap) / 1000))
        syllables.append((symbols, consonant, vowel, (offset - cutoff) / 1000))
    found: list[Label] = []
    last = 0.0
    for i, (symbols, consonant, vowel, end) in enumerate(syllables):
        if i + 1 < len(syllables):
            following = syllables[i + 1]
            end = min(end, following[1] if following[0][0] not in VOWELS else following[2])
        onset = next((k for k, s in enumerate(symbols) if s in VOWELS), len(symbols) - 1)
        start = max(consonant if onset else vowel, last)
        last = max(end, vowel + 0.05)
        found += _spread(symbols[:onset], start, vowel) + _spread(symbols[onset:], vowel, last)
    return found


def _spread(symbols: list[str], start: float, end: float) -> list[Label]:
    """The symbols in equal parts of start..end."""
    if not symbols or end <= start:
        return []
    step = (end - start) / len(symbols)
    return [(symbol, round(start + k * step, 4), round(start + (k + 1) * step, 4)) for k, symbol in enumerate(symbols)]


def of_words(words: Sequence[HeardWord], language: str, seconds: float) -> list[Label] | None:
    """Labels of a recording whose words have times: a guess within each word, where consonants are short and vowels
    share the rest evenly. None for a language that cannot be pronounced; words that cannot leave a gap.
    """
    if re.split("[-_]", language)[0].lower() not in LANGUAGES:
        return None
    found: list[Label] = []
    last = 0.0
    for word in words:
        start, end = max(word.start, last), min(word.end, seconds)
        if end <= start:
            continue
        if start - last >= _REST:
            found.append(("_", round(last, 4), round(start, 4)))
        last = end
        try:
            parts = pronounce(word.text, language)
        except InputError:
            continue
        symbols = [symbol for part in parts for syllable in part.syllables for symbol in syllable]
        vowels = sum(symbol in VOWELS for symbol in symbols)
        short = min(_CONSONANT, (end - start) / len(symbols)) if vowels else (end - start) / len(symbols)
        long = (end - start - short * (len(symbols) - vowels)) / max(1, vowels)
        at = start
        for symbol in symbols:
            ends = at + (long if symbol in VOWELS else short)
            found.append((symbol, round(at, 4), round(ends, 4)))
            at = ends
    if seconds - last >= _REST:
        found.append(("_", round(last, 4), round(seconds, 4)))
    return found if any(symbol != "_" for symbol, _, _ in found) else None
