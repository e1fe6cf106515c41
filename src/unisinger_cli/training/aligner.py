"""The aligner: which phoneme sounds when in a transcribed recording.

A content backbone with a phoneme head is trained by CTC (Graves et al. 2006) on untimed transcripts. It finds the order
and roughly the place of everything, and puts boundaries badly: looking far around itself, it may name a vowel while its
consonant still sounds. So a second network that sees only two frames to either side is trained on the frame labels of
the alignment, aligns anew, and is replaced by a fresh one, several times over: what it cannot hear it cannot learn, and
boundaries move to where the sound changes (Viterbi training, as of hybrid models: Bourlard & Morgan 1994, with their
division by the prior of each phoneme).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unisinger_cli.model.config import ModelConfig
from unisinger_cli.model.content_encoder import ContentBackbone
from unisinger_cli.stages.align import align
from unisinger_cli.training.dataset import AudioBank, Row, label_frames, load_audio, read_packs
from unisinger_cli.training.loop import run
from unisinger_cli.training.optim import Phase

_BLANK_SHARE = -2.5  # log share of the CTC blank that counts for the phoneme around it while aligning
_QUIET = 3.0  # nats that a frame's level adds to, or takes from, the pause
_CONTEXT, _WIDTH = 2, 256  # frames to either side, and hidden width, of the network that sees little
_ROUNDS, _STEPS, _STRETCHES, _STRETCH = 6, 400, 48, 128  # of its training; a batch is so many stretches of frames
_PRIOR = 0.7  # power of a phoneme's frequency by which its probability is divided


class AlignerNetwork(nn.Module):
    """Log-mel [b, n, m] -> phoneme log-probabilities [b, n, p + 1]; the last class is the CTC blank."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.backbone = ContentBackbone(config.content, config.codec)
        self.head = nn.Linear(config.content.width, len(config.phonemes) + 1)

    def forward(self, mel: Tensor) -> Tensor:
        return self.head(self.backbone.from_mel(mel)).float().log_softmax(-1)


