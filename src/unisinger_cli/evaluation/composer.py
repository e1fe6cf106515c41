"""How well the composer foretells scores that it never saw, in nats an event, beside controls."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from unisinger_cli.corpus.events import events
from unisinger_cli.corpus.scores import entries
from unisinger_cli.corpus.splits import TEST, TRAIN
from unisinger_cli.model.composer import CLASSES, FEATURES, Composer
from unisinger_cli.types import Ints


@dataclass(frozen=True)
class HeldOut:
    """Mean negative log-likelihood (nats) of `events` events: `nats` are those of the composer, of how often each class
    is chosen in the train split, of chance, and of the composer with its contexts dealt out anew."""

    events: int
    nats: tuple[float, float, float, float]


def held_out(composer: Composer, lieder: Path, pop909: Path, *, seed: int = 0) -> dict[str, HeldOut]:
    """Each choice of the test composers and test songs. Dealt-out contexts show what the order is worth: every event
    keeps its class, and is told by the context of another."""
    listed = entries(lieder, pop909)
    learned, met = (events([each for each in listed if each.split == split]) for split in (TRAIN, TEST))
    return {name: compare(composer, name, learned[name], met[name], seed) for name in FEATURES}


def compare(composer: Composer, name: str, learned: Ints, met: Ints, seed: int) -> HeldOut:
    """Events of one choice, int64 [events, features + 1]: `learned` of the train split, `met` of the test split."""
    context, chosen = met[:, :-1], met[:, -1]
    counts = np.bincount(learned[:, -1], minlength=CLASSES[name]) + 0.5
    dealt = np.random.default_rng(seed).permutation(context)
    at = np.arange(len(chosen))
    nats = (
        -composer.log_probabilities(name, context)[at, chosen].mean(),
        -np.log(counts / counts.sum())[chosen].mean(),
        np.log(CLASSES[name]),
        -composer.log_probabilities(name, dealt)[at, chosen].mean(),
    )
    return HeldOut(len(chosen), (float(nats[0]), float(nats[1]), float(nats[2]), float(nats[3])))
