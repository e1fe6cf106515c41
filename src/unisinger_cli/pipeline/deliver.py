"""Stems and receipt to disk, all or none."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from unisinger_cli.audio import encode, landing, quantised
from unisinger_cli.types import Stems


def deliver(files: Mapping[str, Path], stems: Stems, receipt: str, exports: Mapping[str, bytes] | None = None) -> None:
    """Write the parts of `stems` that `files` names ("mix", "vocal", "accomp"), the text of the "receipt", and
    `exports` under their own names.

    The stems are put on the 24-bit grid before they are summed, so that the mix in a WAV or FLAC file is the
    sum of the stems in theirs, sample for sample. Nothing is left behind if any of it fails.
    """
    accomp = None if stems.accomp is None else quantised(stems.accomp)
    exact = Stems(quantised(stems.vocal), accomp)
    parts = {"mix": exact.mix, "vocal": exact.vocal, "accomp": exact.accomp}
    with landing(list(files.values())) as temporary:
        for (name, path), place in zip(files.items(), temporary, strict=True):
            part = parts.get(name)
            if exports and name in exports:
                place.write_bytes(exports[name])
            elif part is None:
                place.write_text(receipt + "\n", encoding="utf-8")
            else:
                encode(place, part, path.suffix)
