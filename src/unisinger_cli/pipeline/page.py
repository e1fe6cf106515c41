"""One page to listen to and look at: a receipt and its sounds as HTML that refers to nothing outside itself.

Everything that came from a file is escaped, and a policy in the page's head lets nothing in but what is in the page.
"""

from __future__ import annotations

import hashlib
import tempfile
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from html import escape
from pathlib import Path

from unisinger_cli import __version__
from unisinger_cli.audio import at_rate, encode, load, long
from unisinger_cli.backends.weights import sha256_of
from unisinger_cli.errors import InputError
from unisinger_cli.pipeline import account, controls, pictures
from unisinger_cli.pipeline.account import Account
from unisinger_cli.types import Pitch, Sound

LONGEST = 1200.0  # s of a sound that a page holds: more is no page any more, but a download
FRAME_RATE = 50.0  # of F0 in the pictures, Hz
RATE = 44100  # of the sound in the page; MP3 knows no rate over 48 kHz
STEMS = {"mix": "The song", "vocal": "The voice alone", "accomp": "The accompaniment alone"}
_SLACK = 0.15  # s that a file may be longer or shorter than its receipt says: lossy formats pad


def of_files(receipt: Path) -> str:
    """The page of a receipt and of the sounds beside it. What is wrong with one of these is told on the page.

    Raises InputError where the receipt cannot be believed, or where no sound is there at all.
    """
    told = account.read(receipt)
    sounds, remarks = _sounds(told, receipt.parent)
    if not sounds:
        reason = remarks[0] if remarks else f"{receipt} names no sound"
        raise InputError(f"nothing to hear: {reason}", "keep the receipt in one folder with its sounds")
    made = date.fromtimestamp(receipt.stat().st_mtime)
    return page(told, sounds, [*remarks, *_inputs(told)], made)


def _sounds(told: Account, folder: Path) -> tuple[dict[str, Sound], list[str]]:
    """The stems that lie beside a receipt, and what is amiss with them. A vocal that is all there is counts once."""
    sounds: dict[str, Sound] = {}
    remarks = []
    names = [name for name in STEMS if name in told.files]
    for name in names if "accomp" in names else names[-1:]:
        try:
            sound = load(folder / told.files[name])
        except InputError as error:
            remarks.append(error.message)
            continue
        sounds[name] = sound
        if abs(sound.seconds - told.seconds) > _SLACK:
            remarks.append(
                f"{told.files[name]} lasts {sound.seconds:.1f} s, and the receipt says {told.seconds:.1f} s: "
                "it may not be the sound that this receipt is about"
            )
    return sounds, remarks


def _inputs(told: Account) -> list[str]:
    """Which of the files that a song was made from are others by now; what is not there any more is passed over."""
    remarks = []
    for name, (typed, sha256) in told.inputs.items():
        path = Path(typed)
        try:
            if typed[:2] not in ("//", "\\\\") and path.is_file() and path.stat().st_size and sha256_of(path) != sha256:
                remarks.append(f"{typed} ({name}) is not the file any more that this was made from: its sha256 differs")
        except (OSError, ValueError):
            continue
    return remarks


def page(told: Account, sounds: Mapping[str, Sound], remarks: Sequence[str], made: date) -> str:
    """The whole page. `sounds` has some of "mix", "vocal" and "accomp"; more than `LONGEST` of them is not shown."""
    remarks = [*told.notes, *remarks]
    if any(sound.seconds > LONGEST for sound in sounds.values()):
        remarks.append(f"only the first {LONGEST / 60:g} minutes are shown; the files hold all of it")
    shown = {name: _first(sound) for name, sound in sounds.items()}
    pitch = None
    if "vocal" in shown:
        from unisinger_cli.stages.pitch import track

        pitch = track(shown["vocal"], FRAME_RATE)
    stems = "".join(_stem(told, name, shown[name], pitch) for name in STEMS if name in shown)
    verb = "Sung from lyrics" if told.command == "song" else "Sung again in another voice"
    style, script = (Path(__file__).with_name(f"page.{kind}").read_text(encoding="utf-8") for kind in ("css", "js"))
    policy = (
        f"default-src 'none'; img-src data:; media-src data:; style-src {_hash(style)}; script-src {_hash(script)}; "
        "base-uri 'none'; form-action 'none'"
    )
    facts = "".join(f"<div><dt>{_text(name)}</dt><dd>{_text(value)}</dd></div>" for name, value in told.facts.items())
    notes = "".join(f"<li>{_text(remark)}</li>" for remark in remarks)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>{escape(account.clean(told.title))} - unisinger</title>
