"""OpenAI's Whisper (arXiv 2212.04356) as a transcriber: words and their times from a recording."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from unisinger_cli.backends import weights
from unisinger_cli.errors import InputError, MissingExtra, ModelError
from unisinger_cli.types import Floats

RATE = 16000  # Hz


class Whisper:
    """A loaded network."""

    rate = RATE

    def __init__(self, model: Any) -> None:
        self._model = model

    def hear(self, samples: Floats, language: str | None) -> tuple[str, list[list[tuple[str, float, float]]]]:
        """The language, and a list of lines, each a list of (word, start, end) in seconds.

        `samples` is float32 [n] at 16 kHz. Decoding is greedy, without the random retries at higher
        temperature that the package does by default: the same input gives the same words. What was heard
        before is not given as context, since that makes it repeat itself over instrumental parts.
        """
        from whisper.tokenizer import LANGUAGES

        if language is not None and language not in LANGUAGES:
            raise InputError(f"the language {language!r} is not known to Whisper", "give a code such as en, de, zh")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it tells developers about fp16 and kernels
            heard = self._model.transcribe(
                samples,
                language=language,
                temperature=0.0,
                word_timestamps=True,
                condition_on_previous_text=False,
                fp16=self._model.device.type == "cuda",
                verbose=None,
            )
        return heard["language"], list(_lines(heard["segments"]))


def _lines(segments: list[Mapping[str, Any]]) -> Iterator[list[tuple[str, float, float]]]:
    for segment in segments:
        words = [(str(word["word"]), float(word["start"]), float(word["end"])) for word in segment.get("words", ())]
        if words:
            yield words


def require() -> None:
    """Raise MissingExtra unless the package is installed. Cheap: nothing is imported."""
    if find_spec("whisper") is None:
        raise MissingExtra("openai-whisper, which hears the words of a recording,", "transcribe")


def load(name: str, file: Path | None, device: Any) -> Whisper:
    """The transcriber `name` ("whisper-tiny" ...) on a torch `device`, from its pulled and verified weights,
    or from `file` where given.

    A file is read as plain tensors (nothing in it is run). Raises MissingExtra without the whisper package,
    ModelError where weights are missing, damaged or unfit.
    """
    path = weights.verified(name) if file is None else file
    if not path.is_file():
        raise ModelError(f"{path} does not exist", "give the .pt file of a Whisper model with --weights")
    import whisper

    try:
        model = whisper.load_model(str(path), device=device)
    except Exception as error:  # torch, zipfile, pickle and KeyError all speak of a damaged file here
        reason = (str(error) or type(error).__name__).splitlines()[0][:120]
        raise ModelError(f"{path} is not a Whisper model ({reason})", "give another --weights") from error
    heads = getattr(whisper, "_ALIGNMENT_HEADS", {}).get(name.removeprefix("whisper-"))
    if file is None and heads is not None:  # which attention heads follow time; only named models come with them
        model.set_alignment_heads(heads)
    return Whisper(model)
