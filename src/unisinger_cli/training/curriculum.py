"""The cumulative curriculum of the paper (arXiv 2606.07015): stage s trains tasks 0..s.

Which modalities a task sees is data in `model.conditioning.MASKS`, which inference reads too. Beside the method as it
is stand its *variants*, each without one part of it, for the ablation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from unisinger_cli.model.conditioning import MASKS
from unisinger_cli.model.config import ModelConfig


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


@dataclass(frozen=True)
class Variant:
    """The method, or what is left of it when one part is taken away; all else stays as it is."""

    tasks: tuple[int, ...] = (0, 1, 2, 3)
    task_masks: bool = True
    speaker_spaces: int = 1

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The curriculum with this variant's tasks alone; a stage that has none of them is left out."""
        kept = []
        for stage in CURRICULUM:
            weights = [weight if task in self.tasks else 0.0 for task, weight in enumerate(stage.weights)]
            if any(weights):
                kept.append(Stage(stage.begin if kept else 0.0, tuple(weight / sum(weights) for weight in weights)))
        return tuple(kept)

    def of(self, config: ModelConfig) -> ModelConfig:
        """The same network as this variant has it."""
        flow = replace(config.flow, task_masks=self.task_masks, speaker_spaces=self.speaker_spaces)
        return replace(config, flow=flow)


FULL = "full"
VARIANTS: dict[str, Variant] = {
    FULL: Variant(),
    "no-masks": Variant(task_masks=False),  # the paper's ablation: whatever a clip has is shown in every task
    "songs": Variant(tasks=(0, 2)),
    "conversion": Variant(tasks=(1, 3)),
    "two-spaces": Variant(speaker_spaces=2),  # what conversion teaches about a voice is not at hand for a song
}


def stage_at(progress: float, stages: Sequence[Stage] = CURRICULUM) -> Stage:
    """The stage that runs at this share (0..1) of the training."""
    return [stage for stage in stages if stage.begin <= progress][-1]


assert all(len(stage.weights) == len(MASKS) for stage in CURRICULUM)
