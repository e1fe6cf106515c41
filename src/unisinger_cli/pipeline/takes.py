"""Several takes of one song or conversion: what they share is done once, and the best is told by what was measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from unisinger_cli.pipeline.reporter import Reporter
from unisinger_cli.requests import SamplerConfig
from unisinger_cli.types import Result

# What a measure of `pipeline.scores` adds to a take's merit, for each unit of it: 5 cents, 0.05 of likeness to the
# voice, 0.05 of correlation (it falls with octave jumps, which a median of cents does not see) and one frame in forty
# that sounds where it should not, or the reverse, are held for equally bad. Of six takes of a song of four lines by the
# bundled model the standard deviations were 0.006 of likeness, 0.0012 of voicing, 0.1 cents and 0.0001 of correlation:
# among good takes the voice decides, and one that broke somewhere loses by its pitch or its voicing.
WEIGHTS = {
    "similarity_to_reference": 1.0,
    "pitch_correlation": 1.0,
    "pitch_error_cents": -0.01,
    "voicing_error": -2.0,
}
WORST = {"similarity_to_reference": 0.0, "pitch_correlation": 0.0, "pitch_error_cents": 100.0, "voicing_error": 1.0}


class Rehearsal(Protocol):
    """A song or a conversion up to the singing."""

    def take(self, sampler: SamplerConfig, reporter: Reporter) -> Result: ...


def merit(scores: Mapping[str, float | None]) -> float:
    """One number for what was measured on a voice: more is better. A measure that could not be taken counts as bad as
    it can be, which changes nothing where it can be taken of no take."""
    found = {name: WORST[name] if scores.get(name) is None else float(scores[name] or 0.0) for name in WEIGHTS}
    return sum(weight * found[name] for name, weight in WEIGHTS.items())


def following(first: SamplerConfig, count: int) -> list[SamplerConfig]:
    """Those of the `count` takes after the one that is given: of take 0, takes 1 to `count`."""
    return [replace(first, take=first.take + i) for i in range(1, count + 1)]


@dataclass(frozen=True)
class Told:
    """Passes progress on, and says of which take it is."""

    reporter: Reporter
    about: str

    def stage(self, name: str) -> None:
        self.reporter.stage(f"{self.about}: {name}")

    def step(self, i: int, n: int) -> None:
        self.reporter.step(i, n)

    def note(self, text: str) -> None:
        self.reporter.note(text)


def sung(rehearsal: Rehearsal, takes: Sequence[SamplerConfig], reporter: Reporter) -> Iterator[Result]:
    """Each take, one after the other."""
    for i, sampler in enumerate(takes, 1):
        told = reporter if len(takes) == 1 else Told(reporter, f"take {i} of {len(takes)}")
        yield rehearsal.take(sampler, told)


def best(
    rehearsal: Rehearsal, takes: Sequence[SamplerConfig], reporter: Reporter
) -> tuple[Result, SamplerConfig, list[dict[str, Any]]]:
    """The take of the most merit (of several, the first), and what is told of all: number, merit and scores."""
    account: list[dict[str, Any]] = []
    kept: tuple[Result, SamplerConfig] | None = None
    for sampler, result in zip(takes, sung(rehearsal, takes, reporter), strict=True):
        account.append({"take": sampler.take, "merit": round(merit(result.scores), 6), "scores": dict(result.scores)})
        if kept is None or merit(result.scores) > merit(kept[0].scores):
            kept = result, sampler
    if kept is None:
        raise ValueError("no takes were asked for")
    return *kept, account
