"""Exceptions to exit codes, in one place.

0 ok, 1 our bug, 2 usage, 3 bad input, 4 model missing or unfit, 5 extra missing, 6 device, memory or disk,
7 some items failed, 130 interrupted (Ctrl-C, or asked to stop by the system).
"""

from __future__ import annotations

import errno
import os
import signal
import traceback
from collections.abc import Callable
from enum import IntEnum
from types import FrameType
from typing import NoReturn

from unisinger_cli.cli import output
from unisinger_cli.errors import DeviceError, InputError, UnisingerError, UsageError

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
        # under nohup, the end of the terminal is to be ignored, and still is
        if hasattr(signal, name) and signal.getsignal(getattr(signal, name)) != signal.SIG_IGN:
            signal.signal(getattr(signal, name), _stop)
    try:
        code = app()
    except SystemExit as stop:  # how completion ends
        code = Exit.OK if _unread(stop.__context__) else stop.code
    except Exception as error:
        if type(error).__name__ == "NoArgsIsHelpError":  # nothing was asked for: its message is the help
            output.say(str(error))
            return Exit.USAGE
        known = explained(error)
        if output.screen.debug and not isinstance(known, UsageError):
            raise
        if known is None:
            text = f"a bug in unisinger: {type(error).__name__}: {error}"
            output.fail(text, "run it again as `unisinger --debug ...` and report what it prints", Exit.BUG)
            return Exit.BUG
        output.fail(known.message, known.hint, known.exit_code)
        return known.exit_code
    if code == Exit.INTERRUPTED:
        done = output.screen.written
        more = ", ..." if len(done) > 5 else ""
        kept = f"{len(done)} done: {', '.join(done[:5])}{more}" if done else "nothing was written"
        output.fail(f"interrupted; {kept}", "", Exit.INTERRUPTED)
    return code if isinstance(code, int) else Exit.OK


def _unread(error: BaseException | None) -> bool:
    """Whether it was help whose reader went away, of which the parser makes a 1: that is no bug. What we say ourselves
    does not fail so (see `output`); any other pipe that breaks is a failure."""
    if not isinstance(error, BrokenPipeError) or error.__traceback__ is None:
        return False
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    return frame.f_code.co_name == "echo"


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _starved(error: BaseException) -> str | None:
    """What was said when memory ran out; None if it did not. What failed for want of memory is often tried in another
    way (soundfile looks for another libsndfile), and what is told at last is that this failed as well: so what an error
    came up in the handling of counts too. torch is not imported here: its errors are known by name and wording."""
    cause: BaseException | None = error
    while cause is not None:
        text = str(cause).splitlines()[0] if str(cause) else ""
        name = type(cause).__name__
        if isinstance(cause, MemoryError) or name == "OutOfMemoryError" or any(part in text for part in _STARVED):
            return text
        cause = cause.__cause__ or cause.__context__
    return None


def explained(error: Exception) -> UnisingerError | None:
    """What the user can do something about, from whatever was raised; None for a bug."""
    if isinstance(error, UnisingerError):
        return error
    told = getattr(error, "format_message", None)  # of the parser, which is not imported here: an option there is not
    if told is not None:
        context = getattr(error, "ctx", None)
        return UsageError(" ".join(told().split()), "" if context is None else f"{context.command_path} --help")
    less = "give shorter input, close other programs, or use another --device"
    starved = _starved(error)
    if starved is not None:
        return DeviceError(f"not enough memory{': ' + starved if starved else ''}", less)
    if isinstance(error, OSError):
        where = f" ({error.filename})" if error.filename else ""
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            return DeviceError(f"the disk is full{where}", "free some space, or write elsewhere with -o")
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            return InputError(f"no permission{where}", "choose another place")
        if isinstance(error.filename, str | bytes | os.PathLike):  # too long a name, a file in place of a folder ...
            return InputError(f"{os.fsdecode(error.filename)}: {error.strerror}", "check the path")
        if error.errno == errno.ENOENT:  # of what has no name: getcwd
            return InputError("the folder that this was started in is not there any more", "cd to one that is")
        if error.errno in (errno.EIO, errno.ESTALE, errno.ENODEV, errno.ENXIO, errno.ETIMEDOUT):
            return DeviceError(f"a disk, or the way to it, failed ({error.strerror})", "try again, or work elsewhere")
    return None
