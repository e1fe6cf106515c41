"""A stand-in for the judges of others: it knows nothing of music, and what it answers is easily reckoned.

    python judge.py KIND

KIND is what it answers, or a way to go wrong.
"""

from __future__ import annotations

import json
import signal
import sys
import wave

import numpy as np

NUMBERS = "one two three four five six seven eight nine ten".split()
RATE = 16000


def say(what: object) -> None:
    print(json.dumps(what), flush=True)


def heard(path: str) -> np.ndarray:
    with wave.open(path) as sound:
        assert (sound.getnchannels(), sound.getsampwidth(), sound.getframerate()) == (1, 2, RATE)
        return np.frombuffer(sound.readframes(sound.getnframes()), dtype="<i2") / 32768


def bands(samples: np.ndarray) -> np.ndarray:
    """Levels of the eighths of the lowest 1,600 Hz: tells tones of different pitch apart."""
    spectrum = np.abs(np.fft.rfft(samples, RATE))[:1600]
    return spectrum.reshape(8, -1).sum(1) / max(1e-9, spectrum.sum())


def answer(kind: str, path: str) -> object:
    samples = heard(path)
    if kind == "vector":
        return {"vector": bands(samples).tolist()}
    if kind == "frames":
        return {"frames": [bands(piece).tolist() for piece in np.array_split(samples, 20)]}
    if kind == "scores":
        return {"scores": {"level": float(np.abs(samples).max()), "seconds": len(samples) / RATE}}
    if kind in ("text", "deaf"):
        return {"text": " ".join(NUMBERS[: round(len(samples) / RATE)]).capitalize() + "."}
    return WRONG[kind]


WRONG = {
    "ragged": {"frames": [[1.0], [1.0, 2.0]]},
    "nan": {"scores": {"beauty": float("nan")}},
    "other": {"opinion": "good"},
}
ANSWERS = {"ragged": "frames", "nan": "scores", "other": "scores", "garbage": "text", "dying": "text", "deaf": "text"}

if __name__ == "__main__":
    hears, kind = sys.argv[1:]
    if kind == "absent":
        sys.exit("there are no weights in /nowhere")
    about = {"judge": f"stand-in-{kind}", "hears": hears, "answers": ANSWERS.get(kind, kind), "rate": RATE}
    if kind == "captions":
        about |= {"answers": "vector", "captions": True}
    if kind == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if kind == "unknown":
        about["answers"] = "a smile"
    say(about)
    for line in sys.stdin:
        question = json.loads(line)
        if kind == "dying":
            sys.exit("out of memory")
        if kind == "garbage":
            print("loading ...", flush=True)
        elif "caption" in question:
            hz = float(question["caption"].split()[0])
            say({"vector": bands(np.sin(2 * np.pi * hz * np.arange(RATE) / RATE)).tolist()})
        else:
            say(answer("vector" if kind == "captions" else kind, question["sound"]))
    while kind == "deaf":
        signal.pause()
