"""A receipt read back: what was asked for then, so that it can be done again. Receipts may come from anywhere."""

from __future__ import annotations

import json
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

from unisinger_cli import strict_json
from unisinger_cli.audio import read_record
from unisinger_cli.backends.weights import sha256_of
from unisinger_cli.errors import InputError, UsageError
from unisinger_cli.pipeline import voices
from unisinger_cli.pipeline.receipt import SCHEMA, asked, bare
from unisinger_cli.requests import ConvertRequest, Job, Request, SongRequest

MOST_BYTES = 1 << 24
VERBS: dict[str, type[SongRequest] | type[ConvertRequest]] = {"song": SongRequest, "convert": ConvertRequest}
SOUNDS = ("mix", "vocal", "accomp")
_HINT = "give the .json file that lies beside what unisinger made"


def read_receipt(path: Path) -> dict[str, Any]:
    """The JSON object in a receipt. Raises InputError for what is no receipt of this version."""
    try:
        with path.open("rb") as file:  # a device has no size, and /dev/zero has no end
            text = file.read(MOST_BYTES + 1)
        if len(text) > MOST_BYTES:
            raise InputError(f"{path} has over {MOST_BYTES} bytes, which is no receipt", _HINT)
        data = json.loads(text)
    except FileNotFoundError:
        raise InputError(f"{path} does not exist", "check the path; quote it if it has spaces") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not JSON ({str(error)[:80]})", _HINT) from error
    if not isinstance(data, dict) or "command" not in data or "request" not in data:
        raise InputError(f"{path} is not a receipt", _HINT)
    if data.get("schema") != SCHEMA:
        hint = "make it again with the version that it names, or with this one"
        raise InputError(f"{path} is a receipt of schema {data.get('schema')!r}, and this program reads {SCHEMA}", hint)
    return data


@dataclass(frozen=True)
class Receipt:
    """What is needed of a receipt to do the same again: `inputs` are the files as they are found now, by their names,
    `sounds` the sha256 of every audio file that was made."""

    request: Request
    inputs: Mapping[str, Path]
    model: str
    bits: str
    suffix: str
    sounds: Mapping[str, str]
    machine: Mapping[str, Any]
    versions: Mapping[str, Any]
    retaken: bool = False  # some lines were sung again, which the request does not tell


def recall(path: Path) -> Receipt:
    """A receipt of `song` or `convert`, with every input found and unchanged.

    Inputs are looked for where the receipt says, then beside the receipt; a saved voice by its name.
    Raises InputError for what is damaged, and where an input is missing or has changed.
    """
    data = read_receipt(path)
    where = _Object(path, data)
    verb = VERBS.get(where.text("command"))
    if verb is None:
        raise InputError(f"{path} is a receipt of {data['command']!r}, and song and convert can be done again", _HINT)

    def find(text: str) -> Path:
        return _found(path, text)

    try:
        request = _built(verb, _as_then(data["request"]), f"{path}: request", find)
    except UsageError as error:
        raise InputError(f"{path}: {error.message}", _HINT) from error
    inputs = {}
    for name, item in where.table("inputs").items():
        one = _Object(path, item if isinstance(item, dict) else {})
        if name != "lyrics":  # their text is in the request
            inputs[name] = _unchanged(path, name, find(one.text("path")), one.text("sha256"))
    files = where.table("files")
    sounds = {name: _Object(path, item).text("sha256") for name, item in files.items() if name in SOUNDS}
    suffix = Path(_Object(path, files.get("mix", {})).text("path")).suffix.lower()
    model = _Object(path, where.table("model")).text("sha256")
    asked = {str(place) for place in _asked(request)} - {str(place) for place in inputs.values()}
    if asked:
        raise InputError(f"{path}: {sorted(asked)[0]} is asked for and not among the inputs", _HINT)
    return Receipt(
        request,
        inputs,
        model,
        where.text("bits"),
        suffix,
        sounds,
        where.table("machine"),
        where.table("versions"),
        "retakes" in data,
    )


def _as_then(request: Any) -> Any:
    """A told request with what receipts did not tell while it was the same for all."""
    if not isinstance(request, dict) or not isinstance(request.get("sampler"), dict):
        return request  # what is wrong with it is said where it is built
    return request | {"sampler": {"temperature": 1.0} | request["sampler"]}


def _asked(request: Request) -> list[Path]:
    """The files that a request reads."""
    if isinstance(request, ConvertRequest):
        return [request.source, *(part.path for part in request.target)]
    given = [part.path for part in request.ref] + [request.melody, request.plan]
    return [path for path in given if path is not None]


# ---------------------------------------------------------------- is it done?
def done(job: Job, model: str) -> bool:
    """Whether a job's receipt and all its files are there, whole, and were made of just this by this model."""
    try:
        data = read_receipt(job.files["receipt"])
        made = data["files"]
        whole = all(sha256_of(path) == made[name]["sha256"] for name, path in job.files.items() if name in SOUNDS)
    except (InputError, OSError, KeyError, TypeError):
        return False
    others = (path for name, path in job.files.items() if name not in SOUNDS)
    return whole and all(path.is_file() for path in others) and _of(data, _wanted(job, model))


