"""From packs of recordings to what the flow learns from: latents, content, timbre and pitch on the latent clock.

The frozen codec and encoders run once over everything; int8 latents take 165 kB a minute, so that the whole
corpus travels as a few files and stays on the GPU while the flow trains.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from unisinger_cli.model.checkpoint import load_checkpoint
from unisinger_cli.model.config import PRESETS
from unisinger_cli.model.unisinger import UniSinger
from unisinger_cli.stages.content import voice_gain
from unisinger_cli.training.dataset import AudioBank, Row, fit_track, label_frames, load_audio, read_packs, read_shards
from unisinger_cli.training.revoice import revoiced
from unisinger_cli.training.warp import warped

SILENCE = "silence.safetensors"
LATENT_STEP = 1 / 20  # of an int8 latent, in standard deviations: levels of silence are six below the mean
# Content is read from the clip, and from what others would have sung: (times the pitch, times the formants) of each.
OTHERS = ((1.0, 0.87), (1.0, 1.15), (1.5, 1.08), (0.67, 0.93))
_CHUNK_SECONDS = 4.0  # of a timbre vector


def _to_int8(latent: Tensor) -> Tensor:
    return (latent / LATENT_STEP).round().clamp(-127, 127).to(torch.int8)


def content_variants(model: UniSinger, audio: Tensor, hz: Tensor) -> Tensor:
    """Tokens of a clip [1, l] with this F0 [n], as it is and in the voice of each of OTHERS: int16 [variants, n]."""
    drawn = torch.Generator(audio.device).manual_seed(0)
    pitch, formants = torch.tensor(OTHERS, device=audio.device).T
    tracks = hz.to(audio.device).float().expand(len(OTHERS), -1)
    others = revoiced(audio.expand(len(OTHERS), -1), tracks, pitch, formants, model.config.codec.rate, drawn)
    return model.content(torch.cat([audio, others])).to(torch.int16)


def timbre_chunks(model: UniSinger, audio: Tensor) -> Tensor:
    """One unit vector for each stretch of about 4 s of a clip [1, l] -> [chunks, dim]."""
    length = audio.shape[1]
    chunks = max(1, round(length / (_CHUNK_SECONDS * model.config.codec.rate)))
    hop = model.config.codec.hop
    size = length // chunks // hop * hop
    return torch.cat([model.timbre(audio[:, i * size : (i + 1) * size]) for i in range(chunks)])


@torch.no_grad()
def encode_clip(
    model: UniSinger, vocal: Tensor, accomp: Tensor | None, phonemes: Tensor, hz: Tensor
) -> dict[str, Tensor]:
    """All features of one clip: audio [1, l] -> tensors whose first axis (content: second) is latent frames."""
    level = vocal * voice_gain(vocal[0].cpu().numpy())
    return {
        "vocal": _to_int8(model.codec.encode(level)[0]),
        "accomp": _to_int8(model.codec.encode(accomp)[0]) if accomp is not None else torch.zeros(0, dtype=torch.int8),
        "content": content_variants(model, level, hz),
        "timbre": timbre_chunks(model, level).half(),
        "phonemes": phonemes.to(torch.int8),
        "hz": hz.half(),
    }


def encode_row(model: UniSinger, row: Row, vocal: Tensor, accomp: Tensor | None, hz: np.ndarray) -> dict[str, Tensor]:
    """Features of a clip with this row: audio [1, l] of whole frames, F0 of as many frames or fewer."""
    codec = model.config.codec
    frames = vocal.shape[1] // codec.hop
    labels = torch.from_numpy(label_frames(row, frames, codec.frame_rate, model.config.phoneme_ids))
    return encode_clip(model, vocal, accomp, labels, torch.from_numpy(fit_track(hz, frames)))


def write_silence(model: UniSinger, out: Path) -> None:
    """`out/silence.safetensors`, which training fills windows up with: one frame in the middle of digital silence."""
    frames, device = 16, model.codec.latent_mean.device
    nothing = torch.zeros(frames, device=device)
    quiet = torch.zeros(1, frames * model.config.codec.hop, device=device)
    found = encode_clip(model, quiet, None, nothing.long(), nothing)
    kept = {"vocal": found["vocal"][8:9], "content": found["content"][:, 8:9]}
    save_file({name: value.cpu().contiguous() for name, value in kept.items()}, out / SILENCE)


@lru_cache(maxsize=1)
def _model(checkpoint: str, device: str) -> UniSinger:
    model = UniSinger.random(PRESETS[checkpoint]) if checkpoint in PRESETS else load_checkpoint(Path(checkpoint))
    return model.to(device).eval()


@dataclass(frozen=True)
class ClipEncoder:
    """Encodes clips one by one, in whichever process it finds itself: it holds names, and loads the model once in each.
    A preset's name as `checkpoint` stands for a random model of that size.
    """

    checkpoint: str
    device: str = "cpu"

    @property
    def model(self) -> UniSinger:
        return _model(self.checkpoint, self.device)

    @property
    def rate(self) -> int:
        """Hz."""
        return self.model.config.codec.rate

    @property
    def hop(self) -> int:
        """Samples in a latent frame."""
        return self.model.config.codec.hop

    def encode(self, row: Row, vocal: np.ndarray, accomp: np.ndarray | None, hz: np.ndarray) -> dict[str, np.ndarray]:
        """Features of a clip with this row: stems [n] at `rate`, of whole frames, and F0 [frames]."""
        sound = lambda samples: torch.from_numpy(np.ascontiguousarray(samples))[None].to(self.device)  # noqa: E731
        encoded = encode_row(self.model, row, sound(vocal), None if accomp is None else sound(accomp), hz)
        return {name: value.cpu().numpy() for name, value in encoded.items()}

    def write_silence(self, out: Path) -> None:
        write_silence(self.model, out)


def encode_packs(
    model: UniSinger,
    packs: list[Path],
    out: Path,
    *,
    device: torch.device,
    workers: int,
    warps: Sequence[int] = (),
    split: str = "train",
    shard_bytes: int = 15 << 20,
    report: Callable[[str], None],
) -> None:
    """Write `out/NNN.safetensors` and `out/NNN.jsonl` (the rows, in order), each shard at most `shard_bytes`, and
    `out/silence.safetensors`, of the clips of that `split`. All come once more as many semitones higher as each of
    `warps` says, as other voices and other songs. Raises ValueError where no clip is of that split.
    """
    config = model.config
    rows = list(read_packs(packs, split))
    if not rows:
        raise ValueError(f"{', '.join(map(str, packs))}: no clip is of the {split} split")
    out.mkdir(parents=True, exist_ok=True)
    write_silence(model, out)
    voices = load_audio([f / r["vocal"] for f, r in rows], config.codec.rate, config.codec.hop, device, workers)
    with_accomp = [i for i, (_, r) in enumerate(rows) if r["accomp"]]
    accomps: AudioBank | None = None
    if with_accomp:
        paths = [rows[i][0] / rows[i][1]["accomp"] for i in with_accomp]
        accomps = load_audio(paths, config.codec.rate, config.codec.hop, device, workers)
    place = {row: clip for clip, row in enumerate(with_accomp)}
    pitches = {folder: np.load(folder / "f0.npz") for folder in packs}
    tensors: dict[str, Tensor] = {}
    kept: list[Row] = []
    size, shard, minutes = 0, 0, 0.0

    def flush() -> None:
        nonlocal tensors, kept, size, shard
        if kept:
            save_file(tensors, out / f"{shard:03d}.safetensors")
            lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in kept)
            (out / f"{shard:03d}.jsonl").write_text(lines, encoding="utf-8")
        tensors, kept, size, shard = {}, [], 0, shard + 1

    for i, (folder, row) in enumerate(rows):
        length = int(voices.length[i])
        stems = voices.gather(voices.start[i : i + 1], length)
        if i in place and accomps is not None:
            clip = place[i]
            accomp = accomps.gather(accomps.start[clip : clip + 1], min(length, int(accomps.length[clip])))
            stems = torch.cat([stems, torch.nn.functional.pad(accomp, (0, length - accomp.shape[1]))])
        hz = pitches[folder][row["id"]]
        others = [warped(row, stems, hz, semitones, config.codec.hop) for semitones in warps]
        for one, sound, pitch in [(row, stems, hz), *others]:
            accomp = sound[1:] if len(sound) > 1 else None
            for name, value in encode_row(model, one, sound[:1], accomp, pitch).items():
                tensors[f"{len(kept)}.{name}"] = value.cpu().contiguous()
                size += value.numel() * value.element_size()
            kept.append(one)
            minutes += sound.shape[1] / config.codec.rate / 60
            if size > shard_bytes - (1 << 20):
                flush()
    flush()
    report(f"{len(rows)} clips, {minutes:.0f} minutes encoded")


def load_features(folders: list[Path]) -> list[tuple[Row, dict[str, Tensor]]]:
    """(row, its tensors) of every clip in the shards of these folders, be they `encode_packs`'s or WebDataset's."""
    clips = []
    for folder in folders:
        for path in sorted(folder.glob("[0-9]*.safetensors")):
            tensors = load_file(path)
            rows = path.with_suffix(".jsonl").read_text(encoding="utf-8").splitlines()
            for i, line in enumerate(rows):
                prefix = f"{i}."
                clips.append(
                    (json.loads(line), {k[len(prefix) :]: v for k, v in tensors.items() if k.startswith(prefix)})
                )
        clips += read_shards(folder)
    if not clips:
        raise FileNotFoundError(f"no feature shards in {', '.join(map(str, folders))}")
    return clips
