"""Stems and receipt to disk, all or none."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from unisinger_cli import strict_json
from unisinger_cli.audio import encode, landing, quantised, write_tags
from unisinger_cli.backends.weights import sha256_of
from unisinger_cli.types import Stems


def deliver(
    files: Mapping[str, Path],
    stems: Stems,
    record: Mapping[str, Any],
    *,
    bits: str = "24",
    tags: Mapping[str, str] | None = None,
    others: Mapping[str, bytes] | None = None,
    on_grid: bool = False,
) -> dict[str, Any]:
    """Write the parts of `stems` that `files` names ("mix", "vocal", "accomp"), the record as its "receipt", and
    `others` (a page, a score, subtitles) under their own names.

    The stems are put on the grid of `bits` before they are summed, so that the mix in a WAV or FLAC file is the
    sum of the stems in theirs, sample for sample; stems that are `on_grid` already are left as they are. Nothing is
    left behind if any of it fails.
    Returns the record as it was written: its "files" tell the path of each and the sha256 of what sounds.
    """
    if on_grid:
        exact = stems
    else:
        accomp = None if stems.accomp is None else quantised(stems.accomp, bits, seed=1)
        exact = Stems(quantised(stems.vocal, bits), accomp)
    parts = {"mix": exact.mix, "vocal": exact.vocal, "accomp": exact.accomp}
    told: dict[str, dict[str, str]] = {}
    # the receipt lands last: where it lies, all is there
    files = {name: path for name, path in files.items() if name != "receipt"} | {"receipt": files["receipt"]}
    with landing(list(files.values())) as temporary:
        places = dict(zip(files, temporary, strict=True))
        for name, path in files.items():
            part = parts.get(name)
            told[name] = {"path": str(path)}
            if part is not None:
                encode(places[name], part, path.suffix, bits)
                if tags is not None:
                    write_tags(places[name], path.suffix, tags)
                told[name]["sha256"] = sha256_of(places[name])
        whole = dict(record) | {"files": told}
        for name, data in (others or {}).items():
            places[name].write_bytes(data)
        places["receipt"].write_text(strict_json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    return whole
