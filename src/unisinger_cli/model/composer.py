"""The composer: which chord, which note value, which step of the scale comes next. Numpy alone, 22,000 numbers.

Four choices are learned, each among a few classes in a context that is told by a few categories:

    chord    the chord of the next half bar: 12 roots above the tonic x QUALITIES
    onset    where in its bar a line begins, in sixteenths
    value    from a syllable to the next of its line: 1..16 sixteenths
    step     from a note to the next: -7..7 steps of the scale

A choice is a neural probabilistic language model (Bengio et al., JMLR 3, 2003) over such a context: with x_f the
category of feature f, and E_f, W, b learned, log p = log_softmax(W tanh(sum_f E_f[x_f]) + b).

    ...  any shape
    f    features of a choice
    k    classes of a choice
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

FORMAT = "1"
WIDTH = 48  # of the hidden layer
# Order of the qualities within a root; the names are those of `notation.keys.QUALITIES`.
QUALITIES = ("maj", "min", "dim", "aug", "sus4", "maj7", "min7", "7")
REPERTOIRES = ("pop", "lied")  # whose harmony: POP909's, or the Lieder's
CHORDS = 12 * len(QUALITIES)  # class = quality + 8 * (root above the tonic)
NO_CHORD = CHORDS  # before the first
SIXTEENTHS = 16  # in a bar of 4/4, and in the longest note value that is told apart
OCTAVE = 7  # steps of the scale; the farthest that a melody leaps
NO_STEP = 2 * OCTAVE + 1  # before the first note

# Features of each choice: name and number of categories.
FEATURES: dict[str, dict[str, int]] = {
    "chord": {"mode": 2, "repertoire": len(REPERTOIRES), "half bar": 8, "before": CHORDS + 1, "earlier": CHORDS + 1},
    "onset": {"syllables": 4, "stress": 2, "next stress": 2},
    "value": {
        "position": SIXTEENTHS, "before": SIXTEENTHS + 1, "stress": 2, "next stress": 2, "word ends": 2,
        "sung": 4, "to come": 5,
    },
    "step": {
        "mode": 2, "degree": 7, "root": 7, "before": NO_STEP + 1, "strength": 5, "length": 5, "length before": 5,
        "sung": 4, "to come": 5, "height": 15,
    },
}  # fmt: skip
CLASSES = {"chord": CHORDS, "onset": SIXTEENTHS, "value": SIXTEENTHS, "step": 2 * OCTAVE + 1}
Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Choice:
    """One learned choice: `embed` float32 [categories of all features, WIDTH], `out` [WIDTH, k], `bias` [k]."""

    name: str
    embed: Floats
    out: Floats
    bias: Floats

    def log_probabilities(self, context: Ints) -> Floats:
        """log p, float32 [..., k], in each context: categories, int64 [..., f], in the order of FEATURES."""
        hidden = np.tanh(self.embed[context + offsets(self.name)].sum(-2))  # [..., WIDTH]
        logits = hidden @ self.out + self.bias  # [..., k]
        logits -= logits.max(-1, keepdims=True)
        return (logits - np.log(np.exp(logits).sum(-1, keepdims=True))).astype(np.float32)


def chord_class(root: int, quality: str) -> int:
    """Class of a chord: its root in semitones above the tonic, 0..11, and one of QUALITIES."""
    return root * len(QUALITIES) + QUALITIES.index(quality)


def offsets(name: str) -> Ints:
    """Row of `embed` at which each feature of a choice begins, int64 [f]."""
    return np.cumsum([0, *FEATURES[name].values()])[:-1].astype(np.int64)


def shapes(name: str) -> dict[str, tuple[int, ...]]:
    """Shapes of a choice's tensors."""
    return {"embed": (sum(FEATURES[name].values()), WIDTH), "out": (WIDTH, CLASSES[name]), "bias": (CLASSES[name],)}


@dataclass(frozen=True)
class Composer:
    """All choices by name, and `about`: how and from what they were learned."""

    choices: Mapping[str, Choice]
    about: Mapping[str, Any]

    def log_probabilities(self, name: str, context: Ints) -> Floats:
        return self.choices[name].log_probabilities(context)


def save_composer(composer: Composer, path: Path) -> None:
    """Write `path`, whole or not at all; numbers as fp16."""
    tensors = {
        f"{choice.name}.{part}": getattr(choice, part).astype(np.float16)
        for choice in composer.choices.values()
        for part in shapes(choice.name)
    }
    temporary = path.with_name(path.name + ".part")
    save_file(tensors, temporary, metadata={"format": FORMAT, "about": json.dumps(dict(composer.about))})
    temporary.chmod(0o644)  # it is made for its owner alone, and is meant to be shared
    temporary.replace(path)


def load_composer(path: Path) -> Composer:
    """The composer in a file.

    Raises ValueError where it is no composer of ours or is damaged: another format, missing, unknown or misshapen
    tensors, or numbers that are not finite; OSError where it cannot be read.
    """
    expected = {f"{name}.{part}": shape for name in FEATURES for part, shape in shapes(name).items()}
    try:
        with safe_open(path, "numpy") as handle:
            metadata = handle.metadata() or {}
            if metadata.get("format") != FORMAT:
                raise ValueError(f"composer format {metadata.get('format')!r}, and this program reads format {FORMAT}")
            found = {name: handle.get_tensor(name) for name in handle.keys()}  # noqa: SIM118 it is no mapping
        about = json.loads(metadata.get("about", "{}"))
    except SafetensorError as error:
        raise ValueError(f"not a whole safetensors file ({error})") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"unreadable header ({error})") from error
    wrong = sorted(set(expected) ^ set(found))
    wrong += [name for name, shape in expected.items() if name in found and found[name].shape != shape]
    if wrong:
        raise ValueError(f"{len(wrong)} tensors are not those of a composer, first {wrong[:3]}")
    if not all(np.isfinite(value).all() for value in found.values()):
        raise ValueError("it holds numbers that are not finite")
    parts = {name: value.astype(np.float32) for name, value in found.items()}
    return Composer({name: Choice(name, **{p: parts[f"{name}.{p}"] for p in shapes(name)}) for name in FEATURES}, about)
