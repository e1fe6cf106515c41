"""Classifier-free guidance: which conditions push away from their absence, when, and how hard."""

from __future__ import annotations

from unisinger_cli.requests import SamplerConfig
from unisinger_cli.types import Condition

# Flow times between which each condition guides. Who sings is settled early, out of the noise, and what is said late;
# where both push at once, words are lost (guidance in an interval: Kynkäänniemi et al. 2024, arXiv 2404.07724).
TURN = 0.4
SOURCE = "source"  # what leads away from the singer of a recording, beside the switches of conditions
GUIDED = {"speaker_on": (0.0, TURN), SOURCE: (0.0, TURN), "phoneme_on": (TURN, 1.0), "semantic_on": (TURN, 1.0)}


def guidance(c: Condition, sampler: SamplerConfig, t: float) -> dict[str, tuple[float, float]]:
    """Scales by switch for the vocal and the accompaniment at flow time `t`, of those conditions that are there to be
    followed and guide at that time: voice and words guide the vocal, style and harmony the accompaniment. A recording's
    own singer leads away from himself: tokens and pitch tell of him, too."""
    there = {
        "phoneme_on": c.phonemes is not None,
        "semantic_on": c.content is not None,
        "speaker_on": c.timbre is not None,
        SOURCE: c.timbre is not None and c.singer is not None,
        "instruct_on+score_on": len(c.groups) > 1,
    }
    return {name: scales for name, scales in guides(sampler, t).items() if there[name]}


def guides(sampler: SamplerConfig, t: float) -> dict[str, tuple[float, float]]:
    """The same of all conditions that guide in a solver step that begins at flow time `t`, whether they are there or
    not. A scale of 1 guides nowhere."""
    scales = {
        "phoneme_on": (sampler.words, 1.0),
        "semantic_on": (sampler.words, 1.0),
        "speaker_on": (sampler.voice, 1.0),
        SOURCE: (sampler.source, 1.0),
        "instruct_on+score_on": (1.0, sampler.accomp),
    }
    spans = {name: GUIDED.get(name, (0.0, 1.0)) for name in scales}
    return {
        name: scales[name] for name, (begin, end) in spans.items() if begin <= t < end and scales[name] != (1.0, 1.0)
    }