def begun(job: Job, model: str) -> bool:
    """Whether what lies where the mix of a job goes was made of just this: left by a run that was killed as it wrote,
    before the receipt was there."""
    try:
        data = json.loads(read_record(job.files["mix"]))
    except (InputError, ValueError, RecursionError):
        return False
    wanted = _wanted(job, model)
    return isinstance(data, dict) and _of(data, wanted | bare(wanted))


def _wanted(job: Job, model: str) -> dict[str, Any]:
    """What the receipt of a job will say of how it came about."""
    told: dict[str, Any] = json.loads(strict_json.dumps(asked(job)))
    return told | {"model": {"sha256": model}, "takes": job.takes}


def _of(data: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    if not isinstance(data.get("model"), dict) or data["model"].get("sha256") != wanted["model"]["sha256"]:
        return False
    takes = data["takes"] if isinstance(data.get("takes"), list) else [None]
    made = data.get("request")
    if wanted["takes"] > 1 and isinstance(made, dict) and isinstance(made.get("sampler"), dict):
        made = made | {"sampler": made["sampler"] | {"take": wanted["request"]["sampler"]["take"]}}  # the best is told
    same = all(data.get(name) == wanted[name] for name in ("command", "inputs", "bits"))
    return same and made == wanted["request"] and len(takes) == wanted["takes"] and "retakes" not in data


@dataclass(frozen=True)
class _Object:
    """A JSON object of a receipt, and how to get at its fields without trust."""

    path: Path
    data: Any

    def text(self, name: str) -> str:
        value = self.data.get(name) if isinstance(self.data, dict) else None
        if not isinstance(value, str) or not value or len(value) > 4096 or "\0" in value:
            raise InputError(f"{self.path} has no {name} that can be read", _HINT)
        return value

    def table(self, name: str) -> dict[str, Any]:
        value = self.data.get(name)
        if not isinstance(value, dict):
            raise InputError(f"{self.path} has no {name} that can be read", _HINT)
        return value


def _found(receipt: Path, text: str) -> Path:
    for place in (Path(text), receipt.parent / text):
        try:
            if place.is_file():
                return place
        except OSError:  # too long a name
            break
    return voices.path_of(text) if text in voices.names() else Path(text)


def _unchanged(receipt: Path, name: str, place: Path, sha256: str) -> Path:
    if not place.is_file():
        hint = f"put it there, or beside {receipt}"
        raise InputError(f"{place}, the {name} of {receipt}, is not there any more", hint)
    if sha256_of(place) != sha256:
        raise InputError(f"{place}, the {name} of {receipt}, has changed since", "put the file back that was used then")
    return place


# ---------------------------------------------------------------- JSON -> dataclasses
def _built(kind: Any, value: Any, where: str, find: Callable[[str], Path]) -> Any:
    """`value` as the type `kind` (of those that requests are made of); what is missing has its default.

    Raises InputError where it does not fit, and UsageError where a request refuses it.
    """
    if is_dataclass(kind) and isinstance(kind, type):
        if not isinstance(value, dict):
            raise InputError(f"{where} is {_brief(value)}, and must be an object", _HINT)
        hints = get_type_hints(kind)
        unknown = set(value) - set(hints)
        if unknown:
            raise InputError(f"{where} has {sorted(unknown)[0][:40]!r}, which this version does not know", _HINT)
        given = {name: _built(hints[name], item, f"{where}.{name}", find) for name, item in value.items()}
        missing = [f.name for f in fields(kind) if f.name not in given and f.default is f.default_factory]
        if missing:
            raise InputError(f"{where} has no {missing[0]}", _HINT)
        return kind(**given)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        if value is None and type(None) in arguments:
            return None
        return _built(next(one for one in arguments if one is not type(None)), value, where, find)
    if origin is tuple:
        if not isinstance(value, list) or len(value) > 1000:
            raise InputError(f"{where} is {_brief(value)}, and must be a list", _HINT)
        return tuple(_built(arguments[0], item, f"{where}[{i}]", find) for i, item in enumerate(value))
    return _plain(kind, value, where, find)


def _plain(kind: Any, value: Any, where: str, find: Callable[[str], Path]) -> Any:
    if kind is Path and isinstance(value, str) and 0 < len(value) <= 4096 and "\0" not in value:
        return find(value)
    if kind is float and isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300:
        return float(value)
    if kind in (str, bool, int) and type(value) is kind:
        return value
    raise InputError(f"{where} is {_brief(value)}, and must be {kind.__name__}", _HINT)


def _brief(value: Any) -> str:
    text = repr(value) if not isinstance(value, int) or abs(value) < 10**20 else "a huge number"
    return text if len(text) <= 40 else text[:37] + "..."
