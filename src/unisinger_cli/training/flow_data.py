"""What the flow learns from: windows of the corpus, a task for each, and its masks."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from unisinger_cli.model.conditioning import MASKS, Conditions, masks_of
from unisinger_cli.model.config import ModelConfig
from unisinger_cli.model.sounds import SoundTable
from unisinger_cli.stages.clock import score_frames
from unisinger_cli.training.curriculum import DROPOUT
from unisinger_cli.training.dataset import Row, draw_by, score_of
from unisinger_cli.training.features import LATENT_STEP
from unisinger_cli.training.references import Clip, References

# How often tracks are drawn, beside recordings of speech as they are.
_WARPED = 0.5
_ACCOMPANIED = 1.0  # all of these, beside all others: a factory makes as many as it is asked for
_SONG = 3.0  # real singing, of which there are minutes


@dataclass
class Batch:
    """Windows to learn from."""

    latents: Tensor  # [b, groups, n, c]
    conditions: Conditions  # under randomly drawn tasks
    learned: Tensor  # bool [b, n], which frames are to be learned
    labels: Tensor  # int64 [b, n], phonemes, -1 where nobody knows
    speaker: Tensor  # int64 [b]
    keyed: Tensor  # bool [b], sung, not spoken


class FlowData:
    """All frames of all clips on the device, and the *tracks* that windows are cut from.

    A track is a list of frames: a song, or a speaker's clips one after the other, filled up with silence to at least a
    window. Track kinds differ in what is known of them: only songs have an accompaniment, only transcribed
    clips phonemes.
    """

    def __init__(
        self,
        clips: list[Clip],
        silence: dict[str, Tensor],
        config: ModelConfig,
        device: torch.device,
        size: int,
        sounds: SoundTable,
    ) -> None:
        self.config, self.size, self.window = config, size, config.flow.window
        pause = config.phonemes.index("_")
        rows = [row for row, _ in clips]
        lengths = [len(tensors["hz"]) for _, tensors in clips]
        starts = np.cumsum([1, *lengths[:-1]])  # frame 0 is silence
        join = lambda name, first: torch.cat([first, *(t[name] for _, t in clips)]).to(device)  # noqa: E731
        self.vocal = join("vocal", silence["vocal"])
        self.hz = join("hz", torch.zeros(1, dtype=torch.float16)).float()
        self.phonemes = join("phonemes", torch.tensor([pause], dtype=torch.int8)).long()
        self.content = torch.cat([silence["content"], *(t["content"] for _, t in clips)], dim=1).to(device)
        with_accomp = [i for i, (_, t) in enumerate(clips) if t["accomp"].numel()]
        quiet = silence["vocal"]
        self.accomp = torch.cat([quiet, *(clips[i][1]["accomp"] for i in with_accomp)]).to(device)
        self.to_accomp = torch.zeros(len(self.hz), dtype=torch.long, device=device)
        scores = torch.zeros(len(self.hz), config.score_dim, dtype=torch.float16)
        tags = torch.zeros(len(clips), len(config.tags))
        position = 1
        for i, row in enumerate(rows):
            if clips[i][1]["accomp"].numel():
                span = torch.arange(lengths[i], device=device)
                self.to_accomp[starts[i] + span] = position + span
                position += lengths[i]
            score = score_of(row)
            if score is not None:
                frames = score_frames(score, lengths[i], config.codec.frame_rate)
                scores[starts[i] : starts[i] + lengths[i]] = torch.from_numpy(frames).half()
            for tag in row["tags"]:
                tags[i, config.tags.index(tag)] = 1
        self.score = scores.to(device)
        if not sounds.said.any():  # a flow that was trained before keeps what was usual to it
            sounds.fit(self.vocal.float() * LATENT_STEP, self.content[0].long(), self.phonemes)
        self.references = References(clips, starts.tolist(), self.vocal, self.content[0], sounds, config)
        self.height = self._heights(rows, lengths, starts)
        self._lay_tracks(rows, lengths, starts, tags, device)

    def _heights(self, rows: list[Row], lengths: list[int], starts: Any) -> Tensor:
        """Where each speaker's voice lies, [speakers]: the mean log2 of its F0 in Hz."""
        ids = self.references.speaker_id
        whose = torch.tensor([ids[row["speaker"]] for row in rows]).repeat_interleave(torch.tensor(lengths))
        hz = self.hz[int(starts[0]) :].cpu()
        voiced = hz > 0
        total, count = torch.zeros(2, len(ids))
        total.index_add_(0, whose[voiced], hz[voiced].log2())
        count.index_add_(0, whose[voiced], torch.ones(int(voiced.sum())))
        return (total / count.clamp_min(1)).to(self.hz.device)

    def _lay_tracks(self, rows: list[Row], lengths: list[int], starts: Any, tags: Tensor, device: torch.device) -> None:
        groups: dict[tuple[Any, ...], list[int]] = defaultdict(list)
        for i, row in enumerate(rows):
            alone = row["accomp"] or row["kind"] in ("song", "factory")
            key = (row["speaker"], bool(row["phonemes"]), tuple(row["tags"]), row["id"] if alone else "")
            groups[key].append(i)
        frames, first, count, weight, speaker, allowed, track_tags, accompanied = [], [], [], [], [], [], [], []
        keyed = []
        position = 0
        for (name, spoken, _, _), members in groups.items():
            index = torch.cat([torch.arange(lengths[i]) + int(starts[i]) for i in members])
            if len(index) < self.window:
                index = torch.cat([index, torch.zeros(self.window - len(index), dtype=torch.long)])
            sample = rows[members[0]]
            song = bool(sample["accomp"])
            frames.append(index)
            first.append(position)
            count.append(len(index))
            share = (_SONG if sample["kind"] == "song" else 1.0) * (_WARPED if "speed" in sample else 1.0)
            weight.append(len(index) ** 0.5 * share)
            speaker.append(self.references.speaker_id[name])
            allowed.append([spoken, True, spoken, song])
            track_tags.append(tags[members[0]])
            accompanied.append(song)
            keyed.append(sample["kind"] != "speech")
            position += len(index)
        self.frames = torch.cat(frames).to(device)
        self.first, self.count = torch.tensor(first, device=device), torch.tensor(count, device=device)
        self.speaker = torch.tensor(speaker, device=device)
        self.tags = torch.stack(track_tags).to(device)
        self.accompanied, self.keyed = torch.tensor(accompanied, device=device), torch.tensor(keyed, device=device)
        self.allowed = torch.tensor(allowed, dtype=torch.float32, device=device)  # tracks x tasks
        self.spoken = self.allowed[:, 0] > 0
        self.weight = torch.tensor(weight, device=device)
        with_band, alone = self.weight[self.accompanied], self.weight[~self.accompanied]
        if len(with_band) and len(alone):
            self.weight[self.accompanied] = with_band * _ACCOMPANIED * alone.sum() / with_band.sum()
        self.task_weight = torch.zeros(len(MASKS), device=device)
        masks = [(m.phoneme, m.semantic, m.speaker, m.instruct) for m in masks_of(self.config.flow)]
        self.masks = torch.tensor(masks, device=device)
        self.mask_groups = torch.tensor(
            [[g in m.groups for g in self.config.flow.groups] for m in MASKS], device=device
        )

    def cut(self, track: Tensor, frames: int) -> Tensor:
        """Frame numbers [b, frames] of a stretch of each of these tracks [b], wherever it falls; at most a window."""
        offset = (torch.rand(len(track), device=track.device) * (self.count[track] - frames + 1)).long()
        return self.frames[(self.first[track] + offset)[:, None] + torch.arange(frames, device=track.device)]

    def draw(self) -> Batch:
        """Windows of tracks, each under a task that is allowed there."""
        device, b = self.frames.device, self.size
        # the pair (track, task) is drawn at once, so that every task comes up as often as its stage says
        share = self.allowed * self.weight[:, None]
        share = share / share.sum(0).clamp_min(1e-9) * self.task_weight
        pair = draw_by(share.T.flatten().cumsum(0), b)
        task, track = pair // len(self.weight), pair % len(self.weight)
        index = self.cut(track, self.window)
        vocal = self.vocal[index].float() * LATENT_STEP
        accomp = self.accomp[self.to_accomp[index]].float() * LATENT_STEP
        variant = torch.randint(self.content.shape[0], (b, 1), device=device)
        phonemes = self.phonemes[index]
        on = dict(zip(("phoneme_on", "semantic_on", "speaker_on", "instruct_on"), self.masks[task].T, strict=True))
        on["pitch_on"] = on["score_on"] = torch.ones_like(on["phoneme_on"])
        on["phoneme_on"] = on["phoneme_on"] & self.spoken[track]  # words that nobody knows are shown in no task
        on = {name: value & (torch.rand(b, device=device) >= DROPOUT[name]) for name, value in on.items()}
        groups_on = self.mask_groups[task].clone()
        groups_on[:, 1] &= self.accompanied[track]
        on["score_on"] = on["score_on"] & self.accompanied[track]
        learned = self.references.split(self.speaker[track], index)
        conditions = Conditions(
            task=task,
            phonemes=phonemes.clamp_min(0),
            content=self.content[variant, index].long(),
            **self.references.draw(self.speaker[track], index, learned),
            pitch=self.hz[index],
            score=self.score[index].float(),
            tags=self.tags[track],
            groups_on=groups_on,
            **on,
        )
        latents = torch.stack([vocal, accomp], dim=1)
        return Batch(latents, conditions, learned, phonemes, self.speaker[track], self.keyed[track])
