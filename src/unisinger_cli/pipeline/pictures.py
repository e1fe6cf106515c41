"""Pictures of a sound and of what is sung in it, drawn with nothing but numpy: SVG for lines, PNG for the spectrogram.

All pictures of a sound share one `Scale`, so that they lie under each other.
"""

from __future__ import annotations

import base64
import math
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

from unisinger_cli.audio import mono
from unisinger_cli.pipeline.account import Harmony, SungWord, clean
from unisinger_cli.types import Floats, Pitch, Sound

LOWEST, OCTAVES, ROWS = 55.0, 8, 176  # Hz at the bottom of the spectrogram, octaves up from there, and its pixels
RANGE_DB = 70.0  # from the brightest to black
WAVE, ROLL, WORD_ROW, WORD_ROWS, CHORDS = 56, 132, 19, 3, 24  # px
REPEAT = 720  # px between the labels of one height
LETTER = 7.6  # px; how wide a letter of the words is at most, about
MOST, FAST, SLOW = 24_000, 90, 20  # px wide at most; px a second, unless that is wider
_FIRE = (  # from black over red to yellow
    *((0, 0, 4), (40, 11, 84), (101, 21, 110), (159, 42, 99)),
    *((212, 72, 66), (245, 125, 21), (250, 193, 39), (252, 255, 164)),
)


@dataclass(frozen=True)
class Scale:
    """Time to pixels."""

    seconds: float

    @property
    def rate(self) -> float:
        """Pixels a second."""
        return min(FAST, max(SLOW, MOST / max(self.seconds, 1e-3)))

    @property
    def width(self) -> int:
        return max(1, math.ceil(self.seconds * self.rate))

    def x(self, seconds: float) -> float:
        return round(min(max(seconds, 0.0), self.seconds) * self.rate, 1)


def svg(width: float, height: float, name: str, label: str, body: str, *, across: str = "") -> str:
    """A picture with a text for those who do not see it; with `across` it is stretched to that width."""
    size = f'width="{across}" preserveAspectRatio="none"' if across else f'width="{width}"'
    head = f'<svg class="{name}" {size} height="{height}" viewBox="0 0 {width} {height}" role="img"'
    return f'{head} aria-label="{escape(label)}">{body}</svg>'


def waveform(sound: Sound, columns: int, height: int, label: str, width: str) -> str:
    """The outline of a sound in `columns` steps, as a picture of that width."""
    edges = np.linspace(0, sound.length, columns + 1).astype(int)
    high, low = np.zeros(columns), np.zeros(columns)
    for first in range(0, columns, 256):
        at = edges[first : first + 257]
        heard = mono(sound).read(int(at[0]), max(int(at[-1]), int(at[0]) + 1))[0]
        starts = np.minimum(at[:-1] - at[0], len(heard) - 1)
        high[first : first + 256] = np.maximum.reduceat(heard, starts)
        low[first : first + 256] = np.minimum.reduceat(heard, starts)
    middle = height / 2
    loudest = max(float(high.max()), -float(low.min()), 1e-6)
    top = np.round(middle - high / loudest * (middle - 1) - 0.3, 1)
    bottom = np.round(middle - low / loudest * (middle - 1) + 0.3, 1)
    forth = "".join(f"L{x} {y:g}" for x, y in enumerate(top))
    back = "".join(f"L{x} {y:g}" for x, y in reversed(list(enumerate(bottom))))
    return svg(columns, height, "wave", label, f'<path d="M0 {middle:g}{forth}{back}Z"/>', across=width)


