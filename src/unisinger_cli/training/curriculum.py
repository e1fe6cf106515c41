"""The cumulative curriculum of the paper (arXiv 2606.07015): stage s trains tasks 0..s.

Which modalities a task sees is data in `model.conditioning.MASKS`, which inference reads too.
"""

from __future__ import annotations

from dataclasses import dataclass

from unisinger_cli.model.conditioning import MASKS


@dataclass(frozen=True)
class Stage:
    """From `begin` (share of the run) on, tasks are drawn with these weights."""

    begin: float
    weights: tuple[float, ...]  # one for each task


CURRICULUM: tuple[Stage, ...] = (
    Stage(0.00, (1.0, 0.0, 0.0, 0.0)),
    Stage(0.08, (0.4, 0.6, 0.0, 0.0)),
    Stage(0.20, (0.2, 0.4, 0.4, 0.0)),
    Stage(0.35, (0.1, 0.3, 0.35, 0.25)),
)

# Shares of examples in which a modality that the task sees is nulled all the same, for classifier-free guidance.
DROPOUT = {
    "phoneme_on": 0.1,
    "semantic_on": 0.1,
    "speaker_on": 0.1,
    "instruct_on": 0.15,
    "pitch_on": 0.1,
    "score_on": 0.15,
}


def stage_at(progress: float) -> Stage:
    """The stage that runs at this share (0..1) of the training."""
    return [stage for stage in CURRICULUM if stage.begin <= progress][-1]


assert all(len(stage.weights) == len(MASKS) for stage in CURRICULUM)