class LocalNetwork(nn.Module):
    """Log-mel [b, n, m] -> phoneme log-probabilities [b, n, p], of what sounds within two frames alone."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv1d(2 * config.content.mels, _WIDTH, 2 * _CONTEXT + 1, padding=_CONTEXT),
            nn.GELU(),
            nn.Conv1d(_WIDTH, _WIDTH, 1),
            nn.GELU(),
            nn.Conv1d(_WIDTH, len(config.phonemes), 1),
        )

    def forward(self, mel: Tensor) -> Tensor:
        return self.layers(mel.transpose(1, 2)).transpose(1, 2).float().log_softmax(-1)


class _Clips:
    """Precomputed log-mels of the transcribed clips, padded batches drawn at random."""

    def __init__(self, rows: list[Row], bank: AudioBank, config: ModelConfig, network: AlignerNetwork) -> None:
        self.rows, self.ids = rows, config.phoneme_ids
        self.frame_rate = config.codec.frame_rate
        self.trainable = [i for i, row in enumerate(rows) if row["split"] != "test"]  # test clips are only aligned
        self.mels: list[Tensor] = []
        self.levels: list[Tensor] = []
        for start, length in zip(bank.start.tolist(), bank.length.tolist(), strict=True):
            audio = bank.samples[start : start + length].float()[None] / 32768
            audio = audio / audio.square().mean().sqrt().clamp_min(1e-4) * 0.08  # -22 dBFS, whatever the recording
            self.mels.append(network.backbone.mel(audio)[0])
            power = audio.view(-1, config.codec.hop).square().mean(1)
            self.levels.append(10 * (power + 1e-10).log10())
        self.targets = [
            torch.tensor([self.ids[p[0]] for p in row["phonemes"] if p[0] != "_"], device=bank.samples.device)
            for row in rows
        ]
        self.labels = [self._given(row, len(mel)) for row, mel in zip(rows, self.mels, strict=True)]

    def _given(self, row: Row, frames: int) -> Tensor:
        labels = label_frames(row, frames, self.frame_rate, self.ids)
        return torch.from_numpy(labels).to(self.mels[0].device)

    def batch(self, size: int) -> tuple[Tensor, list[int]]:
        chosen = [self.trainable[i] for i in torch.randint(len(self.trainable), (size,)).tolist()]
        mel = nn.utils.rnn.pad_sequence([self.mels[i] for i in chosen], batch_first=True, padding_value=-1.77)
        return _augment(mel), chosen


def _augment(mel: Tensor) -> Tensor:
    """Random level, tilt and noise per clip, and two masked stretches of bands (SpecAugment, Park et al. 2019)."""
    b, _, m = mel.shape
    tilt = torch.linspace(-1, 1, m // 2, device=mel.device).repeat(2) * torch.randn(b, 1, 1, device=mel.device) * 0.2
    mel = mel + tilt + 0.3 * torch.randn(b, 1, 1, device=mel.device) + 0.05 * torch.randn_like(mel)
    band = torch.arange(m // 2, device=mel.device).repeat(2)
    for _ in range(2):
        low = torch.randint(m // 2, (b, 1, 1), device=mel.device)
        mel = mel.masked_fill((band >= low) & (band < low + 8), 0.0)
    return mel


class _Ctc(nn.Module):
    """Of whole transcripts."""

    def __init__(self, network: AlignerNetwork, clips: _Clips, batch: int) -> None:
        super().__init__()
        self.network, self.clips, self.size = network, clips, batch

    def forward(self) -> dict[str, Tensor]:
        mel, chosen = self.clips.batch(self.size)
        with torch.autocast(mel.device.type, torch.bfloat16, enabled=mel.device.type == "cuda"):
            log_probs = self.network(mel)
        targets = [self.clips.targets[i] for i in chosen]
        loss = F.ctc_loss(
            log_probs.transpose(0, 1),
            torch.cat(targets),
            torch.tensor([len(self.clips.mels[i]) for i in chosen]),
            torch.tensor([len(t) for t in targets]),
            blank=log_probs.shape[-1] - 1,
            zero_infinity=True,
        )
        return {"loss": loss}


class _Framewise(nn.Module):
    """Of stretches of frames, in whichever clips they lie."""

    def __init__(self, network: LocalNetwork, clips: _Clips) -> None:
        super().__init__()
        self.network = network
        self.mel = torch.cat([clips.mels[i] for i in clips.trainable])
        self.labels = torch.cat([clips.labels[i] for i in clips.trainable])

    def forward(self) -> dict[str, Tensor]:
        device = self.mel.device
        stretch = min(_STRETCH, len(self.mel))
        first = torch.randint(len(self.mel) - stretch + 1, (_STRETCHES, 1), device=device)
        index = first + torch.arange(stretch, device=device)
        mel = self.mel[index]
        mel = mel + 0.2 * torch.randn(_STRETCHES, 1, 1, device=device) + 0.1 * torch.randn_like(mel)
        log_probs = self.network(mel)
        return {"loss": F.nll_loss(log_probs.flatten(0, 1), self.labels[index].flatten(), ignore_index=-1)}


class AlignerTrainee:
    def __init__(self, name: str, loss: _Ctc | _Framewise) -> None:
        self.model: nn.Module = loss.network
        self._phases = [Phase(name, loss, list(loss.network.parameters()), 2e-3)]

    def phases(self, progress: float) -> list[Phase]:
        return self._phases

    def advance(self, progress: float, step: int) -> None:
        pass


def _spans(job: tuple[np.ndarray, list[tuple[int, bool]]]) -> list[tuple[int, int, int]]:
    torch.set_num_threads(1)
    scores, symbols = job
    return align(torch.from_numpy(scores), symbols)


@torch.no_grad()
def align_all(clips: _Clips, score: Callable[[Tensor], Tensor], workers: int) -> None:
    """Forced alignment of every clip without given times, by `score`: log-mel [n, m] -> log-likelihoods [n, p]; labels
    are replaced in place."""
    pause = clips.ids["_"]
    jobs, where = [], []
    for i, row in enumerate(clips.rows):
        if any(p[1] is not None for p in row["phonemes"]):
            continue
        scores = score(clips.mels[i])
        level = clips.levels[i]
        quiet = (level < torch.quantile(level, 0.95) - 32).float()
        scores[:, pause] += _QUIET * (2 * quiet - 1)
        symbols = [(clips.ids[p[0]], p[0] == "_") for p in row["phonemes"]]
        if len(level) < sum(not optional for _, optional in symbols) + 2:
            continue  # more phonemes than frames: the transcript cannot be right
        jobs.append((scores.float().cpu().numpy(), symbols))
        where.append(i)
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for i, spans in zip(where, pool.map(_spans, jobs, chunksize=16), strict=True):
            labels = torch.full((len(clips.mels[i]),), -1, device=clips.mels[i].device)
            for symbol, first, last in spans:
                labels[first:last] = symbol
            clips.labels[i] = labels


def _by_ctc(network: AlignerNetwork, pause: int) -> Callable[[Tensor], Tensor]:
    def score(mel: Tensor) -> Tensor:
        log_probs = network(mel[None])[0]
        blank = log_probs[:, -1:]
        scores = torch.logaddexp(log_probs[:, :-1], blank + _BLANK_SHARE)
        scores[:, pause] = blank[:, 0] - 1.0
        return scores

    return score


def _by_neighbours(network: LocalNetwork, labels: list[Tensor], classes: int) -> Callable[[Tensor], Tensor]:
    known = torch.cat(labels)
    counts = torch.bincount(known[known >= 0], minlength=classes) + 50.0  # of what is rare little is known
    prior = (counts / counts.sum()).log()
    return lambda mel: network(mel[None])[0] - _PRIOR * prior


def refine(
    config: ModelConfig, clips: _Clips, out: Path, rounds: int, workers: int, report: Callable[[str], None]
) -> None:
    """Align anew `rounds` times by a network that sees little around itself."""
    for number in range(rounds):
        network = LocalNetwork(config).to(clips.mels[0].device)
        trainee = AlignerTrainee("framewise", _Framewise(network, clips))
        folder = out / f"round{number + 1}"
        run(trainee, folder, device=clips.mels[0].device, steps=_STEPS, graph=False, report=report)
        align_all(clips, _by_neighbours(network, clips.labels, len(config.phonemes)), workers)
        report(f"round {number + 1}: aligned")


def _write(clips: _Clips, config: ModelConfig, path: Path) -> None:
    """Runs of equal labels as [symbol, start, end] in seconds, one clip a line."""
    with path.open("w", encoding="utf-8") as out:
        for row, labels in zip(clips.rows, clips.labels, strict=True):
            values = labels.cpu().numpy()
            if (values < 0).all() or any(p[1] is not None for p in row["phonemes"]):
                continue
            edges = np.flatnonzero(np.diff(values, prepend=-2, append=-2))
            spans = [
                [
                    config.phonemes[values[a]],
                    round(a / config.codec.frame_rate, 4),
                    round(b / config.codec.frame_rate, 4),
                ]
                for a, b in pairwise(edges)
                if values[a] >= 0
            ]
            out.write(json.dumps({"id": row["id"], "spans": spans}, ensure_ascii=False) + "\n")


def train_aligner(
    config: ModelConfig,
    packs: list[Path],
    out: Path,
    *,
    device: torch.device,
    seconds: float,
    batch: int,
    workers: int,
    report: Callable[[str], None],
) -> None:
    """CTC for `seconds`, then rounds of aligning and training on frames; writes `out/alignments.jsonl`."""
    rows = [(folder, row) for split in ("train", "valid", "test") for folder, row in read_packs(packs, split)]
    rows = [(folder, row) for folder, row in rows if row["phonemes"] and row["vocal"]]
    hop = config.codec.hop
    bank = load_audio([folder / row["vocal"] for folder, row in rows], config.codec.rate, hop, device, workers)
    network = AlignerNetwork(config).to(device)
    clips = _Clips([row for _, row in rows], bank, config, network)
    report(f"{len(rows)} transcribed clips, {bank.samples.numel() / config.codec.rate / 60:.0f} minutes")
    trainee = AlignerTrainee("ctc", _Ctc(network, clips, batch))
    run(trainee, out / "round0", device=device, seconds=seconds, graph=False, report=report)
    align_all(clips, _by_ctc(network.eval(), clips.ids["_"]), workers)
    report("round 0: aligned")
    refine(config, clips, out, _ROUNDS, workers, report)
    _write(clips, config, out / "alignments.jsonl")
