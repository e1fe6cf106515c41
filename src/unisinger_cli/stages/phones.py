"""Pronunciation: a written word -> phonemes of `model.config.PHONEMES`, offline.

English, German and Dutch come from the lexicons and the CRF models of the `gruut-lang-*` data packages (MIT);
Turkish, romanised Japanese and pinyin from rules, since their spelling says how they sound.
"""

from __future__ import annotations

import base64
import re
import sqlite3
import unicodedata
from contextlib import closing
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any

from unisinger_cli.errors import MissingExtra
from unisinger_cli.model.config import PHONEMES

LEXICON_LANGUAGES = ("en", "de", "nl")
_KNOWN = frozenset(PHONEMES)
_SAME = {
    "ɡ": "g", "ɣ": "x", "χ": "x", "ɱ": "m", "ɫ": "l", "r": "ɾ", "ʀ": "ʁ", "ɒ": "ɑ", "ʏ": "y", "c": "k",
    "ɨ": "ɪ", "ʋ": "v", "ɸ": "f", "ɲ": "n", "ɝ": "ɚ", "ɜ": "ɚ", "ɵ": "ø", "ʂ": "ʃ", "ʐ": "ʒ", "ɟ": "g",
    "ɴ": "ŋ", "ɥ": "j",
}  # fmt: skip


def normalise(ipa: str) -> tuple[str, ...]:
    """One IPA phone, such as "ˈaɪ" or "d͡ʒ" -> inventory symbols, here a ɪ and d ʒ. Stress, length and ties go."""
    if ipa.startswith(("ɔʏ", "ˈɔʏ", "ˌɔʏ", "ɔø")):
        return ("ɔ", "ɪ")
    letters = [_SAME.get(c, c) for c in unicodedata.normalize("NFC", ipa)]
    return tuple(c for c in letters if c in _KNOWN)


def _folder(language: str) -> Path:
    try:
        module = import_module(f"gruut_lang_{language}")
    except ModuleNotFoundError as error:
        raise MissingExtra(f"the {language} pronunciation lexicon (gruut-lang-{language})", language) from error
    return Path(str(module.__file__)).parent


@lru_cache(maxsize=4)
def _lexicon(language: str) -> dict[str, str]:
    """word -> its first pronunciation. The data base has no index: reading it once beats a few look-ups."""
    path = _folder(language) / "lexicon.db"
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as base:
        base.execute("pragma temp_store = memory")  # sorting needs no disk
        return dict(base.execute("select word, phonemes from word_phonemes order by pron_order desc"))


@lru_cache(maxsize=4)
def _tagger(language: str) -> Any:
    import pycrfsuite

    tagger = pycrfsuite.Tagger()
    tagger.open(str(_folder(language) / "g2p" / "model.crf"))
    return tagger


def _guess(word: str, language: str) -> tuple[str, ...]:
    """Phones of a word that no lexicon has: a CRF over letters with three neighbours on either side."""
    letters = [base64.b64encode(c.encode()).decode() for c in word]
    features = []
    for i, letter in enumerate(letters):
        found = {"bias", f"grapheme:{letter}"}
        found |= {"begin"} if i == 0 else set()
        found |= {"end"} if i == len(letters) - 1 else set()
        for k in (1, 2, 3):
            found |= {f"grapheme-{k}:{letters[i - k]}"} if i >= k else set()
            found |= {f"grapheme+{k}:{letters[i + k]}"} if i + k < len(letters) else set()
        features.append(sorted(found))
    labels = [base64.b64decode(tag).decode() for tag in _tagger(language).tag(features)]
    labels = ["s" if letter == "ß" else label for letter, label in zip(word, labels, strict=True)]  # it knows no ß
    return tuple(s for label in labels if label != "_" for phone in label.split("|") for s in normalise(phone))


def _mended(phonemes: tuple[str, ...], word: str) -> tuple[str, ...]:
    """German diphthongs put right, which the lexicon and the model write in several ways ("zeit" as "t s a e t")."""
    sound = "".join(phonemes).replace("ɔɔɪ", "ɔɪ")
    if re.search("[ea][iy]", word):
        sound = re.sub("ae|ai|əi|əɪ", "aɪ", sound)
    if "au" in word:
        sound = sound.replace("ao", "aʊ")
    return tuple(sound)


def _plain(word: str) -> str:
    """The word without accents."""
    return "".join(c for c in unicodedata.normalize("NFD", word) if not unicodedata.combining(c))


@lru_cache(maxsize=20000)
def word_phonemes(word: str, language: str) -> tuple[str, ...]:
    """Phonemes of one lower-case word without spaces; () if it has no sound, or is written in another script."""
    if language == "de":
        return _mended(_looked_up(word, language), word)
    if language in LEXICON_LANGUAGES:
        return _looked_up(word, language)
    if language == "zh":  # tone marks go, the dots of ü stay
        word = unicodedata.normalize("NFD", word)
        word = unicodedata.normalize("NFC", re.sub("[\u0300\u0301\u0304\u030c]", "", word))
    return _by_rule(word, _RULES[language])


def _looked_up(word: str, language: str) -> tuple[str, ...]:
    """Phonemes by the lexicon, else by the model of unknown words."""
    bare = word.strip("'")
    for form in (word, word.capitalize(), bare, bare.capitalize(), _plain(bare)):
        phones = _lexicon(language).get(form)
        if phones:
            return tuple(s for phone in phones.split() for s in normalise(phone))
    if language == "en" and word.endswith("in'") and word[:-1] + "g" in _lexicon("en"):
        return (*word_phonemes(word[:-1] + "g", "en")[:-1], "n")  # walkin'
    letters = _plain(bare) if language == "en" else bare
    return _guess(letters, language) if re.search("[a-z]", _plain(bare)) else ()


