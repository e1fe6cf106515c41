"""A stand-in for a checkout of CLaMP 3: of a sound its length and level, of a text its number of words and 0."""

from __future__ import annotations

import sys
import wave
from pathlib import Path

import numpy as np

asked, found, flag = sys.argv[1:]
assert flag == "--get_global"
(path,) = Path(asked).iterdir()
if path.suffix == ".txt":
    told = [len(path.read_text(encoding="utf-8").split()), 0.0]
else:
    with wave.open(str(path)) as sound:
        samples = np.frombuffer(sound.readframes(sound.getnframes()), dtype="<i2") / 32768
        told = [len(samples) / sound.getframerate(), np.abs(samples).max()]
print("Detected input modality")
Path(found).mkdir()
np.save(Path(found) / f"{path.stem}.npy", np.array([told], dtype=np.float32))
