# ruff: noqa: E501 - a table
"""The table of what users, disks and strangers do to a command line: inputs that must be refused.

Each row: the exit code that the README promises, and the command line. Files of rows are made by `make_files`.
"""

from __future__ import annotations

import json
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from conftest import store, sung

Row = tuple[int, str]
DEBUG = "--checkpoint debug"


def _sounds(folder: Path) -> None:
    voice = sung(2.0).samples
    store(folder / "nan.wav", np.where(np.arange(voice.shape[1]) == 9, np.nan, voice))
    store(folder / "inf.wav", np.where(np.arange(voice.shape[1]) == 9, np.inf, voice))
    store(folder / "silent.wav", 0 * voice)
    store(folder / "offset.wav", 0 * voice + np.float32(0.5))
    store(folder / "none.wav", voice[:, :0])
    store(folder / "short.wav", voice[:, :9000])
    store(folder / "slow.wav", voice, 4000)
    store(folder / "fast.wav", voice, 384_000)
    store(folder / "loud.wav", voice * 1e6)
    store(folder / "many.wav", np.repeat(voice, 12, axis=0))
    whole = store(folder / "voice.wav", voice).read_bytes()
    (folder / "cut.wav").write_bytes(whole[:30])
    (folder / "liar.wav").write_bytes(whole[:4] + b"\xff" * 4 + whole[8:40] + b"\xff" * 4 + whole[44:60])
    (folder / "noise.wav").write_bytes(np.random.default_rng(0).bytes(4096))
    (folder / "noise.mp3").write_bytes(np.random.default_rng(1).bytes(4096))
    (folder / "noise.flac").write_bytes(b"fLaC" + np.random.default_rng(2).bytes(4096))
    (folder / "noise.ogg").write_bytes(b"OggS" + b"\0" * 4096)
    (folder / "noise.m4a").write_bytes(b"\0\0\0\x20ftypM4A " + b"\0" * 64)
    (folder / "page.wav").write_text("<html>404</html>")
    (folder / "empty.wav").touch()
    (folder / "folder.wav").mkdir()


BAD_SOUNDS = (
    "nan inf silent offset none short slow fast loud many cut liar noise page empty folder missing".split()
)  # fmt: skip


def _texts(folder: Path) -> None:
    (folder / "lyrics.txt").write_text("the morning comes\n")
    for name, data in {
        "empty.txt": b"", "blank.txt": b" \n\t\n", "binary.txt": bytes(range(256)), "utf16.txt": "la la".encode("utf-16"),
        "latin.txt": "schöne Grüße".encode("latin-1"), "null.txt": b"la\0la", "symbols.txt": b"!!! ??? ...",
        "headers.txt": b"[verse]\n[chorus]\n", "long.txt": b"la " * 3000, "huge.txt": b"la " * 500_000,
        "line.txt": b"la" * 400_000, "kanji.txt": "夜の海".encode(), "stamps.lrc": b"[00:01.00]la la\nla\n",
        "dense.lrc": b"[00:01.00]la la la la la la la la la\n[00:01.10]la\n", "far.lrc": b"[999:59.99]la\n",
        "back.lrc": b"[00:05.00]\n[00:01.00]\n", "number.txt": b"7" * 400,
    }.items():  # fmt: skip
        (folder / name).write_bytes(data)


BAD_TEXTS = "empty blank binary utf16 latin null symbols headers long huge far number".split()


