"""A judge of anyone's, in a process of its own: its packages, its weights and its licence stay with it.

It is a command that talks in lines of JSON. First it says what it is:

    {"judge": "wavlm", "hears": "voice", "answers": "vector", "rate": 16000}

`hears` is "voice" (the vocal alone) or "song" (the mix); `answers` is one of

    vector   {"vector": [0.1, ...]}                one for each sound: who sings, or what it is like
    frames   {"frames": [[0.1, ...], ...]}         many for each sound, of which a collection is made
    scores   {"scores": {"beauty": 3.2, ...}}      what it thinks of the sound, by name
    text     {"text": "the words that it heard"}

Then it answers each line that it is given with one line: {"sound": "/a/file.wav"} (mono, 16 bits, at `rate` Hz), and,
where it said "captions": true, {"caption": "a ballad"} with a vector that those of sounds can be held against.
Nothing is trained by it, nothing of it is loaded here, and no file that it brings is opened here.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np

from unisinger_cli.audio import mono_at, write
from unisinger_cli.errors import ModelError
from unisinger_cli.types import Audio, Floats

HEARS = ("voice", "song")
ANSWERS = ("vector", "frames", "scores", "text")
RATES = (4000, 192000)  # Hz
GRACE = 10.0  # s that a judge has to end in


class Juror:
    """A running judge; close it, or use it in a `with`.

    Raises ModelError, from the beginning or at any question, where it does not run, ends, or says what cannot be used.
    """

    def __init__(self, command: str) -> None:
        if not command.strip():
            raise ModelError("the judge has no command", "give --judge a command")
        self.command = command
        self._folder = tempfile.TemporaryDirectory(prefix="unisinger-judge-")
        self._told = (Path(self._folder.name) / "stderr").open("w+", encoding="utf-8", errors="replace")
        try:
            self._process = subprocess.Popen(
                shlex.split(command),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._told,
                text=True,
                encoding="utf-8",
            )
        except (OSError, ValueError) as error:  # ValueError: an open quotation mark
            self._tidy()
            reason = getattr(error, "strerror", None) or str(error)
            raise ModelError(f"the judge {command!r} cannot be run: {reason}", "give --judge a command") from error
        try:
            self._introduce(self._line())
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Juror:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def hear(self, audio: Audio) -> Floats | dict[str, float] | str:
        """What it says of a sound: float32 [d] or [n, d], numbers by name, or words."""
        path = Path(self._folder.name) / "sound.wav"
        write(path, Audio(mono_at(audio, self.rate)[None], self.rate), "16")
        answer = self._ask({"sound": str(path)})[self.answers]
        if self.answers == "text":
            return str(answer)
        if self.answers == "scores":
            return {str(name): self._number(value) for name, value in dict(answer).items()}
        return self._array(answer, 1 if self.answers == "vector" else 2)

    def read(self, caption: str) -> Floats:
        """What it makes of a text: float32 [d], comparable to that of sounds."""
        return self._array(self._ask({"caption": caption}, "vector")["vector"], 1)

    def close(self) -> None:
        """End the process, and what it was lent."""
        self._process.terminate()
        try:
            self._process.communicate(timeout=GRACE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
        self._tidy()

    def _tidy(self) -> None:
        self._told.close()
        self._folder.cleanup()

    def _introduce(self, said: Mapping[str, Any]) -> None:
        self.name = str(said.get("judge", "")).strip()
        self.hears: Literal["voice", "song"] = said.get("hears", "")
        self.answers: str = said.get("answers", "")
        self.rate: int = said.get("rate", 0)
        self.captions = said.get("captions") is True
        right = self.name and self.hears in HEARS and self.answers in ANSWERS
        if not right or type(self.rate) is not int or not RATES[0] <= self.rate <= RATES[1]:
            wanted = f"judge, hears ({' or '.join(HEARS)}), answers ({', '.join(ANSWERS)}) and rate (Hz)"
            raise self._unfit(f"says of itself {json.dumps(said)[:120]}; wanted are {wanted}")

    def _ask(self, question: Mapping[str, str], wanted: str | None = None) -> dict[str, Any]:
        stream: IO[str] = self._process.stdin  # type: ignore[assignment]
        try:
            stream.write(json.dumps(question) + "\n")
            stream.flush()
        except OSError:
            raise self._ended() from None
        answer = self._line()
        wanted = wanted or self.answers
        if not isinstance(answer.get(wanted), {"text": str, "scores": dict}.get(wanted, list)):
            raise self._unfit(f"answers {json.dumps(answer)[:120]}; wanted is {wanted}")
        return answer

    def _line(self) -> dict[str, Any]:
        stream: IO[str] = self._process.stdout  # type: ignore[assignment]
        try:
            line = stream.readline()
            if not line:
                raise self._ended()
            answer = json.loads(line)
        except ValueError:  # no JSON, or no UTF-8
            raise self._unfit(f"says {line.strip()[:120]!r}, which is no line of JSON") from None
        if not isinstance(answer, dict):
            raise self._unfit(f"says {line.strip()[:120]!r}, which is no JSON object")
        return answer

    def _array(self, numbers: list[Any], dimensions: int) -> Floats:
        try:
            found = np.asarray(numbers, dtype=np.float32)
        except (TypeError, ValueError):
            raise self._unfit("answers rows of different lengths, or what is no number") from None
        if found.ndim != dimensions or not found.size or not np.isfinite(found).all():
            raise self._unfit(f"answers an array of shape {found.shape}, or of numbers that are not finite")
        return found

    def _number(self, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
            raise self._unfit(f"gives the score {value!r}, which is no finite number")
        return float(value)

    def _ended(self) -> ModelError:
        try:
            code = self._process.wait(GRACE)
        except subprocess.TimeoutExpired:
            return self._unfit("closed its output, and goes on")
        self._told.seek(0)
        last = self._told.read().strip().splitlines()[-1:] or ["it said nothing"]
        return self._unfit(f"ended with exit code {code}: {last[0][:200]}")

    def _unfit(self, what: str) -> ModelError:
        return ModelError(
            f"the judge {self.command!r} {what}", "examples/judges/README.md tells what a judge has to say"
        )
