"""Exceptions to exit codes, in one place.

0 ok, 1 our bug, 2 usage, 3 bad input, 4 model missing or unfit, 5 extra missing, 6 device, memory or disk,
7 some items failed, 130 interrupted (Ctrl-C, or asked to stop by the system).
"""

from __future__ import annotations

import errno
import signal
from collections.abc import Callable
from enum import IntEnum
from types import FrameType
from typing import NoReturn

from unisinger_cli.cli import output
from unisinger_cli.errors import DeviceError, InputError, UnisingerError

# How torch, its loader and the C++ library say that there is no more memory.
_STARVED = ("can't allocate memory", "Cannot allocate memory", "failed to map segment", "bad_alloc", "bad allocation")


class Exit(IntEnum):
    OK = 0
    BUG = 1
    USAGE = 2
    INPUT = 3
    MODEL = 4
    EXTRA = 5
    DEVICE = 6
    PARTIAL = 7
    INTERRUPTED = 130


def run(app: Callable[[], object]) -> int:
    """Run `app` and return the exit code of the process; errors are told in one line (and a hint)."""
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), _stop)
    try:
        app()
    except SystemExit as stop:  # how Typer ends, on usage errors, --help and Ctrl-C alike
        code = stop.code if isinstance(stop.code, int) else int(Exit.OK if stop.code is None else Exit.BUG)
        if code == Exit.INTERRUPTED:
            done = output.screen.written
            more = ", ..." if len(done) > 5 else ""
            kept = f"{len(done)} done: {', '.join(done[:5])}{more}" if done else "nothing was written"
            output.fail(f"interrupted; {kept}", "", code)
        return code
    except Exception as error:
        if output.screen.debug:
            raise
        known = explained(error)
        if known is None:
            text = f"a bug in unisinger: {type(error).__name__}: {error}"
            output.fail(text, "run it again as `unisinger --debug ...` and report what it prints", Exit.BUG)
            return Exit.BUG
        output.fail(known.message, known.hint, known.exit_code)
        return known.exit_code
    return Exit.OK


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def explained(error: Exception) -> UnisingerError | None:
    """What the user can do something about, from whatever was raised; None for a bug."""
    if isinstance(error, UnisingerError):
        return error
    less = "give shorter input, close other programs, or use another --device"
    text = str(error).splitlines()[0] if str(error) else ""
    # torch is not imported here, so its errors are known by name and wording
    name = type(error).__name__
    starved = (
        "can't allocate memory",
        "failed to map segment",
        "Cannot allocate memory",
        "bad_alloc",
        "bad allocation",
    )
    if isinstance(error, MemoryError) or name == "OutOfMemoryError" or any(part in text for part in starved):
        return DeviceError(f"not enough memory{': ' + text if text else ''}", less)
    if isinstance(error, OSError):
        where = f" ({error.filename})" if error.filename else ""
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            return DeviceError(f"the disk is full{where}", "free some space, or write elsewhere with -o")
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            return InputError(f"no permission{where}", "choose another place")
    return None