def spectrogram(sound: Sound, columns: int) -> bytes:
    """A PNG, `columns` x ROWS: energy over time and log-frequency, 22 rows an octave from LOWEST up."""
    size = 4096
    window = np.hanning(size).astype(np.float32)
    centres = LOWEST * 2 ** (np.arange(ROWS) * OCTAVES / ROWS)
    bins = np.fft.rfftfreq(size, 1 / sound.rate)
    width = np.maximum(bins[1], centres * (2 ** (OCTAVES / ROWS) - 1))
    bands = np.maximum(0, 1 - np.abs(bins[None] - centres[:, None]) / width[:, None]).astype(np.float32)
    bands /= np.maximum(bands.sum(axis=1, keepdims=True), 1e-9)
    levels = np.zeros((ROWS, columns), dtype=np.float32)
    heard = mono(sound)
    middles = ((np.arange(columns) + 0.5) * sound.length / columns).astype(int)
    for first in range(0, columns, 256):
        at = middles[first : first + 256]
        stretch = heard.read(int(at[0]) - size // 2, int(at[-1]) + size // 2)[0]
        frames = np.stack([stretch[i : i + size] for i in at - at[0]]) * window
        levels[:, first : first + 256] = bands @ np.square(np.abs(np.fft.rfft(frames, axis=1))).T.astype(np.float32)
    decibels = (
        10 * np.log10(np.maximum(levels, 1e-12)) + 3 * OCTAVES * np.arange(ROWS)[:, None] / ROWS
    )  # 3 dB/octave up
    shown = np.clip((decibels - decibels.max()) / RANGE_DB + 1, 0, 1)
    return png((shown[::-1] * 255).astype(np.uint8))


def png(levels: NDArray[np.uint8]) -> bytes:
    """uint8 [height, width] as a PNG of 256 colours (PNG specification, chapter 11)."""
    stops = np.linspace(0, 255, len(_FIRE))
    colours = np.stack([np.interp(np.arange(256), stops, channel) for channel in zip(*_FIRE, strict=True)])
    height, width = levels.shape
    rows = np.pad(levels, ((0, 0), (1, 0)))  # each row begins with its filter: 0, none

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    parts = (
        chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
        chunk(b"PLTE", colours.T.astype(np.uint8).tobytes()),
        chunk(b"IDAT", zlib.compress(rows.tobytes(), 9)),
        chunk(b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def data_uri(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"


def contour(pitch: Pitch, scale: Scale, heights: Floats) -> str:
    """The line of F0, broken where nothing is voiced; `heights` [n] is where each frame lies, in px from the top."""
    parts, pen = [], "M"
    for i, (voiced, y) in enumerate(zip(pitch.voiced, heights, strict=True)):
        if voiced:
            parts.append(f"{pen}{scale.x((i + 0.5) / pitch.frame_rate):g} {y:.1f}")
        pen = "L" if voiced else "M"
    return f'<path class="f0" d="{"".join(parts) or "M0 0"}"/>'


def over_spectrogram(pitch: Pitch, scale: Scale) -> str:
    """F0 over the spectrogram, and the octaves of A to read it by."""
    heights = ROWS * (1 - np.log2(np.maximum(pitch.hz, 1) / LOWEST) / OCTAVES)
    return grid(scale) + contour(pitch, scale, heights.astype(np.float32))


def grid(scale: Scale) -> str:
    """Frequencies to read the spectrogram by, again and again, as the picture is scrolled."""
    steps = [(LOWEST * 2**octave, ROWS * (1 - octave / OCTAVES)) for octave in range(1, OCTAVES, 2)]
    places = range(3, scale.width, REPEAT)
    return "".join(f'<text class="hz" x="{x}" y="{y:g}">{hz:g} Hz</text>' for x in places for hz, y in steps)


def roll(words: Sequence[SungWord], pitch: Pitch, scale: Scale) -> str:
    """The plan's notes as bars, a semitone high each, and the sung F0 over them."""
    notes = [note for word in words for note in word.notes if note.start < scale.seconds]
    midi = 69 + 12 * np.log2(np.maximum(pitch.hz, 1) / 440)
    usual = np.percentile(midi[pitch.voiced], (2, 98)).tolist() if pitch.voiced.any() else [57.0, 69.0]
    marks = [note.midi for note in notes] + usual  # a lone slip of the tracker does not squeeze all else
    low, high = math.floor(min(marks)) - 2, math.ceil(max(marks)) + 2
    step = ROLL / (high - low + 1)
    octaves = range(12 * math.ceil(low / 12), high + 1, 12)
    lines = [
        f'<line x1="0" x2="{scale.width}" y1="{y:.1f}" y2="{y:.1f}"/>'
        + "".join(
            f'<text class="hz" x="{x}" y="{y - 2:.1f}">C{c // 12 - 1}</text>' for x in range(3, scale.width, REPEAT)
        )
        for c, y in ((c, ROLL - (c - low + 0.5) * step) for c in octaves)
    ]
    bars = [
        f'<rect class="note" x="{scale.x(n.start):g}" y="{ROLL - (n.midi - low + 1) * step:.1f}" '
        f'width="{max(1.0, scale.x(n.end) - scale.x(n.start) - 1):g}" height="{step:.1f}" rx="2"/>'
        for n in notes
    ]
    heights = ROLL - (midi - low + 0.5) * step
    seen = Pitch(np.where((heights > 0) & (heights < ROLL), pitch.hz, np.float32(0)), pitch.frame_rate)
    return "".join(lines + bars) + contour(seen, scale, heights.astype(np.float32))


def written(words: Sequence[SungWord], scale: Scale) -> str:
    """The words where they begin, each on the first row with room; a thin line leads up to the sound."""
    free, parts = [0.0] * WORD_ROWS, []
    for word in words:
        text = clean(word.text)
        if text == "-" or not text.strip() or word.notes[0].start >= scale.seconds:
            continue
        short = text if len(text) <= 24 else text[:23] + "…"
        x = scale.x(word.notes[0].start)
        row = next((i for i, end in enumerate(free) if end <= x), int(np.argmin(free)))
        free[row] = x + LETTER * len(short) + 6
        y = 15 + WORD_ROW * row
        parts.append(
            f'<line x1="{x:g}" x2="{x:g}" y1="0" y2="{y + 2}"/>'
            f'<text class="word" x="{x + 3:g}" y="{y}">{escape(short)}<title>{escape(text[:200])}</title></text>'
        )
    height = WORD_ROW * sum(end > 0 for end in free) + 4
    return svg(scale.width, height, "words", "The words, when sung", "".join(parts))


def named(chords: Sequence[Harmony], scale: Scale) -> str:
    """The chords, each where it begins; a chord that goes on is not named again."""
    parts, before = [], ""
    for chord in chords:
        if chord.name != before and chord.start < scale.seconds:
            x = scale.x(chord.start)
            parts.append(
                f'<line x1="{x:g}" x2="{x:g}" y1="0" y2="{CHORDS}"/>'
                f'<text class="word" x="{x + 4:g}" y="16">{escape(clean(chord.name)[:12])}</text>'
            )
        before = chord.name
    return "".join(parts)


def ruler(scale: Scale) -> str:
    """Seconds and minutes."""
    step = next(s for s in (1, 2, 5, 10, 30, 60) if s * scale.rate >= 60)
    parts = [
        f'<line x1="{scale.x(t):g}" x2="{scale.x(t):g}" y1="0" y2="5"/>'
        f'<text class="hz" x="{scale.x(t) + 3:g}" y="12">{t // 60}:{t % 60:02d}</text>'
        for t in range(0, math.ceil(scale.seconds), step)
    ]
    return "".join(parts)
