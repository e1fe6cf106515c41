"""Training of the flow: one loss over all tasks, and lessons beside it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from unisinger_cli.model.conditioning import MASKS
from unisinger_cli.model.flow import Flow
from unisinger_cli.training.critic import CriticLoss
from unisinger_cli.training.curriculum import CURRICULUM, Stage, stage_at
from unisinger_cli.training.features import LATENT_STEP
from unisinger_cli.training.flow_data import FlowData
from unisinger_cli.training.growth import hand_over
from unisinger_cli.training.lessons import Lessons
from unisinger_cli.training.loop import Trainee
from unisinger_cli.training.optim import Phase

_CRITIC_RATE = 1e-3
_UNTRUSTED = 0.1  # share of a run after which the critic is fully believed
_HELD_OUT = 4  # batches of what is not learned from, for a line of the log
LESSON_RATE = 0.3  # learning rate of lessons, of that of the recordings


class FlowLoss(nn.Module):
    def __init__(self, flow: Flow, data: FlowData) -> None:
        super().__init__()
        self.flow, self.data = flow, data

    def forward(self) -> dict[str, Tensor]:
        batch = self.data.draw()
        latents, conditions = batch.latents, batch.conditions
        with torch.autocast(latents.device.type, torch.bfloat16, enabled=latents.device.type == "cuda"):
            errors = self.flow.loss(latents, conditions, batch.learned)
        present = conditions.groups_on.float()
        losses = {"loss": errors.sum() / present.sum()}
        for task in range(len(MASKS)):
            mine = (conditions.task == task).float()[:, None] * present
            losses[f"task{task}"] = (errors * mine).sum() / mine.sum().clamp_min(1)
        losses["vocal"] = errors[:, 0].mean()
        losses["accomp"] = errors[:, 1].sum() / present[:, 1].sum().clamp_min(1)
        return losses


class FlowTrainee(Trainee):
    """The curriculum moves the task weights in place; the phases stay the same. A flow that has been trained before
    goes on in the last stage; where it had no linear flow beside it, it gets one.
    `lessons` are learned beside the recordings, by an optimiser of their own: so neither drowns the other, whatever
    their losses are: `lesson_rate`, their learning rate of that of the recordings, says how far a flow may go from
    these to please its listener. `unlearned` is only measured: where its loss stays behind, the flow learns its
    recordings by heart."""

    def __init__(
        self,
        flow: Flow,
        data: FlowData,
        rate: float,
        stages: Sequence[Stage] = CURRICULUM,
        lessons: Lessons | None = None,
        lesson_rate: float = LESSON_RATE,
        unlearned: FlowData | None = None,
    ) -> None:
        self.model: nn.Module = flow
        self.data, self.stages = data, stages
        self.unlearned = FlowLoss(flow, unlearned) if unlearned is not None else None
        self.trained = bool(flow.network.latent_out.weight.any())  # zero at first
        linear = flow.network.linear
        if not self.trained or not linear.share[:, linear.levels :].any():
            latents = [LATENT_STEP * group.float() for group in (data.vocal, data.accomp)]
            if self.trained:
                hand_over(flow.network, latents)
            else:
                linear.fit(latents)
        self.lessons = lessons
        weights = list(flow.parameters())
        self._phases = [Phase("flow", FlowLoss(flow, data), weights, rate, betas=(0.9, 0.98))]
        if lessons is not None:
            self._phases.append(Phase("lessons", lessons, weights, rate * lesson_rate, betas=(0.9, 0.98), decay=0.0))
            critic = lessons.critic
            self.beside = {"critic": critic}
            learns = CriticLoss(critic, lessons.heard)
            self._phases.append(Phase("critic", learns, list(critic.parameters()), _CRITIC_RATE, betas=(0.5, 0.9)))

    def phases(self, progress: float) -> list[Phase]:
        return self._phases

    def advance(self, progress: float, step: int) -> None:
        weights = stage_at(1.0 if self.trained else progress, self.stages).weights
        self.data.task_weight.copy_(torch.tensor(weights))
        if self.lessons is not None:  # the critic first has to learn something
            self.lessons.trust.fill_(min(1.0, progress / _UNTRUSTED))

    def held_out(self) -> dict[str, float]:
        if self.unlearned is None:
            return {}
        self.unlearned.data.task_weight.copy_(self.data.task_weight)
        # derivatives are kept, though nobody asks for them: without, compiled blocks would be compiled once more
        found = [{k: v.detach() for k, v in self.unlearned().items()} for _ in range(_HELD_OUT)]
        return {name: float(sum(losses[name] for losses in found)) / _HELD_OUT for name in found[0]}
