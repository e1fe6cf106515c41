"""A recording to the words that are sung or spoken in it, with their times."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from unisinger_cli.audio import mono_at
from unisinger_cli.errors import InputError
from unisinger_cli.types import Audio, Floats

PAUSE = 0.8  # s of silence that starts a new line
UNSPACED = ("ja", "zh", "th", "lo", "my", "yue")  # languages written without spaces


@dataclass(frozen=True)
class HeardWord:
    """A word and when it sounds, in seconds."""

    text: str
    start: float
    end: float


@dataclass(frozen=True)
class Transcript:
    """What was heard: lines of words in time order, none empty. `language` is a code such as "en"."""

    language: str
    lines: tuple[tuple[HeardWord, ...], ...]


class Transcriber(Protocol):
    """What `transcribe` needs of a backend; `rate` in Hz is what it hears at."""

    @property
    def rate(self) -> int: ...

    def hear(self, samples: Floats, language: str | None) -> tuple[str, list[list[tuple[str, float, float]]]]:
        """Language, and lines of (word, start, end), from mono samples."""


def choose_transcriber(
    model: str = "whisper-base",
    *,
    weights: Path | None = None,
    device: str = "auto",
    threads: int | None = None,
) -> Transcriber:
    """The transcriber called `model`, from pulled weights or from the file `weights`. See
    `backends.whisper.load`.
    """
    from unisinger_cli.backends import device as devices
    from unisinger_cli.backends import whisper

    whisper.require()
    return whisper.load(model, weights, devices.pick(device, threads))


def transcribe(audio: Audio, transcriber: Transcriber, language: str | None = None) -> Transcript:
    """What is sung or spoken in `audio`; the language is guessed where it is not given.

    Raises InputError where no word was heard.
    """
    heard, lines = transcriber.hear(mono_at(audio, transcriber.rate), language)
    found = tuple(line for words in lines for line in _split([HeardWord(text.strip(), a, b) for text, a, b in words]))
    if not found:
        raise InputError("no word was heard in the recording", "take the vocal out first: unisinger separate IN")
    return Transcript(heard, found)


def _split(words: list[HeardWord]) -> list[tuple[HeardWord, ...]]:
    """One line, or several where the singer pauses; marks that are no words are left out."""
    lines: list[list[HeardWord]] = []
    for word in words:
        if not any(letter.isalnum() for letter in word.text):
            continue
        if lines and word.start - lines[-1][-1].end < PAUSE:
            lines[-1].append(word)
        else:
            lines.append([word])
    return [tuple(line) for line in lines]


# ---------------------------------------------------------------- as text
def _joined(transcript: Transcript, line: tuple[HeardWord, ...]) -> str:
    glue = "" if transcript.language in UNSPACED else " "
    return glue.join(word.text for word in line)


def as_text(transcript: Transcript) -> str:
    """The words alone, one line a line."""
    return "".join(_joined(transcript, line) + "\n" for line in transcript.lines)


def as_lrc(transcript: Transcript) -> str:
    """LRC: [mm:ss.xx] before each line, as `unisinger song --lyrics` reads it."""
    return "".join(f"[{_lrc(line[0].start)}]{_joined(transcript, line)}\n" for line in transcript.lines)


def as_srt(transcript: Transcript) -> str:
    """SubRip subtitles."""
    parts = []
    for number, line in enumerate(transcript.lines, start=1):
        parts.append(f"{number}\n{_srt(line[0].start)} --> {_srt(line[-1].end)}\n{_joined(transcript, line)}\n")
    return "\n".join(parts)


def as_data(transcript: Transcript) -> dict[str, Any]:
    """Everything, as one JSON-able object."""
    return {
        "language": transcript.language,
        "lines": [
            {
                "text": _joined(transcript, line),
                "start": line[0].start,
                "end": line[-1].end,
                "words": [{"text": word.text, "start": word.start, "end": word.end} for word in line],
            }
            for line in transcript.lines
        ],
    }


FORMATS: dict[str, Callable[[Transcript], str]] = {"txt": as_text, "lrc": as_lrc, "srt": as_srt}


def _lrc(seconds: float) -> str:
    hundredths = round(seconds * 100)
    return f"{hundredths // 6000:02d}:{hundredths // 100 % 60:02d}.{hundredths % 100:02d}"


def _srt(seconds: float) -> str:
    ms = round(seconds * 1000)
    return f"{ms // 3_600_000:02d}:{ms // 60_000 % 60:02d}:{ms // 1000 % 60:02d},{ms % 1000:03d}"