# ---------------------------------------------------------------- spelling that says how it sounds
_TURKISH = {
    "a": "a", "b": "b", "c": "dʒ", "ç": "tʃ", "d": "d", "e": "e", "f": "f", "g": "g", "ğ": "", "h": "h",
    "ı": "ɯ", "i": "i", "j": "ʒ", "k": "k", "l": "l", "m": "m", "n": "n", "o": "o", "ö": "ø", "p": "p",
    "r": "ɾ", "s": "s", "ş": "ʃ", "t": "t", "u": "u", "ü": "y", "v": "v", "y": "j", "z": "z", "â": "a",
    "î": "i", "û": "u", "w": "v", "x": "ks", "q": "k",
}  # fmt: skip
_JAPANESE = {
    "a": "a", "i": "i", "u": "ɯ", "e": "e", "o": "o", "k": "k", "g": "g", "s": "s", "z": "z", "t": "t",
    "d": "d", "n": "n", "h": "h", "b": "b", "p": "p", "m": "m", "y": "j", "r": "ɾ", "w": "w", "f": "f",
    "v": "v", "j": "dʒ", "sh": "ɕ", "ch": "tɕ", "ts": "ts", "hy": "ç", "hi": "çi", "shi": "ɕi",
    "chi": "tɕi", "si": "ɕi", "ti": "tɕi", "tu": "tsɯ", "hu": "fɯ", "zi": "dʒi", "ji": "dʒi", "zy": "dʒ",
    "sy": "ɕ", "ty": "tɕ", "l": "ɾ",
}  # fmt: skip
_PINYIN = {
    "b": "p", "p": "p", "m": "m", "f": "f", "d": "t", "t": "t", "n": "n", "l": "l", "g": "k", "k": "k",
    "h": "x", "j": "tɕ", "q": "tɕ", "x": "ɕ", "zh": "tʃ", "ch": "tʃ", "sh": "ʃ", "r": "ʒ", "z": "ts",
    "c": "ts", "s": "s", "y": "j", "w": "w", "a": "a", "o": "o", "e": "ə", "i": "i", "u": "u", "v": "y",
    "ü": "y", "ai": "aɪ", "ei": "eɪ", "ao": "aʊ", "ou": "oʊ", "an": "an", "en": "ən", "ang": "ɑŋ",
    "eng": "əŋ", "ong": "ʊŋ", "er": "ɑɹ", "ia": "ja", "ie": "jɛ", "iao": "jaʊ", "iu": "joʊ",
    "ian": "jɛn", "in": "in", "iang": "jɑŋ", "ing": "iŋ", "iong": "jʊŋ", "ua": "wa", "uo": "wo",
    "uai": "waɪ", "ui": "weɪ", "uan": "wan", "un": "wən", "uang": "wɑŋ", "ve": "yɛ", "ue": "yɛ",
    "yi": "i", "wu": "u", "yu": "y", "yue": "yɛ", "yuan": "yɛn", "yun": "yn", "yan": "jɛn", "ye": "jɛ",
    "zi": "tsɯ", "ci": "tsɯ", "si": "sɯ", "zhi": "tʃɯ", "chi": "tʃɯ", "shi": "ʃɯ", "ri": "ʒɯ",
    "ju": "tɕy", "qu": "tɕy", "xu": "ɕy", "ying": "iŋ", "üe": "yɛ", "jue": "tɕyɛ", "que": "tɕyɛ",
    "xue": "ɕyɛ", "juan": "tɕyɛn", "quan": "tɕyɛn", "xuan": "ɕyɛn",
}  # fmt: skip
_RULES = {"tr": _TURKISH, "ja": _JAPANESE, "zh": _PINYIN}
RULE_LANGUAGES = tuple(_RULES)


def _by_rule(word: str, table: dict[str, str]) -> tuple[str, ...]:
    """Longest match from left to right; letters that the table lacks are passed over."""
    found: list[str] = []
    longest = max(map(len, table))
    i = 0
    while i < len(word):
        for size in range(min(longest, len(word) - i), 0, -1):
            sound = table.get(word[i : i + size])
            if sound is not None:
                found += sound
                i += size
                break
        else:
            i += 1
    return tuple(found)


_KANA_ROWS = {
    "": "あいうえお", "k": "かきくけこ", "g": "がぎぐげご", "s": "さしすせそ", "z": "ざじずぜぞ", "t": "たちつてと",
    "d": "だぢづでど", "n": "なにぬねの", "h": "はひふへほ", "b": "ばびぶべぼ", "p": "ぱぴぷぺぽ", "m": "まみむめも",
    "r": "らりるれろ",
}  # fmt: skip
_KANA = {kana: row + vowel for row, line in _KANA_ROWS.items() for kana, vowel in zip(line, "aiueo", strict=True)}
_KANA |= {"や": "ya", "ゆ": "yu", "よ": "yo", "わ": "wa", "を": "o", "ん": "n", "ゔ": "vu"}
_SMALL = dict(zip("ゃゅょぁぃぅぇぉ", ("ya", "yu", "yo", "a", "i", "u", "e", "o"), strict=True))


def kana_to_romaji(text: str) -> str:
    """Hiragana and katakana as romaji; small vowels replace the vowel before them; other letters stay."""
    out: list[str] = []
    for letter in unicodedata.normalize("NFKC", text):
        if "ァ" <= letter <= "ヴ":
            letter = chr(ord(letter) - 0x60)
        if letter in _SMALL and out:
            out[-1] = out[-1].rstrip("aiueo") + _SMALL[letter]
        else:
            out.append(_KANA.get(letter, "" if letter in "っー" else letter))
    return "".join(out)
