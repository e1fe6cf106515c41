"""What `unisinger train PART` does: build a part on its data, run the loop, keep its averaged weights.

A run folder ends with `part.safetensors`: the averaged weights of that part alone, under the names they have in a
checkpoint. Later parts, and the bundle, take them by `init`. Its metadata tell how it was trained; of a flow, which
`variant` of the method it is, so that the bundle (`bundle.py`) builds the network that fits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from unisinger_cli.model.checkpoint import load_checkpoint, read_header
from unisinger_cli.model.config import PRESETS
from unisinger_cli.model.unisinger import UniSinger
from unisinger_cli.training import loop
from unisinger_cli.training.codec import CodecBatch, CodecTrainee
from unisinger_cli.training.content import ContentData, ContentLoss, ContentTrainee
from unisinger_cli.training.curriculum import FULL, VARIANTS
from unisinger_cli.training.dataset import AudioBank, Row, by_set, fit_track, label_frames, load_audio, read_packs
from unisinger_cli.training.features import SILENCE, load_features
from unisinger_cli.training.flow import LESSON_RATE, FlowTrainee
from unisinger_cli.training.flow_data import FlowData
from unisinger_cli.training.growth import with_levels
from unisinger_cli.training.latents import arrange_latents, measure_latents
from unisinger_cli.training.lessons import Lessons
from unisinger_cli.training.listener import Listener, ListenerTrainee
from unisinger_cli.training.timbre import TimbreData, TimbreLoss, TimbreTrainee

Report = Callable[[str], None]
PARTS = ("codec", "content", "timbre", "flow")
PART = "part.safetensors"  # what training leaves
BATCH = {"codec": 64, "decoder": 64, "content": 64, "timbre": 192, "listener": 256, "flow": 96}


def load_parts(model: UniSinger, files: list[Path]) -> list[str]:
    """Fill `model` from part files or whole checkpoints; returns the names of the parts found. Single blocks that a
    flow did not have yet begin by adding nothing to it, and so do levels that its latents did not have.

    Raises ValueError where a file holds something that does not fit, naming the file.
    """
    names: set[str] = set()
    for path in files:
        try:
            read_header(path)
            state = load_checkpoint(path).state_dict()
        except ValueError:
            state = {name: value.float() for name, value in load_file(path).items()}
        try:
            unexpected = model.load_state_dict(with_levels(state, model.config), strict=False).unexpected_keys
        except RuntimeError as error:
            raise ValueError(f"{path}: {error}") from error
        if unexpected:
            raise ValueError(f"{path} holds unknown weights, first {unexpected[0]}")
        names |= set(state)
    found = {name.split(".")[0] for name in names}
    if "flow" in found:
        for i, block in enumerate(model.flow.network.single):
            if f"flow.network.single.{i}.latent.out.weight" not in names:
                block.latent.start_silent()
    return sorted(found)


def save_part(model: UniSinger, part: str, path: Path, about: dict[str, str]) -> None:
    """The part's weights and buffers as fp16 (statistics as fp32), with what there is to tell about them."""
    state = {f"{part}.{k}": v for k, v in getattr(model, part).state_dict().items()}
    tensors = {k: (v.half() if v.ndim >= 2 else v.float()).contiguous().cpu() for k, v in state.items()}
    loop.save_whole(tensors, path, about)


def train(
    part: str,
    preset: str,
    data: list[Path],
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
    report: Report,
    variant: str = FULL,
    plain: bool = False,
    listener: Path | None = None,
    lesson_rate: float = LESSON_RATE,
    held_out: Sequence[Path] = (),
) -> None:
    """Train `part` on `data`: packs of recordings, or for listener and flow folders of features. `rate` scales the
    learning rates of the part; `variant`, one of VARIANTS, says what of the method a flow is trained without; `plain`
    trains a codec without harmonics, levels and adversary, as a baseline; a `listener` gives a flow lessons, at
    `lesson_rate` of the learning rate of the recordings; a flow's log tells its losses on `held_out`, too, folders of
    features that it does not learn from."""
    where = loop.pick_device(device)
    rank, _ = loop.distributed()
    torch.manual_seed(seed + 1000 * rank)
    torch.set_float32_matmul_precision("high")
    config = VARIANTS[variant].of(PRESETS[preset])
    model = UniSinger(replace(config, codec=config.codec.without_levels()) if plain else config)
    parts = load_parts(model, init)
    report(f"{part}: {preset} on {where}, starting from {', '.join(parts) if parts else 'nothing'}")
    model.to(where)
    size = BATCH[part] if batch is None else batch
    build: dict[str, Builder] = {
        "codec": partial(_codec, workers=workers, plain=plain),
        "decoder": partial(_decoder, workers=workers),
        "content": partial(_content, workers=workers),
        "timbre": partial(_timbre, workers=workers),
        "listener": _listener,
        "flow": partial(_flow, variant=variant, listener=listener, lesson_rate=lesson_rate, held_out=held_out),
    }
    trainee, keep = build[part](model, data, size, where)
    if resume:  # not the same draws again
        torch.manual_seed(seed + 1000 * rank + 1_000_000 * loop.steps_done(out))
    loop.run(
        trainee,
        out,
        device=where,
        seconds=seconds,
        steps=steps,
        rate=rate,
        ema_decay=0.999 if part == "flow" else 0.998,
        resume=resume,
        report=report if rank == 0 else lambda line: None,
    )
    if rank == 0:
        loop.take_average(trainee.model, out)
        keep(out / PART, {"seed": str(seed), "steps": str(loop.steps_done(out))})
    loop.leave()


# what is trained, and what writes its weights, with what there is to tell about them
Built = tuple[loop.Trainee, Callable[[Path, dict[str, str]], None]]
Builder = Callable[[UniSinger, list[Path], int, torch.device], Built]


