"""What was measured on an output: the honest numbers of every receipt.

The similarity here is by the model's own timbre encoder, which is a party to the case; `unisinger evaluate` has an
independent judge.
"""

from __future__ import annotations

import math

import numpy as np

from unisinger_cli.audio import decibels, loudness, true_peak
from unisinger_cli.errors import InputError
from unisinger_cli.pipeline.studio import Studio
from unisinger_cli.types import Floats, Pitch, Sound, Stems, Timbre


def pitch_agreement(made: Pitch, wanted: Floats) -> dict[str, float | None]:
    """Correlation of log-F0 and median error in cents where both [n] are voiced, and the share of frames whose
    voicing differs."""
    n = min(len(made.hz), len(wanted))
    a, b = made.hz[:n], wanted[:n]
    both = (a > 0) & (b > 0)
    voicing = float(np.mean((a > 0) != (b > 0))) if n else None
    if both.sum() < 10:
        return {"pitch_correlation": None, "pitch_error_cents": None, "voicing_error": voicing}
    x, y = np.log2(a[both]), np.log2(b[both])
    correlation = float(np.corrcoef(x, y)[0, 1]) if x.std() > 1e-6 and y.std() > 1e-6 else None
    cents = float(np.median(np.abs(1200 * (x - y))))
    return {"pitch_correlation": correlation, "pitch_error_cents": cents, "voicing_error": voicing}


def similarity(studio: Studio, voice: Sound, timbre: Timbre | None) -> float | None:
    """Cosine between a voice and a timbre; None without a timbre, or where too little sounds to tell."""
    if timbre is None:
        return None
    try:
        return float(np.dot(studio.singer(voice).vector, timbre.vector))
    except InputError:
        return None


def levels(stems: Stems) -> dict[str, float | None]:
    """Loudness and true peak of the mix."""
    lufs, peak = loudness(stems.mix), decibels(true_peak(stems.mix))
    return {
        "loudness_lufs": lufs if math.isfinite(lufs) else None,
        "true_peak_dbfs": peak if math.isfinite(peak) else None,
    }


def scores(
    studio: Studio, stems: Stems, wanted_hz: Floats | None, target: Timbre | None, source: Timbre | None
) -> dict[str, float | None]:
    """All that can be measured without a further model. `source` is the singer whom a conversion should leave."""
    vocal = stems.vocal
    found: dict[str, float | None] = {}
    if wanted_hz is not None:
        found |= pitch_agreement(studio.pitch(vocal), wanted_hz)
    found["similarity_to_reference"] = similarity(studio, vocal, target)
    if source is not None:
        found["similarity_to_source"] = similarity(studio, vocal, source)
    return found | levels(stems)
