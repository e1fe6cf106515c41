"""The pictures in the README, made from what the installed command really prints and writes: `make pictures`.

    python examples/pictures.py [FOLDER]

A song is sung at a terminal of 80 columns, whose output is kept; the moment shown is the middle of the sampling. Its
page is shown by Chromium, where there is one, as wide as on a desktop and as on a phone.
"""

from __future__ import annotations

import os
import pty
import re
import shutil
import subprocess
import sys
import tempfile
from io import StringIO
from pathlib import Path

COLUMNS = 80
EXAMPLES = Path(__file__).parent
SONG = "song --lyrics lyrics.txt --ref reference.wav -o song.wav"
PAGES = {"desktop.png": "1180,1440", "phone.png": "360,1180"}  # width and height in pixels
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
LOOK = "--headless --no-sandbox --disable-gpu --hide-scrollbars --no-first-run --virtual-time-budget=20000"
NEW_FRAME = "\r\x1b[2K"  # how Rich begins to draw a bar anew


def at_terminal(arguments: list[str], folder: Path) -> str:
    """All that a command writes to a terminal. Raises CalledProcessError where it fails."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(COLUMNS), "LINES": "40", "TERM": "xterm-256color"}
    command = [sys.executable, "-m", "unisinger_cli", *arguments]
    written = b""
    with subprocess.Popen(command, cwd=folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        try:
            while data := os.read(ours, 65536):
                written += data
        except OSError:  # the other side is closed: the command has ended
            pass
    os.close(ours)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command, written)
    return written.decode().replace("\r\n", "\n")


def picture(path: Path, typed: str, shown: str) -> None:
    """What was typed, and the terminal's answer with its colours, as SVG that needs no font from the network."""
    from rich.console import Console
    from rich.terminal_theme import MONOKAI
    from rich.text import Text

    console = Console(record=True, width=COLUMNS, file=StringIO(), force_terminal=True, color_system="truecolor")
    console.print(Text(f"$ {typed}", "bold"))
    console.print(Text.from_ansi(shown.rstrip()), end="\n\n")  # the last line would lose its feet
    svg = console.export_svg(title="unisinger", theme=MONOKAI, unique_id=path.stem)
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL).replace("Fira Code, monospace", "monospace")
    path.write_text("\n".join(line.rstrip() for line in svg.splitlines()) + "\n", encoding="utf-8")


def pages(page: Path, out: Path) -> None:
    """The page as a browser shows it; the pictures stay as they are where there is no browser."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        sys.stderr.write(f"no Chromium: {', '.join(PAGES)} are not made anew\n")
        return
    for name, size in PAGES.items():
        own = f"--user-data-dir={page.parent / 'profile'}"
        flags = [*LOOK.split(), own, f"--window-size={size}", f"--screenshot={(out / name).resolve()}"]
        subprocess.run([browser, *flags, page.as_uri()], check=True, capture_output=True, timeout=120)
        smaller(out / name)


def smaller(path: Path) -> None:
    """A picture in 128 colours, where Pillow is there: a third of the bytes, and no difference to be seen."""
    try:
        from PIL import Image
    except ImportError:
        return
    with Image.open(path) as image:
        few = image.convert("RGB").quantize(128, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    few.save(path, optimize=True)


def main() -> None:
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else EXAMPLES / "pictures"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file in ("lyrics.txt", "reference.wav"):
            (folder / file).symlink_to((EXAMPLES / file).resolve())
        picture(out / "help.svg", "unisinger --help", at_terminal(["--help"], folder))
        written = at_terminal(SONG.split(), folder)
        at_terminal(["report", "song.wav"], folder)
        pages(folder / "song.html", out)
    sampling = [frame for frame in written.split(NEW_FRAME) if "sampling" in frame and "-:--:--" not in frame]
    picture(out / "run.svg", f"unisinger {SONG}", sampling[len(sampling) // 2])


if __name__ == "__main__":
    main()
