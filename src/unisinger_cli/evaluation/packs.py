"""What is in packs: one page with hours, histograms, and clips to look at and to hear. It needs nothing beside it."""

from __future__ import annotations

import base64
import io
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from html import escape
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from unisinger_cli.audio import read
from unisinger_cli.corpus.opus import write_opus
from unisinger_cli.corpus.pack import Row, read_index
from unisinger_cli.corpus.singers import timed
from unisinger_cli.errors import InputError, MissingExtra
from unisinger_cli.evaluation.report import html, spectrogram
from unisinger_cli.stages.lyrics import syllabify
from unisinger_cli.types import Audio, Floats, Pitch

SAMPLES, SECONDS = 10, 8.0  # clips that are shown, and how much of each
_LISTENED = 300  # clips whose level is measured
_GROUPS = ("kind", "split", "language", "licence", "set", "speaker")
_PAUSES = ("_", "^")


def page(packs: Sequence[Path], *, seed: int, frame_rate: float) -> str:
    """The page. The same packs and seed give the same one. Raises InputError where a pack has no index or no clip, or
    its audio cannot be read, MissingExtra without matplotlib."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise MissingExtra("matplotlib", "eval") from error
    clips = [(pack, row) for pack in packs for row in read_index(pack) if row["vocal"]]
    if not clips:
        raise InputError(f"{packs[0]} has no clips", "unisinger prepare makes packs")
    rng = np.random.default_rng(seed)
    pitches: dict[str, Floats] = {}
    for pack in packs:
        with np.load(pack / "f0.npz") as known:
            pitches |= {name: known[name].astype(np.float32) for name in known.files}
    rows = [row for _, row in clips]
    title = f"{len(rows)} clips, {_hours(rows)}"
    lines = [f"<h1>{escape(title)}</h1>", f"<p>{escape(', '.join(str(pack) for pack in packs))}; seed {seed}</p>"]
    lines += [line for name in _GROUPS for line in _table(name, rows)]
    voiced = [hz[hz > 0] for row in rows if (hz := pitches.get(row["id"])) is not None]
    f0 = np.concatenate(voiced) if voiced else np.zeros(0)
    rates = [rate for row in rows if timed(row) and (rate := syllable_rate(row["phonemes"])) is not None]
    named, levels = _levels(clips, rng)
    lines += ["<h2>Histograms</h2>", _histogram(levels, named, f"dB, {len(levels)} clips")]
    lines.append(_histogram(12 * np.log2(np.maximum(f0, 1) / 440) + 69, "F0", "MIDI note of each voiced frame"))
    lines.append(_histogram(np.array(rates), "syllables", "a second of speech or song, pauses left out"))
    lines += ["<h2>Clips</h2>", "<p>Cyan: F0. Lines: where the labels say that a phoneme begins.</p>"]
    for pack, row in _chosen(clips, rng):
        lines += _shown(pack, row, Pitch(pitches.get(row["id"], np.zeros(0, dtype=np.float32)), frame_rate))
    return html(title, lines)


def syllable_rate(spans: Sequence[Sequence[Any]]) -> float | None:
    """Syllables a second in timed phonemes [symbol, start, end], pauses left out; None where nothing is said."""
    runs = [list(run) for pause, run in groupby(spans, key=lambda span: span[0] in _PAUSES) if not pause]
    seconds = sum(end - start for run in runs for _, start, end in run)
    count = sum(len(syllabify([symbol for symbol, _, _ in run])) for run in runs)
    return count / seconds if seconds > 0 else None


def level_range(audio: Audio) -> float:
    """95th minus 5th percentile of the levels of 20 ms, in dB: how far the voice stands out of the noise, at least."""
    block = audio.rate // 50
    mono = audio.mono()
    blocks = mono[: len(mono) // block * block].reshape(-1, block).astype(np.float64)
    level = 10 * np.log10(np.square(blocks).mean(axis=1) + 1e-10)
    return float(np.subtract(*np.percentile(level, (95, 5)))) if level.size else 0.0


def _levels(clips: Sequence[tuple[Path, Row]], rng: np.random.Generator) -> tuple[str, Floats]:
    """SNR where every clip tells it, else the level range of some."""
    if all("snr" in row for _, row in clips):
        return "SNR", np.array([row["snr"] for _, row in clips], dtype=np.float32)
    some = sorted(rng.permutation(len(clips))[:_LISTENED])
    found = [level_range(read(clips[i][0] / clips[i][1]["vocal"])) for i in some]
    return "level range", np.array(found, dtype=np.float32)


def _hours(rows: Sequence[Row]) -> str:
    minutes = sum(row["seconds"] for row in rows) / 60
    return f"{minutes / 60:.2f} h" if minutes >= 60 else f"{minutes:.1f} min"


def _table(name: str, rows: Sequence[Row]) -> list[str]:
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[str(row[name])].append(row)
    order = sorted(groups.items(), key=lambda group: (-sum(row["seconds"] for row in group[1]), group[0]))
    body = "".join(
        f'<tr><td>{escape(key)}</td><td class="number">{len(own)}</td><td class="number">{_hours(own)}</td></tr>'
        for key, own in order
    )
    return [
        f"<details{' open' if len(order) <= 12 else ''}><summary>{len(order)} by {name}</summary>",
        f"<table><tr><th>{name}</th><th>clips</th><th>time</th></tr>{body}</table></details>",
    ]


def _chosen(clips: Sequence[tuple[Path, Row]], rng: np.random.Generator) -> list[tuple[Path, Row]]:
    """Aligned clips of as many kinds, then sets, then speakers as possible."""
    left = [clips[i] for i in rng.permutation(len(clips))]
    taken: Mapping[str, set[str]] = {"kind": set(), "set": set(), "speaker": set()}
    chosen: list[tuple[Path, Row]] = []
    while left and len(chosen) < SAMPLES:
        one = min(left, key=lambda each: (not timed(each[1]), *(each[1][key] in taken[key] for key in taken)))
        left.remove(one)
        chosen.append(one)
        for key, values in taken.items():
            values.add(one[1][key])
    return chosen


def _shown(pack: Path, row: Row, pitch: Pitch) -> list[str]:
    from matplotlib.figure import Figure

    sound = read(pack / row["vocal"])
    sound = Audio(sound.mono()[None, : round(SECONDS * sound.rate)], sound.rate)
    figure = Figure(figsize=(14, 4), layout="tight")
    axes = figure.add_subplot()
    spectrogram(axes, sound, Pitch(pitch.hz[: int(sound.seconds * pitch.frame_rate)], pitch.frame_rate))
    top = axes.get_ylim()[1]
    for i, (symbol, start, end) in enumerate(row["phonemes"] if timed(row) else ()):
        if start < sound.seconds:
            axes.axvline(start, color="white", linewidth=0.6, alpha=0.8)
            middle = (start + min(end, sound.seconds)) / 2
            height = (0.97, 0.92)[i % 2] * top  # short ones do not cover each other
            axes.text(middle, height, "" if symbol == "_" else symbol, color="white", ha="center", va="top")
    for text, start, _ in row.get("words") or ():
        if start < sound.seconds:
            axes.text(start, 0.86 * top, f" {text}", color="yellow", ha="left", va="top")
    axes.set_xlim(0, sound.seconds)
    with tempfile.TemporaryDirectory(prefix="unisinger-") as folder:
        file = Path(folder, "clip.opus")
        write_opus(file, sound)
        player = f'<audio controls preload="none" src="{_uri("audio/ogg", file.read_bytes())}"></audio>'
    about = ", ".join(str(row[key]) for key in ("kind", "speaker", "language", "licence"))
    return [
        f"<h3>{escape(row['id'])}</h3><p>{escape(about)}</p>",
        f"<p>{escape(row['text'])}</p>" if row["text"] else "",
        _image(figure, "spectrogram with F0 and phonemes"),
        f"<p>{player}</p>",
    ]


def _histogram(values: Floats, title: str, unit: str) -> str:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 3), layout="tight")
    axes = figure.add_subplot()
    if values.size:
        axes.hist(values, bins=40, color="#447")
    axes.set(title=title, xlabel=unit, yticks=[])
    return _image(figure, title)


def _image(figure: Any, alt: str) -> str:
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=80, metadata={"Software": None})
    return f'<img src="{_uri("image/png", out.getvalue())}" alt="{escape(alt)}">'


def _uri(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