def _plans(folder: Path) -> None:
    def mxl(name: str, entries: dict[str, bytes]) -> None:
        with zipfile.ZipFile(folder / name, "w", zipfile.ZIP_DEFLATED) as file:
            for path, data in entries.items():
                file.writestr(path, data)

    laughs = '<!DOCTYPE s [<!ENTITY a "lol">' + "".join(
        f'<!ENTITY {chr(98 + i)} "{"&" + chr(97 + i) + ";"}{"&" + chr(97 + i) + ";" * 9}">' for i in range(9)
    )
    container = b'<container><rootfiles><rootfile full-path="%s"/></rootfiles></container>'
    (folder / "laughs.musicxml").write_text(laughs + "]><score-partwise>&j;</score-partwise>")
    (folder / "outside.musicxml").write_text(
        '<!DOCTYPE s [<!ENTITY x SYSTEM "file:///etc/passwd">]><score-partwise>&x;</score-partwise>'
    )
    (folder / "deep.musicxml").write_text("<a>" * 20_000)
    (folder / "empty.musicxml").write_text("<score-partwise/>")
    (folder / "noise.musicxml").write_bytes(np.random.default_rng(3).bytes(999))
    mxl("bomb.mxl", {"META-INF/container.xml": container % b"s.xml", "s.xml": b"0" * 200_000_000})
    mxl("away.mxl", {"META-INF/container.xml": container % b"../../etc/passwd"})
    mxl("bare.mxl", {"a": b"b"})
    (folder / "noise.mxl").write_bytes(b"PK\3\4" + b"\0" * 99)
    (folder / "empty.mid").touch()
    (folder / "noise.mid").write_bytes(b"MThd" + np.random.default_rng(4).bytes(500))
    (folder / "huge.mid").write_bytes(b"MThd" + struct.pack(">IHHH", 6, 1, 1, 480) + b"MTrk" + b"\xff" * 4)
    (folder / "zero.mid").write_bytes(b"MThd" + struct.pack(">IHHH", 6, 0, 1, 0) + b"MTrk\0\0\0\4\0\xff\x2f\0")
    (folder / "still.mid").write_bytes(b"MThd" + struct.pack(">IHHH", 6, 0, 1, 96) + b"MTrk\0\0\0\4\0\xff\x2f\0")
    for name, text in {
        "empty": "", "list": "[]", "deep": "[" * 100_000, "deeper": '{"a":' * 50_000, "nan": '{"version": NaN}',
        "number": "1" * 10_000, "null": "null", "binary": "\0\1\2", "other": '{"format": "x"}',
        "bare": '{"format": "unisinger-plan", "version": 1}', "twice": '{"format": 1, "format": 2}',
        "request": '{"schema": 2, "command": "song", "request": {}}', "verb": '{"schema": 2, "command": "rm", "request": {}}',
        "old": '{"schema": 1, "command": "song", "request": {}}',
        "escape": '{"schema": 2, "command": "song", "request": {"ref": [{"path": "../../../etc/shadow"}]}}',
    }.items():  # fmt: skip
        (folder / f"{name}.json").write_text(text)
    plan: dict[str, Any] = {"format": "unisinger-plan", "version": 1, "language": "en", "seconds": 1e308, "lines": []}
    (folder / "endless.json").write_text(json.dumps(plan))


BAD_SCORES = (
    "laughs.musicxml outside.musicxml deep.musicxml empty.musicxml noise.musicxml bomb.mxl away.mxl bare.mxl noise.mxl "
    "empty.mid noise.mid huge.mid zero.mid still.mid".split()
)
BAD_JSON = (
    "empty list deep deeper nan number null binary other bare twice request verb old escape endless missing".split()
)


