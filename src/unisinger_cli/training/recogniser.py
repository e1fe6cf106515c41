"""Training of the judge of words, on recordings with text: speech, singing and songs, those of the factory too.

Nobody recorded songs in English, German or Dutch for it: without the songs that the factory makes of training voices,
it takes every held vowel for Japanese. Those of other voices are never learned from, nor is anything that a model sang.

Its recordings are few (some hours), so it never hears one twice alike: other speed (pitch and formants), other tempo,
noise, a room, and masked stretches of bands and of time (SpecAugment, Park et al. 2019). CTC first settles on saying
nothing at all; short clips at the beginning get it over that.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unisinger_cli.model.phoneme_recogniser import (
    PhonemeRecogniser,
    RecogniserConfig,
    load_recogniser,
    save_recogniser,
    step_count,
)
from unisinger_cli.stages.align import edits
from unisinger_cli.training import loop
from unisinger_cli.training.content import change_speed
from unisinger_cli.training.dataset import AudioBank, Row, load_audio, read_packs
from unisinger_cli.training.optim import Phase

KINDS = ("speech", "sung", "song", "factory")
BATCH = 48
_UNSAID = ("_", "^")
_SHORT, _LONG, _GROWN = 3.0, 25.0, 0.2  # seconds of the longest clip at first, in the end, and when that is
_SPEED, _TEMPO = 0.22, 0.3  # how far these go either way, in powers of e
_ROUND = 8000  # samples; few lengths of Fourier transforms to plan
_MASKS = ((2, 16), (4, 30))  # how many stretches, and of how many at most: bands, frames


def said(row: Row) -> list[str]:
    """What should be heard: phonemes without pauses and breaths."""
    return [symbol for symbol, *_ in row["phonemes"] if symbol not in _UNSAID]


def transcribed(packs: list[Path], split: str) -> list[tuple[Path, Row]]:
    """Recordings of that split whose phonemes are known."""
    rows = read_packs(packs, split)
    return [(f, r) for f, r in rows if r["kind"] in KINDS and r["vocal"] and r["phonemes"] and said(r)]


class _Clips:
    """Transcribed clips, drawn so that a set counts by the square root of its length."""

    def __init__(self, rows: list[Row], bank: AudioBank, config: RecogniserConfig, size: int) -> None:
        ids = {symbol: i for i, symbol in enumerate(config.phonemes)}
        self.bank, self.size, self.longest = bank, size, _SHORT
        self.targets = [torch.tensor([ids[symbol] for symbol in said(row)]) for row in rows]
        self.start, self.length = bank.start.tolist(), bank.length.tolist()
        self.seconds = torch.tensor(self.length) / config.rate
        clips, seconds = Counter(row["set"] for row in rows), Counter[str]()
        for row, own in zip(rows, self.seconds.tolist(), strict=True):
            seconds[row["set"]] += own
        self.weights = torch.tensor([math.sqrt(seconds[row["set"]]) / clips[row["set"]] for row in rows])

    def draw(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Sound [b, l] and its lengths [b]; targets end to end and their lengths [b]. Lengths are on the CPU."""
        few = min(len(self.seconds), 2 * self.size)
        fits = self.seconds <= max(self.longest, float(self.seconds.sort().values[few - 1]))
        chosen = torch.multinomial(self.weights * fits, self.size, replacement=True).tolist()
        clips = [self.bank.samples[self.start[i] : self.start[i] + self.length[i]] for i in chosen]
        audio = nn.utils.rnn.pad_sequence(clips, batch_first=True).float() / 32768
        said = [self.targets[i] for i in chosen]
        lengths = torch.tensor([self.length[i] for i in chosen])
        return audio, lengths, torch.cat(said).to(audio.device), torch.tensor([len(t) for t in said])


