"""What the network is given. The only place where the four tasks differ: below it nothing knows a task.

Which modalities a task sees is read off the mask table that the model was trained with (`model.conditioning.masks_of`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from unisinger_cli.stages.clock import phoneme_frames, phoneme_spans, pitch_frames, score_frames
from unisinger_cli.types import Condition, Content, Ints, Pitch, Score, SongPlan, Timbre

if TYPE_CHECKING:
    from unisinger_cli.model.config import ModelConfig

SONG, CONVERT, CLONE, CONVERT_WITH_ACCOMPANIMENT = range(4)  # the paper's task numbers


def _tags(config: ModelConfig, tags: Sequence[str]) -> Ints:
    """Ids of the tags; "singing" and "fullband" are always asked for."""
    wanted = dict.fromkeys([*tags, "singing", "fullband"])
    return np.array([config.tags.index(tag) for tag in wanted], dtype=np.int64)


def _condition(config: ModelConfig, task: int, frames: int, **given: object) -> Condition:
    """Of what is given, what the task's masks let through."""
    from unisinger_cli.model.conditioning import masks_of

    mask = masks_of(config.flow)[task]
    seen = {"phonemes": mask.phoneme, "content": mask.semantic, "timbre": mask.speaker, "tags": mask.instruct}
    kept = {name: value for name, value in given.items() if seen.get(name, True)}
    absent = dict.fromkeys(("phonemes", "content", "pitch", "score", "tags", "timbre"))
    return Condition(task=task, frames=frames, groups=mask.groups, **(absent | kept))


def from_plan(config: ModelConfig, plan: SongPlan, timbre: Timbre | None, rng: np.random.Generator) -> Condition:
    """A song: task 2 with a reference voice, task 0 without."""
    rate = config.codec.frame_rate
    frames = int(np.ceil(plan.seconds * rate))
    return _condition(
        config,
        SONG if timbre is None else CLONE,
        frames,
        phonemes=phoneme_frames(phoneme_spans(plan), frames, rate, config.phoneme_ids),
        pitch=pitch_frames(plan, frames, rate, rng),
        score=score_frames(plan.score, frames, rate),
        tags=_tags(config, plan.tags),
        timbre=timbre,
    )


def from_recording(
    config: ModelConfig,
    content: Content,
    pitch: Pitch,
    timbre: Timbre,
    score: Score | None,
    tags: Sequence[str],
    singer: Timbre | None = None,
) -> Condition:
    """A conversion: task 3 where a score for a new accompaniment is given, task 1 without. `singer` is who sings in the
    recording."""
    frames = len(content.tokens)
    hz = np.zeros(frames, dtype=np.float32)
    hz[: len(pitch.hz)] = pitch.hz[:frames]
    return _condition(
        config,
        CONVERT if score is None else CONVERT_WITH_ACCOMPANIMENT,
        frames,
        content=content.tokens,
        pitch=hz,
        score=None if score is None else score_frames(score, frames, content.frame_rate),
        tags=_tags(config, tags),
        timbre=timbre,
        singer=singer,
    )
