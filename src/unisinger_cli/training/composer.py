"""Training of the composer: each choice by maximum likelihood over the events of scores, in about a minute on a CPU."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch.nn import functional as F

from unisinger_cli.model.composer import Choice, Composer, offsets, shapes

EPOCHS, BATCH, RATE, DECAY = 16, 256, 4e-3, 0.1


def learn(
    events: Mapping[str, np.ndarray], about: dict[str, object], *, seed: int, report: Callable[[str], None]
) -> Composer:
    """A composer from events by choice, int64 [events, features + 1]; the same for the same events and seed.

    Raises ValueError where a choice has no events.
    """
    choices = {}
    for number, (name, rows) in enumerate(events.items()):
        if not len(rows):
            raise ValueError(f"the scores hold no event of the choice {name!r}")
        choices[name], loss = _train_choice(name, torch.from_numpy(rows), seed + number)
        report(f"{name}: {len(rows)} events, {loss:.3f} nats each")
    return Composer(choices, about)


def _train_choice(name: str, rows: torch.Tensor, seed: int) -> tuple[Choice, float]:
    """AdamW under a cosine; the mean loss over the last epoch is told too."""
    lots = torch.Generator().manual_seed(seed)
    embed, out, bias = (torch.randn(shape, generator=lots) for shape in shapes(name).values())
    bias = (torch.bincount(rows[:, -1], minlength=len(bias)) + 0.5).log()  # from how often each class is chosen
    parameters = [embed.mul_(0.1).requires_grad_(), out.mul_(0.1).requires_grad_(), bias.requires_grad_()]
    steps = EPOCHS * -(-len(rows) // BATCH)
    optimiser = torch.optim.AdamW(parameters, lr=RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    context, chosen = rows[:, :-1] + torch.from_numpy(offsets(name)), rows[:, -1]
    last: list[float] = []
    for epoch in range(EPOCHS):
        for batch in torch.randperm(len(rows), generator=lots).split(BATCH):
            hidden = F.embedding_bag(context[batch], embed, mode="sum").tanh()  # [b, WIDTH]
            loss = F.cross_entropy(hidden @ out + bias, chosen[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            if epoch == EPOCHS - 1:
                last.append(loss.item() * len(batch))
    embed, out, bias = (value.detach().numpy() for value in parameters)
    return Choice(name, embed, out, bias), sum(last) / len(rows)