<link rel="icon" href="data:,">
<style>{style}</style>
</head>
<body>
<header>
<h1>{_text(told.title)}</h1>
<p class="what">{verb} on {made.day} {made:%B %Y}, {_clock(told.seconds)} long</p>
<dl class="facts">{facts}</dl>
<p class="consent">{_text(told.consent)}</p>
{f'<ul class="remarks">{notes}</ul>' if notes else ""}
</header>
<main>
{stems}
{_lyrics(told)}
{_scores(told, pitch)}
</main>
<footer>Written by unisinger {__version__}. All of it is in this file; it needs no network.</footer>
<script>{script}</script>
</body>
</html>
"""


def _first(sound: Sound) -> Sound:
    return at_rate(long(sound, min(sound.length, int(LONGEST * sound.rate))), RATE)


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}'"


def _text(text: str) -> str:
    return f"<bdi>{escape(account.clean(text))}</bdi>" if not text.isascii() else escape(account.clean(text))


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def _mp3(sound: Sound) -> str:
    """A sound that every browser plays."""
    with tempfile.TemporaryDirectory(prefix="unisinger-") as folder:
        path = Path(folder) / "sound.mp3"
        encode(path, sound, ".mp3")
        return pictures.data_uri("audio/mpeg", path.read_bytes())


def _stem(told: Account, name: str, sound: Sound, pitch: Pitch | None) -> str:
    title = STEMS[name] if "accomp" in told.files else "The voice"
    overview = pictures.waveform(sound, 600, 34, "All of it at a glance", width="100%")
    rows = "".join(_rows(told, name, sound, pitch if name == "vocal" else None))
    cursor = '<div class="cursor"></div>'
    first = min((word.notes[0].start for word in told.words), default=0.0) if name != "accomp" else 0.0
    return f"""<section class="stem" data-stem="{name}" data-seconds="{sound.seconds:.4f}" data-first="{first:.3f}">
<h2>{title}</h2>
<audio controls preload="metadata" aria-label="{title}" src="{_mp3(sound)}"></audio>
<div class="whole"><div class="picture">{overview}{cursor}</div></div>
<div class="scroll" tabindex="0" role="region" aria-label="Pictures of {title.lower()}, to scroll">\
<div class="picture">{rows}{cursor}</div></div>
{_key(told) if name == "vocal" else ""}</section>
"""


def _rows(told: Account, name: str, sound: Sound, pitch: Pitch | None) -> Iterator[str]:
    """The pictures of a stem from top to bottom; `pitch` is that of the voice where the stem is the voice."""
    scale = pictures.Scale(sound.seconds)
    width = scale.width
    yield pictures.waveform(sound, max(1, width // 2), pictures.WAVE, "Waveform", width=str(width))
    image = pictures.data_uri("image/png", pictures.spectrogram(sound, width))
    label = "Spectrogram: low notes below, high ones above; bright is loud"
    size = f'width="{width}" height="{pictures.ROWS}"'
    line, what = pictures.grid(scale), "Frequencies"
    if pitch is not None:
        line, what = pictures.over_spectrogram(pitch, scale), "The sung pitch over the spectrogram"
    over = pictures.svg(width, pictures.ROWS, "over", what, line)
    yield f'<div class="sound"><img alt="{label}" {size} src="{image}">{over}</div>'
    if told.words and name != "accomp":
        yield pictures.written(told.words, scale)
    if pitch is not None:
        what = "The written notes as bars, and the sung pitch over them" if told.words else "The sung pitch"
        yield pictures.svg(width, pictures.ROLL, "roll", what, pictures.roll(told.words, pitch, scale))
    if told.chords and name != "vocal":
        yield pictures.svg(width, pictures.CHORDS, "chords", "The chords", pictures.named(told.chords, scale))
    yield pictures.svg(width, 16, "ruler", "Minutes and seconds", pictures.ruler(scale))


def _key(told: Account) -> str:
    bar = '<li><span class="bar"></span>written note</li>' if told.words else ""
    return f'<ul class="key hint"><li><span class="line"></span>sung pitch</li>{bar}</ul>'


def _lyrics(told: Account) -> str:
    items, before = [], ""
    for word in told.words:
        if word.line:
            heading = f'<div class="hint">{_text(word.section)}</div>' if word.section != before else ""
            items.append(f"<li>{heading}{_text(word.line)}</li>")
            before = word.section
    body = f'<ol class="lyrics">{"".join(items)}</ol>'
    return f'<section class="scores"><h2>The words</h2>{body}</section>' if items else ""


def _scores(told: Account, pitch: Pitch | None) -> str:
    rows = []
    for score in controls.told(told, pitch):
        compare = "".join(f"<li>{_text(line)}</li>" for line in score.compare)
        compare = f"<ul>{compare}</ul>" if compare else '<span class="none">no control was measured</span>'
        rows.append(
            f'<tr><th scope="row">{_text(score.name)}<div class="meaning">{_text(score.meaning)}</div></th>'
            f'<td class="value">{_text(score.value)}</td><td class="compare">{compare}</td></tr>'
        )
    return f"""<section class="scores"><h2>What was measured</h2>
<table><thead><tr><th scope="col">Score</th><th scope="col">Here</th><th scope="col">Compare with</th></tr></thead>
<tbody>{"".join(rows)}</tbody></table>
<p class="hint">{_text(controls.sources(told))}</p></section>"""
