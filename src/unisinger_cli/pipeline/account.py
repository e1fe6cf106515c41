"""A receipt read back: what it says of a song or a conversion, as far as it can be believed.

Receipts are files like any other: somebody may have cut, changed or invented them. Every field that is used is checked
for its type and range; what is unknown is passed over.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unisinger_cli.audio import LONGEST_SECONDS
from unisinger_cli.errors import InputError
from unisinger_cli.types import Note

SCHEMAS = (2,)
MAX_BYTES = 16 << 20
MAX_ITEMS = 50_000  # of any list
_ROOTS = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")


@dataclass(frozen=True)
class SungWord:
    """A word and its notes, one or more a syllable. `line` is the text of its line where it begins one, else ""."""

    text: str
    notes: tuple[Note, ...]
    line: str = ""
    section: str = ""


@dataclass(frozen=True)
class Harmony:
    """A chord by its name, from `start` to `end` in seconds."""

    start: float
    end: float
    name: str


@dataclass(frozen=True)
class Account:
    """What a page tells of a receipt. `files` are names without folders; `facts` are shown in that order."""

    command: str
    title: str
    files: Mapping[str, str]
    inputs: Mapping[str, tuple[str, str]]  # name -> path as typed, sha256
    facts: Mapping[str, str]
    seconds: float
    scores: Mapping[str, float | None]
    notes: tuple[str, ...]
    checkpoint: str
    consent: str
    words: tuple[SungWord, ...] = ()
    chords: tuple[Harmony, ...] = ()


def clean(text: str) -> str:
    """Text that can be shown and stored: control characters, surrogates and marks that turn the direction of what
    follows become the replacement character."""
    return "".join(
        "\ufffd" if unicodedata.category(c) in ("Cc", "Cs") or c in "\u202a\u202b\u202c\u202d\u202e" else c
        for c in text.replace("\n", " ").replace("\t", " ")
    )


def read(path: Path) -> Account:
    """The account of a receipt in a file. Raises InputError for what is no receipt of ours."""
    try:
        if path.is_dir():
            raise InputError(f"{path} is a folder, not a receipt", "give the NAME.json beside a song")
        if not path.exists():
            hint = "give the NAME.json that lies beside a song or a conversion, or their NAME.wav"
            raise InputError(f"{path} does not exist", hint)
        if not path.is_file():
            raise InputError(f"{path} is not a regular file")
        if path.stat().st_size > MAX_BYTES:
            raise InputError(f"{path} has over {MAX_BYTES} bytes, which is no receipt")
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is no receipt (not UTF-8 at byte {error.start})") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    return parse(text, str(path))


def parse(text: str, name: str) -> Account:
    """The account of a receipt's text; `name` is what errors call it."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        reason = str(error).splitlines()[0][:100]
        raise InputError(f"{name} is no receipt ({reason})", "give the NAME.json beside a song") from error
    return _Fields(data, name, "").account()


