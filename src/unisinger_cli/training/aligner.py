"""The aligner: which phoneme sounds when in a transcribed recording.

Each phoneme is a Gaussian in the log-mel of one frame, all of one covariance (linear discriminant analysis: Fisher,
Annals of Eugenics 7, 1936). At first the phonemes of a transcript are spread evenly over what is not silent; from then
on Gaussians are estimated and recordings aligned by them in turn (Viterbi training: Juang, Rabiner, IEEE Trans. ASSP
38, 1990). Two things make boundaries exact. A frame knows nothing of its neighbours: what hears them names a vowel
while its consonant still sounds, and then learns that from its own alignments. And the mean of a recording is taken
from it (Atal, JASA 55, 1974), for a voice and a room differ more from others than many phonemes do.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from unisinger_cli.model.config import VOWELS, ModelConfig
from unisinger_cli.model.ops import LogMel
from unisinger_cli.stages.align import align
from unisinger_cli.training.dataset import AudioBank, Row, label_frames, load_audio, read_packs

_FINER = 2  # frames here in one of the latent clock
_LEAST, _LEAST_SUNG = 2, 6  # frames that a phoneme takes at least, and a vowel in a song: as long as a short note
_ROUNDS = 15
_LOOSE = 0.15  # seconds by which the times of words and phrases may be wrong
_SILENT, _QUIET = 32.0, 3.0  # dB below the loud frames of a recording; nats that such a level adds to the pause
_RIDGE = 0.01  # of the mean variance, added to each


@dataclass
class Clip:
    """A transcribed recording in frames. `mel` [t, m], free of its mean; `quiet` [t]; `symbols`: (phoneme, whether it
    may be skipped), in order, how many frames each takes at `least`, and `within` which of them it must lie. `labels`
    [t]: the phoneme of each frame, -1 where nothing is known."""

    row: Row
    mel: Tensor
    quiet: Tensor
    symbols: list[tuple[int, bool]]
    least: list[int]
    within: list[tuple[int, int]]
    labels: Tensor
    given: bool  # the corpus says when its phonemes sound

    @property
    def fits(self) -> bool:
        """Whether there are frames for all phonemes; else the transcript cannot be right."""
        taken = (least for (_, optional), least in zip(self.symbols, self.least, strict=True) if not optional)
        return sum(taken) <= len(self.mel)


def read_clips(rows: Sequence[Row], bank: AudioBank, config: ModelConfig) -> Iterator[Clip]:
    """The recordings of a bank, in order, with given times or evenly spread phonemes as labels."""
    ids, hop = config.phoneme_ids, config.codec.hop // _FINER
    frame_rate = config.codec.frame_rate * _FINER
    log_mel = LogMel(config.codec.rate, hop, config.content.mels, stack=1).to(bank.samples.device)
    for row, start, length in zip(rows, bank.start.tolist(), bank.length.tolist(), strict=True):
        audio = bank.samples[start : start + length].float()[None] / 32768
        audio = audio / audio.square().mean().sqrt().clamp_min(1e-4) * 0.08  # -22 dBFS, whatever the recording
        mel = log_mel(audio)[0].cpu()
        level = 10 * (audio.view(-1, hop).square().mean(1).cpu() + 1e-10).log10()
        quiet = level < torch.quantile(level, 0.95) - _SILENT
        symbols = [(ids[symbol], symbol == "_") for symbol, _, _ in row["phonemes"]]
        least = [
            _LEAST_SUNG if row["kind"] == "song" and symbol in VOWELS else _LEAST for symbol, _, _ in row["phonemes"]
        ]
        within = bounds(row, len(mel), frame_rate)
        given = all(start is not None for _, start, _ in row["phonemes"])
        known = torch.from_numpy(label_frames(row, len(mel), frame_rate, ids)) if given else spread(symbols, quiet)
        yield Clip(row, mel - mel.mean(0), quiet, symbols, least, within, known, given)


def bounds(row: Row, frames: int, frame_rate: float) -> list[tuple[int, int]]:
    """The frames [first, last) within which each phoneme must lie: what comes after a time that is known comes later,
    and what comes before it earlier."""
    first, last = np.zeros(len(row["phonemes"])), np.full(len(row["phonemes"]), float(frames))
    for i, (_, start, end) in enumerate(row["phonemes"]):
        first[i] = 0 if start is None else (start - _LOOSE) * frame_rate
        last[i] = frames if end is None else (end + _LOOSE) * frame_rate
    first, last = np.maximum.accumulate(first), np.minimum.accumulate(last[::-1])[::-1]
    return [(math.floor(a), math.ceil(b)) for a, b in zip(first, last, strict=True)]


def spread(symbols: Sequence[tuple[int, bool]], quiet: Tensor) -> Tensor:
    """Labels [t] of a recording of which only its words are known: what sounds in equal parts of the frames that are
    not `quiet` [t], and the pause, which may be skipped, in those that are; -1 where there is none."""
    sounding = torch.tensor([symbol for symbol, optional in symbols if not optional])
    pauses = [symbol for symbol, optional in symbols if optional]
    labels = torch.full((len(quiet),), pauses[0] if pauses else -1)
    loud = int((~quiet).sum())
    if len(sounding):
        labels[~quiet] = sounding[torch.arange(loud) * len(sounding) // max(1, loud)]
    return labels


def discriminant(frames: Tensor, labels: Tensor, classes: int) -> tuple[Tensor, Tensor]:
    """Gaussians of one covariance: frames [n, m] of known labels [n] -> weight [m, classes], offset [classes].

    `frames @ weight + offset` are log-likelihoods, but for a constant in each frame. Means are drawn towards nothing by
    one frame, so that a class of which nothing is known lies in the middle.
    """
    one_hot = F.one_hot(labels, classes).to(frames.dtype)
    count = one_hot.sum(0)
    mean = (one_hot.T @ frames) / (count + 1)[:, None]
    within = (frames.T @ frames - (mean * count[:, None]).T @ mean) / len(frames)
    within += _RIDGE * within.diagonal().mean() * torch.eye(len(within))
    weight = torch.linalg.solve(within.double(), mean.T.double()).to(frames.dtype)
    return weight, -0.5 * (mean.T * weight).sum(0)


def refine(clips: Sequence[Clip], classes: int, pause: int, pool: ProcessPoolExecutor) -> float:
    """Estimate, and align by it every clip whose times are not given; returns the share of frames that changed.

    Clips of the test split are aligned, and not learned from. Labels are replaced in place.
    """
    taught = [clip for clip in clips if clip.row["split"] != "test"]
    labels = torch.cat([clip.labels for clip in taught])
    known = labels >= 0
    weight, offset = discriminant(torch.cat([clip.mel for clip in taught])[known], labels[known], classes)
    sought = [clip for clip in clips if not clip.given and clip.fits]

    def scores() -> Iterator[np.ndarray]:
        for clip in sought:
            likely = clip.mel @ weight + offset
            likely[:, pause] += _QUIET * (2 * clip.quiet.float() - 1)
            yield likely.numpy()

    changed = total = 0
    asked = ([getattr(clip, name) for clip in sought] for name in ("symbols", "least", "within"))
    aligned = pool.map(align, scores(), *asked, chunksize=16)
    for clip, spans in zip(sought, aligned, strict=True):
        before, clip.labels = clip.labels, torch.cat([torch.full((b - a,), symbol) for symbol, a, b in spans])
        changed += int((before != clip.labels).sum())
        total += len(before)
    return changed / max(1, total)


def spans_of(clip: Clip, config: ModelConfig) -> list[tuple[str, float, float]]:
    """Runs of equal labels: (symbol, start, end), seconds."""
    labels, frame_rate = clip.labels.numpy(), config.codec.frame_rate * _FINER
    edges = np.flatnonzero(np.diff(labels, prepend=-2, append=-2))
    return [
        (config.phonemes[labels[a]], round(a / frame_rate, 4), round(b / frame_rate, 4))
        for a, b in pairwise(edges.tolist())
        if labels[a] >= 0
    ]


def train_aligner(
    config: ModelConfig,
    packs: list[Path],
    out: Path,
    *,
    device: torch.device,
    workers: int,
    report: Callable[[str], None],
) -> None:
    """Align the transcribed clips of the packs; writes `out/alignments.jsonl`, a clip whose times are not given a line.
    On `device` spectra are made; the rest is for processors."""
    rows = [(folder, row) for split in ("train", "valid", "test") for folder, row in read_packs(packs, split)]
    rows = [(folder, row) for folder, row in rows if row["phonemes"] and row["vocal"]]
    if not any(row["split"] != "test" for _, row in rows):
        raise ValueError("no transcribed clip outside of the test split")
    paths = [folder / row["vocal"] for folder, row in rows]
    bank = load_audio(paths, config.codec.rate, config.codec.hop, device, workers)
    report(f"{len(rows)} transcribed clips, {bank.samples.numel() / config.codec.rate / 60:.0f} minutes")
    clips = list(read_clips([row for _, row in rows], bank, config))
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for number in range(_ROUNDS):
            changed = refine(clips, len(config.phonemes), config.phoneme_ids["_"], pool)
            report(f"round {number + 1} of {_ROUNDS}: {100 * changed:.1f} % of frames changed")
    out.mkdir(parents=True, exist_ok=True)
    with (out / "alignments.jsonl").open("w", encoding="utf-8") as file:
        for clip in clips:
            if not clip.given and clip.fits:
                line = {"id": clip.row["id"], "spans": spans_of(clip, config)}
                file.write(json.dumps(line, ensure_ascii=False) + "\n")
