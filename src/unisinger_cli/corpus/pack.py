"""Recordings -> a *pack*, the folder that training reads: `index.jsonl`, `f0.npz` and Opus files in `audio/`."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from unisinger_cli.audio import read
from unisinger_cli.corpus.labels import labels
from unisinger_cli.corpus.manifest import Clip, read_manifest
from unisinger_cli.corpus.splits import split_of_clip
from unisinger_cli.errors import InputError
from unisinger_cli.stages.pitch import track
from unisinger_cli.types import Floats

Row = dict[str, Any]
NARROW = 32000  # Hz; recordings at lower rates have no treble


def tags_of_clip(clip: Clip) -> list[str]:
    """How the voice is used, whose it is, and how much treble the recording has."""
    sex = {"F": "female", "M": "male"}.get(clip.sex or "")
    kind = "speech" if clip.kind == "speech" else "singing"
    return [kind, "narrowband" if clip.source_rate < NARROW else "fullband", *([sex] if sex else [])]


def row_of_clip(clip: Clip, frame_rate: float, timed: bool = True) -> tuple[Row, Floats]:
    """Index row and F0 of one recording."""
    audio = read(clip.path)
    pitch = track(audio, frame_rate)
    spoken = labels(clip, timed)
    row: Row = {
        "id": clip.id,
        "kind": {"speech": "speech", "song": "song"}.get(clip.kind, "sung"),
        "speaker": clip.speaker,
        "split": split_of_clip(clip),
        "set": clip.set,
        "language": clip.language,
        "licence": clip.licence,
        "seconds": round(audio.seconds, 4),
        "source_rate": clip.source_rate,
        "vocal": f"audio/{clip.id}.opus",
        "accomp": None,
        "phonemes": None if spoken is None else [list(label) for label in spoken],
        "text": clip.text,
        "score": None,
        "notes": None,
        "tags": tags_of_clip(clip),
    }
    return row, pitch.hz


def _job(job: tuple[Clip, float, bool]) -> tuple[Row, Floats] | str:
    try:
        return row_of_clip(*job)
    except InputError as error:
        return f"{job[0].path}: {error.message}"


def pack_voices(
    corpus: Path,
    out: Path,
    *,
    frame_rate: float,
    workers: int,
    report: Callable[[str], None],
    wanted: Callable[[Clip], bool] = lambda clip: True,
    timed: bool = True,
) -> int:
    """Pack the recordings of a corpus; returns how many. Unreadable clips are reported and left out. Not `timed`:
    without the phoneme times that the corpus gives."""
    (out / "audio").mkdir(parents=True, exist_ok=True)
    clips = [clip for clip in read_manifest(corpus) if wanted(clip)]
    rows: list[Row] = []
    pitches: dict[str, Floats] = {}
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        jobs = [(clip, frame_rate, timed) for clip in clips]
        for clip, found in zip(clips, pool.map(_job, jobs, chunksize=16), strict=True):
            if isinstance(found, str):
                report(f"left out: {found}")
                continue
            row, pitches[clip.id] = found
            shutil.copyfile(clip.path, out / row["vocal"])
            rows.append(row)
            if len(rows) % 500 == 0:
                report(f"{len(rows)} of {len(clips)} clips")
    write_pack(out, rows, pitches)
    return len(rows)


def write_pack(out: Path, rows: Iterable[Row], pitches: dict[str, Floats]) -> None:
    """Index and F0 of a pack whose audio is in place; each file is written beside and renamed."""
    f0 = out / "f0.part.npz"
    np.savez(f0, **{name: hz.astype(np.float16) for name, hz in pitches.items()})  # type: ignore[arg-type]
    f0.replace(out / "f0.npz")
    write_index(out, rows)


def write_index(out: Path, rows: Iterable[Row]) -> None:
    index = out / "index.part.jsonl"
    index.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    index.replace(out / "index.jsonl")


def read_index(pack: Path) -> list[Row]:
    """All rows of a pack. Raises InputError where it has no index."""
    path = pack / "index.jsonl"
    if not path.is_file():
        raise InputError(f"{pack} is not a pack: it has no index.jsonl", "unisinger prepare makes packs")
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def apply_alignments(pack: Path, alignments: Path) -> int:
    """Write the times that the aligner found into a pack's index; returns how many clips got theirs."""
    found = {}
    for line in alignments.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        found[row["id"]] = row["spans"]
    rows = read_index(pack)
    for row in rows:
        if row["id"] in found:
            row["phonemes"] = found[row["id"]]
    write_index(pack, rows)
    return sum(row["id"] in found for row in rows)