class _Fields:
    """A JSON object whose fields are asked for by type; errors name the file and the field."""

    def __init__(self, data: Any, file: str, at: str) -> None:
        self.file, self.at = file, at
        if not isinstance(data, dict):
            raise self.wrong("" if at else "the whole", data, "an object")
        self.data: dict[str, Any] = data

    def wrong(self, key: str, value: Any, wanted: str) -> InputError:
        shown = clean(repr(value) if not isinstance(value, dict | list) else type(value).__name__)[:40]
        return InputError(f"{self.file} is no sound receipt: {self.at}{key} is {shown}, and must be {wanted}")

    def text(self, key: str, default: str | None = None) -> str:
        value = self.data.get(key, default)
        if not isinstance(value, str):
            raise self.wrong(key, value, "text")
        return value

    def number(self, key: str, low: float, high: float) -> float:
        value = self.data.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.wrong(key, value, "a number")
        if not low <= value <= high:  # NaN too; an int of any size compares
            raise self.wrong(key, value if isinstance(value, float) else "a number", f"from {low:g} to {high:g}")
        return float(value)

    def object(self, key: str) -> _Fields:
        return _Fields(self.data.get(key), self.file, f"{self.at}{key}.")

    def list(self, key: str) -> list[Any]:
        value = self.data.get(key)
        if not isinstance(value, list):
            raise self.wrong(key, value, "a list")
        if len(value) > MAX_ITEMS:
            raise self.wrong(key, value, f"of {MAX_ITEMS} items at most")
        return value

    def objects(self, key: str) -> Iterator[_Fields]:
        for i, item in enumerate(self.list(key)):
            yield _Fields(item, self.file, f"{self.at}{key}[{i}].")

    def account(self) -> Account:
        if self.data.get("schema") not in SCHEMAS or isinstance(self.data.get("schema"), bool):
            raise self.wrong("schema", self.data.get("schema"), " or ".join(map(str, SCHEMAS)))
        command = self.text("command")
        if command not in ("song", "convert"):
            raise self.wrong("command", command, "song or convert")
        made = self.object("files")
        files = {name: made.object(name)._name("path") for name in made.data}
        given = self.object("inputs")
        inputs = {name: (given.object(name).text("path"), given.object(name).text("sha256")) for name in given.data}
        plan = self.object("plan") if self.data.get("plan") is not None else None
        return Account(
            command=command,
            title=Path(self._name("output")).stem,
            files=files,
            inputs=inputs,
            facts=self._facts(plan),
            seconds=self.object("audio").number("seconds", 0, LONGEST_SECONDS + 60),
            scores=self._scores(),
            notes=tuple(note if isinstance(note, str) else str(note)[:200] for note in self.list("notes")),
            checkpoint=self.object("model").text("sha256"),
            consent=self.text("consent"),
            words=() if plan is None else tuple(plan._words()),
            chords=() if plan is None else tuple(plan.object("score")._chords()),
        )

    def _name(self, key: str) -> str:
        """The name of a file without its folder: what a receipt tells of lies beside it."""
        value = self.text(key)
        name = value.replace("\\", "/").rsplit("/", 1)[-1]
        if not name.strip(".") or len(name) > 255 or "\0" in name:  # where it is shown, it is cleaned
            raise self.wrong(key, value, "the name of a file")
        return name

    def _scores(self) -> dict[str, float | None]:
        given = self.object("scores")
        found = {name: None if value is None else given.number(name, -1e9, 1e9) for name, value in given.data.items()}
        for name in ("real_time_factor", "peak_memory_mib"):
            if self.data.get(name) is not None:
                found[name] = self.number(name, 0, 1e9)
        return found

    def _facts(self, plan: _Fields | None) -> dict[str, str]:
        asked, model = self.object("request"), self.object("model")
        seed = self.data.get("seed")
        if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < 2**63:
            raise self.wrong("seed", seed, "a number from 0 to 2**63")
        key = "ref" if self.text("command") == "song" else "target"
        parts = list(asked.objects(key)) if asked.data.get(key) else []
        voices = [(part.text("path"), part.number("weight", 0, 1000)) for part in parts]
        told = [path if len(voices) == 1 else f"{path} ({weight:g})" for path, weight in voices]
        found = {"voice": " + ".join(told) or "any (no reference was given)"}
        if key == "target":
            found["sung before in"] = asked.text("source")
        found["seed"] = str(seed)
        if plan is not None:
            score = plan.object("score")
            found["key"] = score.text("key").replace(":maj", " major").replace(":min", " minor")
            found["tempo"] = f"{score.number('bpm', 1, 1000):g} beats a minute"
        if asked.text("style", ""):
            found["style"] = asked.text("style")
        return found | {"model": f"{model.text('name')} on {self.object('machine').text('device')}"}

    def _words(self) -> Iterator[SungWord]:
        total = 0
        for line in self.objects("lines"):
            text, section = line.text("text"), line.text("section", "")
            for i, syllable in enumerate(line.objects("syllables")):
                notes = tuple(note._note() for note in syllable.objects("notes"))
                total += len(notes)
                if not notes or total > MAX_ITEMS:
                    raise syllable.wrong("notes", "none or too many", f"1 to {MAX_ITEMS} notes in all")
                yield SungWord(syllable.text("text"), notes, "" if i else text, "" if i else section)

    def _span(self) -> tuple[float, float]:
        start = self.number("start", -60, LONGEST_SECONDS)
        return start, self.number("end", start, LONGEST_SECONDS + 60)

    def _note(self) -> Note:
        return Note(*self._span(), self.number("midi", 0, 127))

    def _chords(self) -> Iterator[Harmony]:
        for chord in self.objects("chords"):
            root, bass = int(chord.number("root", 0, 11)), int(chord.number("bass", 0, 11))
            quality = {"maj": "", "min": "m"}.get(chord.text("quality"), chord.text("quality"))
            below = "" if bass == root else f"/{_ROOTS[bass]}"
            yield Harmony(*chord._span(), f"{_ROOTS[root]}{quality}{below}")
