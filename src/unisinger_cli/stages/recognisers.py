"""Any number of recognisers, asked for the same recording: engines by name, the language, and the vote.

A package of anyone's adds an engine by an entry point of the group `unisinger.recognisers`: a function that takes the
name of a device ("cpu", "cuda:1") and returns a `stages.transcribe.Transcriber`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.metadata import entry_points
from pathlib import Path

from unisinger_cli.audio import mono_at
from unisinger_cli.errors import UsageError
from unisinger_cli.stages.transcribe import UNSPACED, HeardWord, Transcriber, choose_transcriber
from unisinger_cli.stages.vote import Verdict, vote
from unisinger_cli.types import Audio

GROUP = "unisinger.recognisers"
_WHISPER = "whisper"
_SIGN = re.compile(r"\w[ぁぃぅぇぉゃゅょっァィゥェォャュョッー\W]*")  # a character and the small kana that belong to it


def choose_recogniser(name: str, device: str = "auto", threads: int | None = None) -> Transcriber:
    """The engine `name`: "whisper-base" and its sisters (pulled weights), "whisper:FILE.pt", or an entry point.

    Raises UsageError for a name that nobody provides, and what `choose_transcriber` raises.
    """
    if name.startswith(f"{_WHISPER}:"):
        return choose_transcriber(_WHISPER, weights=Path(name.split(":", 1)[1]), device=device, threads=threads)
    if name.startswith(f"{_WHISPER}-"):
        return choose_transcriber(name, device=device, threads=threads)
    found = {point.name: point for point in entry_points(group=GROUP)}
    if name not in found:
        others = ", ".join(["whisper-tiny", "whisper-base", "whisper-small", "whisper:FILE.pt", *sorted(found)])
        raise UsageError(f"there is no recogniser {name!r}", f"use one of {others}")
    engine: Transcriber = found[name].load()(device)
    return engine


def hear(audio: Audio, engines: Sequence[Transcriber], language: str | None = None) -> tuple[str, Verdict]:
    """The language and the words of `audio`.

    A language that is not given is the one that most engines guess (a tie: the first one's); who guessed another is
    asked once more. Scripts without spaces are voted on character by character.
    """
    heard = [_ask(engine, audio, language) for engine in engines]
    guesses = [guess for guess, _ in heard]
    spoken = language if language is not None else max(guesses, key=guesses.count)
    for i, engine in enumerate(engines):
        if guesses[i] != spoken:
            heard[i] = _ask(engine, audio, spoken)
    split = spoken in UNSPACED
    return spoken, vote([[sign for word in words for sign in _signs(word)] if split else words for _, words in heard])


def _ask(engine: Transcriber, audio: Audio, language: str | None) -> tuple[str, list[HeardWord]]:
    samples = mono_at(audio, engine.rate)
    guess, lines = engine.hear(samples, language)
    words = [HeardWord(text.strip(), start, end) for line in lines for text, start, end in line]
    return guess, [word for word in words if any(letter.isalnum() for letter in word.text)]


def _signs(word: HeardWord) -> list[HeardWord]:
    """The characters of a word, in equal parts of its time."""
    signs: list[str] = _SIGN.findall(word.text)
    step = (word.end - word.start) / max(1, len(signs))
    return [HeardWord(s, word.start + i * step, word.start + (i + 1) * step) for i, s in enumerate(signs)]
