"""Whether the music suits its caption: CLaMP 3 (arXiv 2502.10362).

    python clamp3.py CHECKOUT

CHECKOUT is one of sanderwood/clamp3, with its weights in code/ as its README asks; this runs its own script once for
each sound and text, with the Python that this is run by. Needs what its requirements.txt names.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from serve import argument, serve


def embedding(checkout: str) -> Callable[[str, Callable[[Path], None]], list[float]]:
    def embed(name: str, fill: Callable[[Path], None]) -> list[float]:
        with tempfile.TemporaryDirectory() as folder:
            asked, found = Path(folder) / "asked", Path(folder) / "found"
            asked.mkdir()
            fill(asked / name)
            command = [sys.executable, "clamp3_embd.py", str(asked), str(found), "--get_global"]
            subprocess.run(command, cwd=checkout, check=True)
            (file,) = found.rglob("*.npy")
            vector: list[float] = np.load(file).reshape(-1).tolist()
            return vector

    return embed


if __name__ == "__main__":
    embed = embedding(argument("CHECKOUT"))
    serve(
        lambda sound: embed("sound.wav", lambda path: shutil.copy(sound, path)),
        read=lambda caption: embed("text.txt", lambda path: path.write_text(caption, encoding="utf-8")),
        judge="clamp3",
        hears="song",
        answers="vector",
        rate=24000,
    )
