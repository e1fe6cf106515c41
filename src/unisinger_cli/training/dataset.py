"""Recordings on the device: every clip of one or more packs, decoded once, gathered by index ever after.

A pack (written by `corpus/pack.py`) is a folder with `index.jsonl`, `f0.npz` and Opus files. 45 hours of 16-bit
sound fit into one 141 GB GPU, so nothing is loaded while training runs, and a batch is a gather.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, astuple, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from unisinger_cli.types import Chord, Score

Row = dict[str, Any]


def score_of(row: Row) -> Score | None:
    """The harmony that a row of a pack carries, as a value."""
    data: dict[str, Any] | None = row["score"]
    if data is None:
        return None
    chords = tuple(Chord(*chord) for chord in data["chords"])
    return Score(data["bpm"], data["beats_per_bar"], data["key"], chords, data["downbeat"])


def told(score: Score) -> dict[str, Any]:
    """A score as a row carries it: what `score_of` reads."""
    return asdict(score) | {"chords": [list(astuple(chord)) for chord in score.chords]}


def read_packs(folders: list[Path], split: str = "train") -> Iterator[tuple[Path, Row]]:
    """(folder, row) of every clip of that split. Raises FileNotFoundError naming the index that is missing."""
    for folder in folders:
        with (folder / "index.jsonl").open(encoding="utf-8") as lines:
            for line in lines:
                row: Row = json.loads(line)
                if row["split"] == split:
                    yield folder, row


def read_shards(folder: Path) -> Iterator[tuple[Row, dict[str, Tensor]]]:
    """(row, its tensors) of every training clip in the WebDataset shards of a folder; see `corpus/shards.py`."""
    for path in sorted(folder.glob("[0-9]*.tar")):
        with tarfile.open(path) as tar:
            for entry in tar:  # KEY.json, then KEY.npz
                body = tar.extractfile(entry).read()
                if entry.name.endswith(".json"):
                    row: Row = json.loads(body)
                elif row["split"] == "train":
                    with np.load(io.BytesIO(body), allow_pickle=False) as arrays:
                        yield row, {name: torch.from_numpy(arrays[name]) for name in arrays.files}


def _decode(job: tuple[Path, int, int]) -> np.ndarray[Any, np.dtype[np.int16]]:
    """One file as int16 mono at `rate`, cut or padded to whole frames of `hop` samples."""
    import soundfile
    import soxr

    path, rate, hop = job
    samples, source_rate = soundfile.read(path, dtype="float32", always_2d=True)
    mono = samples.mean(axis=1)
    if source_rate != rate:
        mono = soxr.resample(mono, source_rate, rate)
    padded = np.pad(mono, (0, -len(mono) % hop))
    return (np.clip(padded, -1, 1) * 32767).astype(np.int16)


def draw_by(edges: Tensor, size: int) -> Tensor:
    """Random indices [size], drawn by weights whose running sum is `edges` [k]."""
    return torch.searchsorted(edges, torch.rand(size, device=edges.device) * edges[-1]).clamp_max(len(edges) - 1)


@dataclass
class AudioBank:
    """All clips end to end. `samples` int16 [total], clip i is samples[start[i] : start[i] + length[i]]."""

    samples: Tensor
    start: Tensor  # int64 [clips]
    length: Tensor  # int64 [clips], multiples of hop
    hop: int

    def gather(self, starts: Tensor, length: int) -> Tensor:
        """Float crops [b, length] that begin at absolute sample `starts` [b]."""
        index = starts[:, None] + torch.arange(length, device=starts.device)
        return self.samples[index].float() / 32768

    def choose(self, size: int, weights: Tensor | None = None) -> Tensor:
        """Random clips [size], drawn by `weights` [clips]; without them longer ones more often, by the square root: a
        few readers own most of the minutes."""
        return draw_by((self.length.float().sqrt() if weights is None else weights).cumsum(0), size)

    def random(self, clips: Tensor, length: int) -> tuple[Tensor, Tensor]:
        """Crops [b, length] at random whole frames of the clips [b], and where they begin; a clip that is too
        short runs on into the next one of the bank."""
        room = (self.length[clips] - length).clamp_min(0) // self.hop
        offset = (torch.rand(len(clips), device=clips.device) * (room + 1)).long() * self.hop
        starts = (self.start[clips] + offset).clamp_max(self.samples.numel() - length)
        return self.gather(starts, length), starts


def load_audio(paths: list[Path], rate: int, hop: int, device: torch.device, workers: int) -> AudioBank:
    """Decode files over `workers` processes and put them on the device."""
    jobs = [(path, rate, hop) for path in paths]
    if workers > 1:
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            clips = list(pool.map(_decode, jobs, chunksize=8))
    else:
        clips = [_decode(job) for job in jobs]
    lengths = torch.tensor([len(clip) for clip in clips])
    samples = torch.from_numpy(np.concatenate(clips)).to(device)
    return AudioBank(samples, (lengths.cumsum(0) - lengths).to(device), lengths.to(device), hop)


def by_set(rows: list[tuple[Path, Row]]) -> list[float]:
    """How often to draw from each recording, so that a set of them counts by the square root of its length: there are
    minutes of songs, and hours of other things."""
    seconds = Counter[str]()
    for _, row in rows:
        seconds[row["set"]] += row["seconds"]
    return [row["seconds"] / seconds[row["set"]] ** 0.5 for _, row in rows]


def label_frames(row: Row, frames: int, frame_rate: float, ids: dict[str, int]) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Phoneme id of each latent frame, read at the frame's centre; -1 where nothing is known: [frames]."""
    labels = np.full(frames, -1, dtype=np.int64)
    for symbol, start, end in row["phonemes"] or ():
        if start is None or end is None:
            continue
        first = max(0, int(np.ceil(start * frame_rate - 0.5)))
        last = max(first, int(np.ceil(end * frame_rate - 0.5)))
        labels[first:last] = ids[symbol]
    return labels


def fit_track(hz: np.ndarray, frames: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """F0 cut, or filled up with unvoiced frames, to `frames`."""
    track = np.zeros(frames, dtype=np.float32)
    track[: min(frames, len(hz))] = hz[:frames]
    return track
