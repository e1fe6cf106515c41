"""What an ablation shows: means and spreads over seeds, and whether they bear the paper's claims out.

The paper (arXiv 2606.07015) reports songs with more phoneme errors and less of the voice without its task masks (PER
19.61 to 25.83 %, SIM 68.85 to 60.99 %), and puts a song's likeness to unseen voices down to the speaker space that it
shares with conversion.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import comb
from statistics import stdev
from typing import Any

from unisinger_cli.evaluation.findings import mean
from unisinger_cli.evaluation.report import number
from unisinger_cli.training.curriculum import FULL, VARIANTS

HEADINGS = ("PART", "SCORE", "VARIANT", "MEAN", "SPREAD", "SEEDS", "CONTROL", "OF")
HOLDS, LEANS, FAILS, UNKNOWN = "holds", "holds in the mean only", "does not hold", "cannot be told"


@dataclass(frozen=True)
class Measure:
    """A score that is compared. The control of an error is its floor; that of a likeness is what no likeness gives."""

    part: str
    score: str
    higher_is_better: bool = True

    def better(self, one: float, other: float) -> bool:
        return one > other if self.higher_is_better else one < other


SONG_ERRORS = Measure("song", "phoneme_error_rate", higher_is_better=False)
SONG_LIKENESS = Measure("song", "similarity_to_reference")
SONG_RECOGNISED = Measure("song", "recognised_among_all")
CONVERT_ERRORS = Measure("convert", "phoneme_error_rate", higher_is_better=False)
CONVERT_LIKENESS = Measure("convert", "similarity_to_reference")
CONVERT_RECOGNISED = Measure("convert", "recognised_among_all")
MEASURES = (SONG_ERRORS, SONG_LIKENESS, SONG_RECOGNISED, CONVERT_ERRORS, CONVERT_LIKENESS, CONVERT_RECOGNISED)


@dataclass(frozen=True)
class Claim:
    """That the method as it is does better than without something, by all of some measures."""

    text: str
    variant: str  # the one that should do worse
    measures: tuple[Measure, ...]


CLAIMS = (
    Claim("Without masks, songs lose words and voice", "no-masks", (SONG_ERRORS, SONG_LIKENESS)),
    Claim("Without masks, conversions lose words and voice", "no-masks", (CONVERT_ERRORS, CONVERT_LIKENESS)),
    Claim("Songs take on unseen voices better for conversion", "songs", (SONG_LIKENESS, SONG_RECOGNISED)),
    Claim("They do so by the one speaker space", "two-spaces", (SONG_LIKENESS, SONG_RECOGNISED)),
    Claim("Conversions are better for songs", "conversion", (CONVERT_ERRORS, CONVERT_LIKENESS)),
)
PAPER = CLAIMS[0], CLAIMS[2]  # of these it has figures, or makes its case


@dataclass(frozen=True)
class Run:
    """What was measured of one checkpoint: `parts` as `findings.as_data` gives them."""

    variant: str
    seed: int
    parts: Sequence[Mapping[str, Any]]

    def score(self, measure: Measure) -> Mapping[str, Any] | None:
        scores = (s for part in self.parts if part["part"] == measure.part for s in part["scores"])
        found = next((s for s in scores if s["name"] == measure.score), None)
        return None if found is None or found["value"] is None else found


@dataclass(frozen=True)
class Cell:
    """One measure of one variant over seeds. `spread` is the standard deviation, None of a single seed."""

    measure: Measure
    variant: str
    values: tuple[float, ...]
    control: float | None
    against: str

    @property
    def mean(self) -> float:
        return sum(self.values) / len(self.values)

    @property
    def spread(self) -> float | None:
        return stdev(self.values) if len(self.values) > 1 else None

    @property
    def says_nothing(self) -> bool:
        """Whether it is no better than where nothing should be found."""
        floor = not self.measure.higher_is_better
        return not floor and self.control is not None and not self.measure.better(self.mean, self.control)

    def __str__(self) -> str:
        return number(self.mean) + ("" if self.spread is None else f" ± {number(self.spread)}")


def table(runs: Iterable[Run]) -> list[Cell]:
    """All that was measured, measure by measure, the variants in their order."""
    every = list(runs)
    cells = []
    for measure in MEASURES:
        for variant in VARIANTS:
            scores = [s for run in every if run.variant == variant and (s := run.score(measure)) is not None]
            if scores:
                control = mean(s["control"] for s in scores)
                values = tuple(s["value"] for s in scores)
                cells.append(Cell(measure, variant, values, control, scores[0]["against"]))
    return cells


@dataclass(frozen=True)
class Verdict:
    """What the figures say of a claim, and why, a line for each of its measures."""

    claim: Claim
    answer: str
    reasons: tuple[str, ...]


def judge(claim: Claim, cells: Sequence[Cell]) -> Verdict:
    """A claim holds where by every measure every seed with is better than every seed without."""
    found = [_compare(measure, claim.variant, cells) for measure in claim.measures]
    answers = [answer for answer, _ in found]
    worst = next(answer for answer in (UNKNOWN, FAILS, LEANS, HOLDS) if answer in answers)
    return Verdict(claim, worst, tuple(reason for _, reason in found))


def _compare(measure: Measure, variant: str, cells: Sequence[Cell]) -> tuple[str, str]:
    mine = {cell.variant: cell for cell in cells if cell.measure == measure}
    name = f"{measure.part} {measure.score}"
    if FULL not in mine or variant not in mine:
        absent = " and ".join(one for one in (FULL, variant) if one not in mine)
        return UNKNOWN, f"{name}: not measured of {absent}"
    full, without = mine[FULL], mine[variant]
    if full.control is None:
        return UNKNOWN, f"{name}: {FULL} {full}, {variant} {without}, and no control"
    told = f"{name}: {FULL} {full}, {variant} {without} ({full.against} {number(full.control)})"
    if full.says_nothing and without.says_nothing:
        return UNKNOWN, f"{told}; neither is better than its control"
    if not measure.better(full.mean, without.mean):
        return FAILS, told
    n, m = len(full.values), len(without.values)
    if min(n, m) < 2:
        return LEANS, f"{told}; of a single seed no spread is known"
    if all(measure.better(one, other) for one in full.values for other in without.values):
        return HOLDS, f"{told}; every seed beyond every other, which chance does once in {comb(n + m, n)}"
    return LEANS, f"{told}; the seeds overlap"


def statement(verdicts: Sequence[Verdict]) -> str:
    """Whether the paper's direction holds, in one sentence."""
    answers = {verdict.claim: verdict.answer for verdict in verdicts}
    masks, transfer = (answers[claim] for claim in PAPER)
    if masks == transfer:
        return f"The paper's direction {masks}, of the masks and of voices from conversion to song."
    return f"The paper's direction {masks} of the masks, and {transfer} of voices from conversion to song."


def lines(verdicts: Sequence[Verdict]) -> list[str]:
    """Each claim with its answer and its reasons, and what that comes to."""
    told = []
    for verdict in verdicts:
        told.append(f"{verdict.claim.text}: {verdict.answer}.")
        told += [f"  {reason}" for reason in verdict.reasons]
    return [*told, statement(verdicts)]


def rows(cells: Sequence[Cell]) -> list[list[str]]:
    """The table under HEADINGS."""
    return [list(HEADINGS)] + [
        [
            cell.measure.part,
            cell.measure.score,
            cell.variant,
            number(cell.mean),
            number(cell.spread),
            str(len(cell.values)),
            number(cell.control),
            cell.against,
        ]
        for cell in cells
    ]
