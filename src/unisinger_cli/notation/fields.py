"""Fields of a JSON document that anybody may have written: each is asked for by type and range, and an error names
the file, the place in it, the value and the limit."""

from __future__ import annotations

import json
import math
import unicodedata
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from unisinger_cli.errors import InputError


def data_of(path: Path, limit: int, what: str) -> bytes:
    """The bytes of a file of at most `limit`. Raises InputError for what is no such file; `what` it should be."""
    try:
        if path.is_dir():
            raise InputError(f"{path} is a folder, not {what}")
        if path.exists() and not path.is_file():
            raise InputError(f"{path} is not a regular file", f"give {what}")
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except FileNotFoundError:
        raise InputError(f"{path} does not exist", "check the path; quote it if it has spaces") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if len(data) > limit:
        raise InputError(f"{path} has over {limit >> 10} KiB, and {what} may have as many", "give a shorter song")
    if not data:
        raise InputError(f"{path} is empty", f"give {what}")
    return data


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice[:40]!r} stands twice in one object")
    return found


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


@dataclass(frozen=True)
class Field:
    """A value, and where it stands."""

    file: str
    place: str
    value: Any
    hint: str = ""

    @classmethod
    def parse(cls, data: bytes, file: str, hint: str) -> Field:
        """The document in `data`. Raises InputError for what is not UTF-8, not JSON, nested too deeply, says a name
        twice, or has NaN, infinity or a number of thousands of digits."""
        try:
            text = data.decode("utf-8-sig")
            return cls(file, "", json.loads(text, object_pairs_hook=_object, parse_constant=_no_number), hint)
        except UnicodeDecodeError as error:
            raise InputError(f"{file} is not UTF-8 text (byte {error.start} cannot be read)", hint) from error
        except RecursionError as error:
            raise InputError(f"{file} is nested too deeply", hint) from error
        except ValueError as error:
            raise InputError(f"{file} is not JSON that can be read ({error})", hint) from error

    def wrong(self, must: str) -> NoReturn:
        shown = repr(self.value) if isinstance(self.value, str | int | float) else type(self.value).__name__
        shown = shown if len(shown) <= 40 else shown[:40] + "..."
        raise InputError(f"{self.file}: {self.place or 'the document'} is {shown}, and must be {must}", self.hint)

    def has(self, name: str) -> bool:
        return isinstance(self.value, dict) and name in self.value

    def __getitem__(self, name: str) -> Field:
        if not isinstance(self.value, dict):
            self.wrong("an object")
        place = f"{self.place}.{name}" if self.place else name
        if name not in self.value:
            raise InputError(f"{self.file}: {place} is missing", self.hint)
        return Field(self.file, place, self.value[name], self.hint)

    def items(self, most: int, least: int = 0) -> Iterator[Field]:
        """The elements of a list of `least` to `most`."""
        if not isinstance(self.value, list):
            self.wrong("a list")
        if not least <= len(self.value) <= most:
            raise InputError(
                f"{self.file}: {self.place} has {len(self.value)} entries, and must have {least} to {most}", self.hint
            )
        return (Field(self.file, f"{self.place}[{i}]", value, self.hint) for i, value in enumerate(self.value))

    def number(self, low: float, high: float) -> float:
        value = self.value
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.wrong("a number")
        if not low <= value <= high or not math.isfinite(value):
            self.wrong(f"from {low:g} to {high:g}")
        return float(value)

    def whole(self, low: int, high: int) -> int:
        if isinstance(self.value, bool) or not isinstance(self.value, int) or not low <= self.value <= high:
            self.wrong(f"a whole number from {low} to {high}")
        return int(self.value)

    def text(self, longest: int) -> str:
        """A string of one line, without control characters."""
        if not isinstance(self.value, str) or len(self.value) > longest:
            self.wrong(f"a text of at most {longest} characters")
        broken = ("Cs", "Zl", "Zp")  # halves of letters, ends of lines
        if any((c < " " and c != "\t") or unicodedata.category(c) in broken for c in self.value):
            self.wrong("a text without control characters")
        return self.value

    def one_of(self, known: Collection[str]) -> str:
        if not isinstance(self.value, str) or self.value not in known:
            self.wrong(f"one of {' '.join(known)}")
        return self.value
