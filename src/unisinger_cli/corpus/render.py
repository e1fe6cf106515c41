"""An arrangement -> sound, by the synthesiser `fluidsynth` (a separate program) and a General MIDI sound font."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from unisinger_cli.audio import loudness
from unisinger_cli.corpus.arrange import Arrangement, Part
from unisinger_cli.errors import DeviceError, InputError
from unisinger_cli.types import Audio, Floats

LUFS = -20.0  # an accompaniment under a voice
CEILING = 0.89  # sample peak, -1 dBFS
_TICKS, _TEMPO = 480, 500_000  # per beat of half a second: 960 ticks a second
_DRUM_CHANNEL = 9
_TAIL = 1.0  # s that the synthesiser plays on, so that the file is never too short
_TIMEOUT = 300.0  # s
_PAN, _END = 10, 120  # controllers


def render(arrangement: Arrangement, soundfont: Path, rate: int = 44100) -> Audio:
    """Stereo sound, float32 [2, round(seconds * rate)], at -20 LUFS (quieter where peaks would pass -1 dBFS).

    The same arrangement gives the same samples. Raises DeviceError where `fluidsynth` is not installed or
    fails, InputError where the sound font is missing or is none.
    """
    if not soundfont.is_file():
        raise InputError(f"{soundfont} does not exist", "give a General MIDI sound font (.sf2 or .sf3)")
    with soundfont.open("rb") as file:
        head = file.read(12)
    if head[:4] != b"RIFF" or head[8:] != b"sfbk":  # fluidsynth would silently take another font
        raise InputError(f"{soundfont} is not a sound font", "give a General MIDI sound font (.sf2 or .sf3)")
    with tempfile.TemporaryDirectory(prefix="unisinger-") as folder:
        midi, raw = Path(folder, "song.mid"), Path(folder, "song.raw")
        _write_midi(arrangement, midi)
        _synthesise(midi, raw, soundfont, rate)
        samples = np.fromfile(raw, dtype="<f4").reshape(-1, 2).T
    wanted = round(arrangement.seconds * rate)
    cut = np.zeros((2, wanted), dtype=np.float32)
    cut[:, : samples.shape[1]] = samples[:, :wanted]
    return _levelled(cut, rate)


def _synthesise(midi: Path, raw: Path, soundfont: Path, rate: int) -> None:
    command = [
        "fluidsynth", "-n", "-i", "-q", "-r", str(rate), "-g", "0.4", "-R", "1", "-C", "0",
        "-o", "synth.cpu-cores=1", "-o", "synth.dynamic-sample-loading=1", "-o", "synth.reverb.level=0.3",
        "-O", "float", "-E", "little", "-T", "raw", "-F", str(raw), str(soundfont), str(midi),
    ]  # fmt: skip
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=_TIMEOUT)
    except FileNotFoundError as error:
        raise DeviceError(
            "the program fluidsynth is not installed", "install it, on Debian: apt install fluidsynth"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise DeviceError(f"fluidsynth did not finish within {_TIMEOUT:g} s") from error
    if done.returncode or not raw.is_file() or not raw.stat().st_size:
        reason = (done.stderr.strip().splitlines() or ["no sound was written"])[-1][:120]
        raise DeviceError(f"fluidsynth failed ({reason})", f"check that {soundfont} is a sound font")


def _write_midi(arrangement: Arrangement, path: Path) -> None:
    import mido

    file = mido.MidiFile(ticks_per_beat=_TICKS)
    channels = iter(channel for channel in range(16) if channel != _DRUM_CHANNEL)
    for part in arrangement.parts:
        file.tracks.append(_track(part, _DRUM_CHANNEL if part.drums else next(channels), arrangement.seconds))
    file.tracks[0].insert(0, mido.MetaMessage("set_tempo", tempo=_TEMPO, time=0))
    file.save(path)


def _track(part: Part, channel: int, seconds: float) -> Any:
    import mido

    def tick(time: float) -> int:
        return round(time * _TICKS * 1e6 / _TEMPO)

    pan = round(64 + 63 * part.pan)
    events = [
        (0, 0, mido.Message("program_change", channel=channel, program=part.program)),
        (0, 1, mido.Message("control_change", channel=channel, control=_PAN, value=pan)),
        # Notes ring on after `seconds`, and this keeps the synthesiser playing until they are all cut.
        (tick(seconds + _TAIL), 3, mido.Message("control_change", channel=channel, control=_END, value=0)),
    ]
    for note in part.notes:
        kind = {"channel": channel, "note": note.midi}
        events.append((tick(note.start), 3, mido.Message("note_on", velocity=note.velocity, **kind)))
        events.append((max(tick(note.start) + 1, tick(note.end)), 2, mido.Message("note_off", **kind)))
    track, now = mido.MidiTrack(), 0
    for time, _, message in sorted(events, key=lambda event: event[:2]):
        track.append(message.copy(time=time - now))
        now = time
    return track


def _levelled(samples: Floats, rate: int) -> Audio:
    level = loudness(Audio(samples, rate))
    if not np.isfinite(level):
        return Audio(samples, rate)  # under -70 LUFS: almost nothing, and not worth being made loud
    peak = float(np.abs(samples).max())
    gain = min(10 ** ((LUFS - level) / 20), CEILING / peak)
    return Audio(np.asarray(samples * np.float32(gain), dtype=np.float32), rate)
