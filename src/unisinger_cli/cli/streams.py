"""stdin, stdout and stderr, whatever the caller did to them: closed, in an encoding of few letters, read no further."""

from __future__ import annotations

import codecs
import json
import os
import sys
from typing import TextIO

_LACKING = "unisinger"  # the name of `_written`, as a handler of what an encoding lacks


def prepare() -> None:
    """Make all three fit to be used; done once, before any file is opened.

    One that is closed becomes the null device: its number would else go to the next file that is opened, and what
    libraries print would land in a song.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free: this one
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "r" if number == 0 else "w", encoding="utf-8", closefd=False))
    codecs.register_error(_LACKING, _written)
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors=_LACKING)


def _written(error: UnicodeError) -> tuple[bytes, int]:
    """What an encoding lacks: a byte of a file name that was no text is that byte again, other letters are escaped as
    in JSON (which a result may be)."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    written = b"".join(
        bytes([ord(letter) - 0xDC00]) if "\udc80" <= letter <= "\udcff" else json.dumps(letter)[1:-1].encode()
        for letter in error.object[error.start : error.end]
    )
    return written, error.end


def deaf(stream: TextIO) -> None:
    """Nobody reads this stream any more: let what is still to be written go nowhere, and the work go on."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