def spoil(audio: Tensor, lengths: Tensor, hop: int) -> tuple[Tensor, Tensor]:
    """Another speed, a room, and noise of a random colour 3 to 40 dB under the voice; some clips keep as they are.

    [b, l] and lengths [b] -> the same, lengths in whole frames; what lies after them is 0.
    """
    b, device = len(audio), audio.device
    speed = torch.exp(_SPEED * (2 * torch.rand(b) - 1)).where(torch.rand(b) < 0.7, torch.ones(b))
    lengths = (lengths / speed).long() // hop * hop
    audio = change_speed(audio, speed.to(device), -(-int(lengths.max()) // _ROUND) * _ROUND)
    inside = torch.arange(audio.shape[1], device=device) < lengths.to(device)[:, None]
    level = (audio * inside).square().sum(1, keepdim=True).div(lengths.to(device)[:, None]).sqrt() + 1e-5
    n = 2 * audio.shape[1]
    decay = 10 ** torch.empty(b, 1, device=device).uniform_(-2.0, -0.7)  # seconds to 1/e
    t = torch.arange(6400, device=device) / 16000
    room = torch.randn(b, 6400, device=device) * torch.exp(-t / decay)
    room = room / room.norm(dim=1, keepdim=True) * 0.7 * torch.rand(b, 1, device=device)
    room[torch.rand(b, device=device) < 0.6] = 0
    room[:, 0] = 1
    wet = torch.fft.irfft(torch.fft.rfft(audio * inside, n) * torch.fft.rfft(room, n), n)[:, : audio.shape[1]]
    bins = torch.fft.rfft(torch.randn_like(audio))
    slope = torch.arange(1, bins.shape[1] + 1, device=device) ** (-torch.rand(b, 1, device=device))
    noise = torch.fft.irfft(bins * slope, audio.shape[1])
    noise = noise / noise.square().mean(1, keepdim=True).sqrt()
    snr = torch.empty(b, 1, device=device).uniform_(3, 40)
    noise = noise * 10 ** (-snr / 20) * (torch.rand(b, 1, device=device) < 0.6)
    return (wet + level * noise) * inside, lengths


def stretch_and_mask(mel: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Another tempo at the same pitch, the mean of each band taken off, and masks. [b, t, m] -> the same."""
    b, _, m = mel.shape
    tempo = torch.exp(_TEMPO * (2 * torch.rand(b) - 1))
    lengths = (lengths / tempo).long().clamp_min(1)
    t = torch.arange(int(lengths.max()), device=mel.device)
    position = (t * tempo.to(mel.device)[:, None]).clamp_max(mel.shape[1] - 1)
    low = position.long().clamp_max(mel.shape[1] - 2)
    index = low[..., None].expand(-1, -1, m)
    mel = torch.lerp(mel.gather(1, index), mel.gather(1, index + 1), (position - low)[..., None])
    ends = lengths.to(mel.device)[:, None]
    inside = (t < ends)[..., None]
    mel = mel - (mel * inside).sum(1, keepdim=True) / ends[..., None]
    band = torch.arange(m, device=mel.device)
    for axis, ((count, most), place) in enumerate(zip(_MASKS, (band, t), strict=True)):
        for _ in range(count):
            width = torch.rand(b, 1, device=mel.device) * most
            if axis:  # a short clip keeps most of its time
                width = torch.minimum(width, ends * 0.08)
            begin = torch.rand(b, 1, device=mel.device) * (ends if axis else m)
            hidden = (place >= begin) & (place < begin + width)
            inside = inside & ~(hidden[..., None] if axis else hidden[:, None])
    return mel * inside, lengths


class _Loss(nn.Module):
    def __init__(self, network: PhonemeRecogniser, clips: _Clips) -> None:
        super().__init__()
        self.network, self.clips = network, clips

    def forward(self) -> dict[str, Tensor]:
        audio, lengths, targets, counts = self.clips.draw()
        hop = self.network.config.hop
        with torch.no_grad():
            audio, lengths = spoil(audio, lengths, hop)
            mel, lengths = stretch_and_mask(self.network.spectrum(audio, lengths), lengths // hop)
        log_probs = self.network.from_mel(mel, lengths)
        blank = log_probs.shape[-1] - 1
        loss = F.ctc_loss(log_probs.transpose(0, 1), targets, step_count(lengths), counts, blank, zero_infinity=True)
        return {"loss": loss, "blank": (log_probs.argmax(-1) == blank).float().mean()}


class RecogniserTrainee(loop.Trainee):
    def __init__(self, network: PhonemeRecogniser, clips: _Clips) -> None:
        self.model: nn.Module = network
        self.clips = clips
        self._phases = [Phase("ctc", _Loss(network, clips), list(network.parameters()), 1e-3, (0.9, 0.98))]

    def phases(self, progress: float) -> list[Phase]:
        return self._phases

    def advance(self, progress: float, step: int) -> None:
        self.clips.longest = _SHORT + (_LONG - _SHORT) * min(1.0, progress / _GROWN)


@torch.no_grad()
def error_rates(network: PhonemeRecogniser, rows: list[tuple[Path, Row]], workers: int) -> dict[str, float]:
    """Phoneme error rate by "kind language", over all phonemes of it."""
    config = network.config
    device = network.head.weight.device
    bank = load_audio([f / r["vocal"] for f, r in rows], config.rate, config.hop, device, workers)
    wrong, total = defaultdict[str, int](int), defaultdict[str, int](int)
    for (_, row), start, length in zip(rows, bank.start.tolist(), bank.length.tolist(), strict=True):
        audio = bank.samples[start : start + length].float()[None] / 32768
        name = f"{row['kind']} {row['language'].partition('-')[0]}"
        wrong[name] += edits(network.read(network(audio)[0]), said(row))
        total[name] += len(said(row))
    return {name: round(wrong[name] / total[name], 4) for name in sorted(total)}


def train_recogniser(
    packs: list[Path],
    out: Path,
    init: list[Path],
    *,
    seconds: float | None,
    steps: int | None,
    batch: int | None,
    rate: float,
    seed: int,
    device: str,
    resume: bool,
    workers: int,
    report: Callable[[str], None],
    config: RecogniserConfig | None = None,
) -> None:
    """Train on the train split of `packs`, on from the judge in the last file of `init` where there is one, then write
    `out/part.safetensors` with the error rates of the valid and test splits in its header. Raises ValueError where no
    real recording with text is in the packs, or no judge in a file."""
    where = loop.pick_device(device)
    torch.manual_seed(seed)
    torch.set_float32_matmul_precision("high")
    rows = transcribed(packs, "train")
    if not rows:
        raise ValueError(f"{packs[0]} has no recording with phonemes")
    network = PhonemeRecogniser(RecogniserConfig() if config is None else config)
    for path in init:
        try:
            network = load_recogniser(path)[0].train().requires_grad_(True)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
    network.to(where)
    bank = load_audio([f / r["vocal"] for f, r in rows], network.config.rate, network.config.hop, where, workers)
    clips = _Clips([row for _, row in rows], bank, network.config, BATCH if batch is None else batch)
    minutes = float(clips.seconds.sum()) / 60
    weights = sum(p.numel() for p in network.parameters()) / 1e6
    report(f"judge: {len(rows)} transcribed clips, {minutes:.0f} minutes; {weights:.1f} million weights on {where}")
    trainee = RecogniserTrainee(network, clips)
    losses = loop.run(
        trainee,
        out,
        device=where,
        seconds=seconds,
        steps=steps,
        rate=rate,
        graph=False,
        resume=resume,
        report=report,
    )
    loop.take_average(network, out)
    network.eval()
    about: dict[str, object] = {"clips": len(rows), "minutes": round(minutes), "seed": seed, "losses": losses}
    for split in ("valid", "test"):
        held_out = transcribed(packs, split)
        about[split] = error_rates(network, held_out, workers) if held_out else {}
        report(f"{split}: phoneme error rate {about[split]}")
    save_recogniser(network, out / "part.safetensors", about)