def _weights(folder: Path) -> None:
    def claim(name: str, header: bytes, size: int | None = None) -> None:
        (folder / name).write_bytes(struct.pack("<Q", len(header) if size is None else size) + header)

    claim("short.safetensors", b"{}", 10**9)
    claim("huge.safetensors", b"{}", 2**63)
    claim("plain.safetensors", b"{}")
    claim("deep.safetensors", b"[" * 50_000)
    vast = {"timbre": {"dtype": "F32", "shape": [10**12], "data_offsets": [0, 4 * 10**12]}}
    claim("vast.safetensors", json.dumps(vast).encode())
    about = {"format": "unisinger-voice", "version": "1", "voice": "{" * 1000}
    little: dict[str, Any] = {"timbre": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}, "__metadata__": about}
    header = json.dumps(little).encode()
    (folder / "mad.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + b"\0\0\xc0\x7f")
    (folder / "pickle.safetensors").write_bytes(b"\x80\x04\x95\x10\0\0\0\0\0\0\0\x8c\x02os\x94\x8c\x06system\x94.")
    (folder / "zip.safetensors").write_bytes(b"PK\3\4" + b"\0" * 99)
    (folder / "none.safetensors").touch()


BAD_WEIGHTS = "short huge plain deep vast mad pickle zip none missing".split()

NUMBERS = (
    "--seed -1", "--seed 9223372036854775808", "--seed x", "--seed 1.5", "--steps 0", "--steps 201", "--steps -3",
    "--steps 1e3", "--cfg -1", "--cfg 21", "--cfg nan", "--cfg inf", "--cfg-words 99", "--cfg-voice -0.1",
    "--cfg-accomp 1e99", "--temperature -0.1", "--temperature 2.1", "--temperature nan", "--threads 0",
    "--threads 99999", "--bits 8", "--bits 24.0",
)  # fmt: skip


def rows() -> list[Row]:
    """Everything that is refused before a model is loaded, with the exit code of each."""
    sung_by = f"song --lyrics lyrics.txt {DEBUG}"
    turned = f"--target voice.wav {DEBUG}"
    found: list[Row] = []
    found += [(3, f"{sung_by} --ref {name}.wav") for name in BAD_SOUNDS]
    found += [(3, f"convert {name}.wav {turned}") for name in BAD_SOUNDS]
    found += [(3, f"convert voice.wav --target {name}.wav {DEBUG}") for name in BAD_SOUNDS[::4]]
    found += [(3, f"convert noise.{kind} {turned}") for kind in ("mp3", "flac", "ogg", "m4a")]
    found += [(3, f"song --lyrics lyrics.txt --melody {name}.wav {DEBUG}") for name in BAD_SOUNDS[::2]]
    found += [(3, f"voice add a {name}.wav --consent mine {DEBUG}") for name in BAD_SOUNDS[::3]]
    found += [(3, f"inspect {name}.wav") for name in BAD_SOUNDS[::5]]
    found += [
        (3, f"report {name}")
        for name in ("empty.wav", "missing.wav", "folder.wav", "voice.wav", "noise.wav", "page.html", ".", "/")
    ]
    found += [(3, f"plan {name}{'.lrc' if name == 'far' else '.txt'} -o out.json") for name in BAD_TEXTS]
    found += [(3, f"song --lyrics lyrics.txt --melody {name} {DEBUG}") for name in BAD_SCORES]
    found += [(3, f"plan lyrics.txt --melody {name} -o out.json") for name in BAD_SCORES[::3]]
    found += [(3, f"song --plan {name}.json {DEBUG}") for name in BAD_JSON]
    found += [(3, f"replay {name}.json {DEBUG}") for name in BAD_JSON]
    found += [(3, f"report {name}.json") for name in BAD_JSON]
    found += [(3, f"inspect {name}.json") for name in ("empty", "list", "deep", "number", "null", "missing", "old")]
    found += [(3, f"batch {name}.json") for name in ("empty", "missing")]
    found += [(7, f"batch {name}.json") for name in ("list", "deep", "nan", "number", "null", "other", "verb")]
    found += [(3, f"{sung_by} --ref {name}.safetensors") for name in BAD_WEIGHTS]
    found += [(3, f"voice import {name}.safetensors") for name in BAD_WEIGHTS]
    found += [(4, f"song --lyrics lyrics.txt --checkpoint {name}.safetensors") for name in BAD_WEIGHTS]
    found += [(2, f"{sung_by} {given}") for given in NUMBERS]
    found += [(2, f"convert voice.wav {turned} {given}") for given in NUMBERS[::3]]
    found += [
        (2, f"{sung_by} --bpm 39"), (2, f"{sung_by} --bpm 241"), (2, f"{sung_by} --bpm nan"), (3, f"{sung_by} --key H"),
        (3, f"{sung_by} --language xx"), (2, f"{sung_by} --style"), (2, f"{sung_by} --export mp4"), (2, f"{sung_by} --take 9999 --takes 2 --dry-run"),
        (2, f"{sung_by} -o out.txt"), (2, f"{sung_by} -o out"), (3, f"{sung_by} -o none/out.wav"),
        (3, f"{sung_by} -o voice.wav"), (3, f"{sung_by} -o voice.wav/out.wav"), (3, f"{sung_by} -o /proc/out.wav"),
        (3, f"{sung_by} -o folder.wav"), (2, f"{sung_by} -o out.mp3 --bits 16"), (2, f"{sung_by} -o out.flac --bits float"),
        (2, "song"), (2, "convert"), (2, "convert voice.wav"), (2, "sing"), (2, f"{sung_by} --loudly"),
        (2, f"convert voice.wav {turned} --with-accomp --keep-accomp"), (2, f"convert voice.wav {turned} --transpose up"),
        (2, f"convert voice.wav {turned} --transpose 99"), (2, f"convert voice.wav {turned} --transpose nan"),
        (2, f"convert voice.wav {turned} -o voice.wav --force"), (6, "song --lyrics lyrics.txt --device toaster"),
        (6, "song --lyrics lyrics.txt --device cuda:99"), (2, f"{sung_by} --ref voice.wav:1,voice.wav:-1"),
        (3, f"{sung_by} --ref nobody"), (3, f"{sung_by} --ref anna:0.5,ben:0.5"), (2, f"{sung_by} --ref voice.wav:0,voice.wav:0"),
        (2, "voice add ../a voice.wav --consent mine"), (2, "voice add a voice.wav"), (3, "voice show nobody"),
        (3, "voice remove nobody"), (2, "voice remove ../../etc/passwd"), (3, "voice compare voice.wav nobody"),
        (3, "separate missing.wav"), (2, "models pull nonesuch"), (2, "batch jobs.jsonl --memory lots"), (2, "batch folder.wav"),
    ]  # fmt: skip
    return found


def make_files(folder: Path) -> None:
    """All that `rows` names."""
    _sounds(folder)
    _texts(folder)
    _plans(folder)
    _weights(folder)
    (folder / "jobs.jsonl").write_text('{"command": "song", "lyrics": "lyrics.txt", "output": "out.wav"}\n')
