"""Damaged files at every reader, for as long as UNISINGER_FUZZ_SECONDS says (600): one line, and nothing else."""

from __future__ import annotations

import itertools
import json
import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conftest import sung
from notation_files import READERS, refused_or_sound, song
from unisinger_cli import audio
from unisinger_cli.cli.jobs import arguments
from unisinger_cli.errors import UnisingerError
from unisinger_cli.notation.write import encoded
from unisinger_cli.pipeline.recall import recall
from unisinger_cli.pipeline.voicefile import read_voice
from unisinger_cli.stages.lyrics import read_lyrics

SECONDS = float(os.environ.get("UNISINGER_FUZZ_SECONDS", "600"))
ODD = (
    b"-1",
    b"1e999",
    b"NaN",
    b"9" * 30,
    b"1e-300",
    b'"x"',
    b"null",
    b"[]",
    b"[" * 2000,
    b"0",
    b"\xff\xff\xff\xff",
    b"\0",
)


def damaged(data: bytes, rng: random.Random) -> bytes:
    """Some bytes changed, cut, doubled, or replaced by what is rarely thought of."""
    body = bytearray(data)
    for _ in range(rng.randint(1, 5)):
        at = rng.randrange(len(body) + 1)
        end = min(len(body), at + rng.choice((0, 1, 2, 8, 60)))
        match rng.randrange(4):
            case 0:
                body[at:end] = rng.randbytes(end - at)
            case 1:
                del body[at:end]
            case 2:
                body[at:at] = body[at:end]
            case _:
                body[at:end] = rng.choice(ODD)
    return bytes(body)


def readers(folder: Path) -> dict[str, tuple[bytes, Callable[[bytes], Any]]]:
    """A good file of each kind, and what reads it."""
    from safetensors.numpy import save

    def through(name: str, read: Callable[[Path], Any]) -> Callable[[bytes], Any]:
        def call(data: bytes) -> Any:
            (folder / name).write_bytes(data)
            return read(folder / name)

        return call

    found: dict[str, tuple[bytes, Callable[[bytes], Any]]] = {}
    for kind in READERS:
        found[kind] = encoded(song(), kind), lambda data, kind=kind: refused_or_sound(kind, data)  # type: ignore[misc]
    lrc = encoded(song(), "lrc", words=True)
    found["lyrics"] = lrc, lambda data: read_lyrics(data.decode("utf-8", "replace"), "en")
    receipt: dict[str, Any] = {
        "schema": 2,
        "command": "song",
        "request": {"lyrics": "la", "ref": [], "sampler": {"seed": 1}},
    }
    receipt |= {"inputs": {}, "files": {"mix": {"path": "a.wav", "sha256": "0" * 64}}, "model": {"sha256": "0" * 64}}
    receipt |= {"bits": "24", "machine": {}, "versions": {}}
    found["receipt"] = json.dumps(receipt).encode(), through("r.json", recall)
    for suffix in (".wav", ".flac", ".mp3", ".ogg"):
        path = folder / f"good{suffix}"
        audio.write(path, sung(0.3, channels=2))
        audio.write_tags(path, suffix, {"TITLE": "a", "UNISINGER": "{}"})
        found[suffix] = path.read_bytes(), through(f"bad{suffix}", audio.read_record)
        found[f"sound {suffix}"] = path.read_bytes(), through(f"sound{suffix}", audio.read)
    voice = {"consent": "mine", "checkpoint": "0" * 64, "created": "2026-01-01", "recordings": []}
    about = {"format": "unisinger-voice", "version": "1", "voice": json.dumps(voice)}
    found["voice"] = save({"timbre": np.full(256, 1 / 16, np.float32)}, about), through("v.safetensors", read_voice)
    job = b'{"command": "song", "lyrics": "a.txt", "seed": 3, "output": "a.wav", "id": 7}'
    found["job"] = job, as_job
    return found


def as_job(data: bytes) -> list[str]:
    try:
        line = json.loads(data.decode("utf-8", "replace"))
    except (ValueError, RecursionError):  # told by whoever reads the lines
        return []
    return arguments(line)


def test_every_reader_takes_what_is_good(tmp_path: Path) -> None:
    for name, (good, read) in readers(tmp_path).items():
        assert read(good) is not False, name


@pytest.mark.torture
def test_every_reader_refuses_in_one_line(tmp_path: Path) -> None:
    rng, kinds = random.Random(time.time_ns()), readers(tmp_path)
    ends, tried = time.monotonic() + SECONDS, dict.fromkeys(kinds, 0)
    for name in itertools.cycle(kinds):
        if time.monotonic() > ends:
            break
        good, read = kinds[name]
        data = damaged(good, rng)
        tried[name] += 1
        try:
            read(data)
        except UnisingerError as error:
            assert "\n" not in error.message, (name, data)
        except BaseException as error:
            (Path(os.environ.get("TMPDIR", "/tmp")) / "unisinger-fuzz.bin").write_bytes(data)
            raise AssertionError(f"{name}: {type(error).__name__}: {error}; the file is unisinger-fuzz.bin") from error
    print(tried, sum(tried.values()))  # noqa: T201