def _rows(data: list[Path]) -> list[tuple[Path, Row]]:
    return [(folder, row) for folder, row in read_packs(data) if row["vocal"]]


def _codec_batch(
    model: UniSinger,
    data: list[Path],
    size: int,
    device: torch.device,
    workers: int,
    *,
    sourced: bool = True,
) -> CodecBatch:
    rate, hop = model.config.codec.rate, model.config.codec.hop
    # 8-bit recordings teach a codec to be noisy; narrow-band ones stay, for most low voices are in them, and latents
    # tell how bright a recording is
    rows = [(f, r) for f, r in _rows(data) if r["source_rate"] >= 16000 and r["set"] != "vb_kumi_zh"] or _rows(data)
    voices = load_audio([f / r["vocal"] for f, r in rows], rate, hop, device, workers)
    paths = [f / r["accomp"] for f, r in read_packs(data) if r["accomp"]]
    accomps = load_audio(paths, rate, hop, device, workers) if paths else None
    if sourced:
        model.codec.decoder.expect_harmonics()
    return CodecBatch(voices, _pitch_of(data, rows, voices), accomps, size, rate, sourced=sourced)


def _codec(model: UniSinger, data: list[Path], size: int, device: torch.device, workers: int, plain: bool) -> Built:
    batch = _codec_batch(model, data, size, device, workers, sourced=not plain)

    def keep(path: Path, about: dict[str, str]) -> None:
        (measure_latents if plain else arrange_latents)(model.codec, lambda: batch.draw()[0])
        save_part(model, "codec", path, about)

    return CodecTrainee(model.codec, batch, device), keep


def _decoder(model: UniSinger, data: list[Path], size: int, device: torch.device, workers: int) -> Built:
    batch = _codec_batch(model, data, size, device, workers)
    return CodecTrainee(model.codec, batch, device, decoder_only=True, adversary_from=0.5), partial(
        save_part, model, "codec"
    )


def _pitch_of(data: list[Path], rows: list[tuple[Path, Row]], bank: AudioBank) -> Tensor:
    """F0 of a bank of vocals, end to end as they are: [total latent frames], on the bank's device."""
    known = {folder: np.load(folder / "f0.npz") for folder in data}
    tracks = [
        fit_track(known[folder][row["id"]], length // bank.hop)
        for (folder, row), length in zip(rows, bank.length.tolist(), strict=True)
    ]
    return torch.from_numpy(np.concatenate(tracks)).to(bank.samples.device)


def _content(model: UniSinger, data: list[Path], size: int, device: torch.device, workers: int) -> Built:
    codec = model.config.codec
    rows = _rows(data)
    bank = load_audio([f / r["vocal"] for f, r in rows], codec.rate, codec.hop, device, workers)
    ids = model.config.phoneme_ids
    names = sorted({r["speaker"] for _, r in rows})
    labels = [
        label_frames(row, length // codec.hop, codec.frame_rate, ids)
        for (_, row), length in zip(rows, bank.length.tolist(), strict=True)
    ]
    speaker = torch.tensor([names.index(r["speaker"]) for _, r in rows], device=device)
    sounding = torch.from_numpy(np.concatenate(labels)).to(device)
    often = torch.tensor(by_set(rows), device=device)
    contents = ContentData(bank, sounding, _pitch_of(data, rows, bank), speaker, often, model.config, size)
    loss = ContentLoss(model.content, contents, len(names), model.config).to(device)
    return ContentTrainee(loss), partial(save_part, model, "content")


def _timbre(model: UniSinger, data: list[Path], size: int, device: torch.device, workers: int) -> Built:
    codec = model.config.codec
    rows = _rows(data)
    bank = load_audio([f / r["vocal"] for f, r in rows], codec.rate, codec.hop, device, workers)
    names = sorted({r["speaker"] for _, r in rows})
    speaker = torch.tensor([names.index(r["speaker"]) for _, r in rows], device=device)
    loss = TimbreLoss(model.timbre, TimbreData(bank, speaker, size), model.config.timbre.dim).to(device)
    return TimbreTrainee(loss), partial(save_part, model, "timbre")


def _flow_data(model: UniSinger, data: list[Path], size: int, device: torch.device) -> FlowData:
    clips, silence = load_features(data), load_file(data[0] / SILENCE)
    return FlowData(clips, silence, model.config, device, size, model.flow.network.conditions.sounds)


def _listener(model: UniSinger, data: list[Path], size: int, device: torch.device) -> Built:
    batches = _flow_data(model, data, size, device)
    voices = list(batches.references.speaker_id)
    config = model.config
    listener = Listener(config.codec.channels, len(config.phonemes), config.content.codes, voices).to(device)
    return ListenerTrainee(listener, batches), listener.save


def _flow(
    model: UniSinger,
    data: list[Path],
    size: int,
    device: torch.device,
    variant: str,
    listener: Path | None,
    lesson_rate: float,
    held_out: Sequence[Path],
) -> Built:
    batches = _flow_data(model, data, size, device)
    unlearned = _flow_data(model, list(held_out), size, device) if held_out else None
    lessons = None
    if listener is not None:
        lessons = Lessons(model.flow, batches, Listener.load(listener).to(device))
    if device.type == "cuda":  # norms, gates and rotations are many small kernels, and fused a third of the time
        for block in [*model.flow.network.joint, *model.flow.network.single]:
            block.compile(dynamic=False)
    stages = VARIANTS[variant].stages
    trainee = FlowTrainee(model.flow.train(), batches, 1e-3, stages, lessons, lesson_rate, unlearned)
    return trainee, lambda path, about: save_part(model, "flow", path, {**about, "variant": variant})
