"""The report: a table for the terminal, and a page with the sounds and their pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from importlib.util import find_spec
from math import log10
from pathlib import Path
from typing import Any

from unisinger_cli.audio import read, resample
from unisinger_cli.evaluation.findings import Part, Score
from unisinger_cli.evaluation.spectra import log_mel
from unisinger_cli.pipeline.studio import Studio
from unisinger_cli.types import Audio, Pitch

HEADINGS = ("PART", "SCORE", "VALUE", "CONTROL", "OF", "BAR", "")
PICTURED = ("output", "source", "vocal", "accompaniment", "decoded", "original")
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70em; margin: 2em auto; padding: 0 1em; color: #222 }
table { border-collapse: collapse; margin: 1em 0 } th, td { text-align: left; padding: .2em .8em .2em 0 }
td.number { text-align: right; font-variant-numeric: tabular-nums } tr { border-bottom: 1px solid #ddd }
figure { display: inline-block; margin: 0 1em 1em 0 } figure img { display: block; width: 20em } audio { width: 20em }
.missed { color: #b00 } dl { columns: 3; margin: 0 } dt { font-weight: 600 }
"""


def number(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}" if abs(value) >= 100 else f"{value:.3f}"


def bar(score: Score) -> str:
    bounds = ((score.at_least, ">="), (score.at_most, "<="))
    return " ".join(f"{sign} {limit:g}" for limit, sign in bounds if limit is not None)


def rows(parts: Sequence[Part]) -> list[list[str]]:
    """The scores of all parts, under HEADINGS."""
    verdicts = {None: "", True: "met", False: "missed"}
    return [list(HEADINGS)] + [
        [
            part.name,
            score.name,
            number(score.value),
            number(score.control),
            score.against,
            bar(score),
            verdicts[score.met],
        ]
        for part in parts
        for score in part.scores
    ]


def _mel(hz: float) -> float:
    return 2595 * log10(1 + hz / 700)


def spectrogram(axes: Any, audio: Audio, pitch: Pitch) -> None:
    """Draw a log-mel spectrogram up to 8 kHz, with the pitch on it, on axes of matplotlib."""
    sound = resample(Audio(audio.mono()[None], audio.rate), 16000)
    levels = log_mel(sound.samples[0], sound.rate, 128, 1024, 160)
    axes.imshow(
        levels.T,
        origin="lower",
        aspect="auto",
        extent=(0, sound.seconds, 0, _mel(sound.rate / 2)),
        vmin=levels.max() - 70,
        vmax=levels.max(),
        cmap="magma",
    )
    ticks = (200, 500, 1000, 2000, 4000, 8000)
    axes.set_yticks([_mel(hz) for hz in ticks], [str(hz) for hz in ticks])
    voiced = pitch.voiced.nonzero()[0]
    heights = [_mel(float(hz)) for hz in pitch.hz[voiced]]
    axes.plot((voiced + 0.5) / pitch.frame_rate, heights, ".", markersize=3, color="cyan")
    axes.set(xlabel="s", ylabel="Hz")


def draw(studio: Studio, path: Path, audio: Audio) -> None:
    """A sound's spectrogram with its pitch, as a PNG. Needs matplotlib."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3), layout="tight")
    spectrogram(figure.add_subplot(), audio, studio.pitch(audio))
    figure.savefig(path, dpi=100)


def pictures(studio: Studio, parts: Sequence[Part], out: Path) -> dict[str, str]:
    """Draw the sounds worth a look; returns sound -> picture, both within `out`. Without matplotlib, none."""
    if find_spec("matplotlib") is None:
        return {}
    found = {}
    for sound in (
        item.sounds[name] for part in parts for item in part.items for name in PICTURED if name in item.sounds
    ):
        found[sound] = str(Path(sound).with_suffix(".png").as_posix())
        draw(studio, out / found[sound], read(out / sound))
    return found


def page(title: str, about: Mapping[str, str], parts: Sequence[Part], drawn: Mapping[str, str]) -> str:
    """One HTML page that needs nothing but the files beside it."""
    lines = [f"<h1>{escape(title)}</h1>", "<table>"]
    lines += [f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in about.items()]
    scores = rows(parts)
    lines += ["</table>", *table(scores, [("", "", "number", "number", "", "number", row[-1]) for row in scores[1:]])]
    for part in parts:
        lines.append(f"<h2>{escape(part.name)}</h2>")
        lines += [f'<p class="missed">{escape(text)}</p>' for text in part.failed]
        for item in part.items:
            lines.append(f"<h3>{escape(item.title)}</h3>")
            for label, sound in item.sounds.items():
                image = f'<img src="{escape(drawn[sound])}" alt="spectrogram">' if sound in drawn else ""
                player = f'<audio controls preload="none" src="{escape(sound)}"></audio>'
                lines.append(f"<figure>{image}{player}<figcaption>{escape(label)}</figcaption></figure>")
            values = " &nbsp; ".join(f"{escape(name)} {number(value)}" for name, value in item.values.items())
            lines.append(f"<p>{values}</p>")
    return html(title, lines)


def table(rows: Sequence[Sequence[str]], kinds: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a table: its heading, then rows whose cells are of these classes."""
    head, *body = rows
    lines = ["<table>", "<tr>" + "".join(f"<th>{escape(text)}</th>" for text in head) + "</tr>"]
    for row, classes in zip(body, kinds, strict=True):
        cells = zip(classes, row, strict=True)
        lines.append("<tr>" + "".join(f'<td class="{kind}">{escape(text)}</td>' for kind, text in cells) + "</tr>")
    return [*lines, "</table>"]


def html(title: str, lines: Sequence[str]) -> str:
    """A page around the lines of its body."""
    text = "\n".join(lines)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head>\n<body>\n{text}\n</body></html>\n"
    )
