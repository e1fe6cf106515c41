"""Everything that may go wrong for a reason the user can act on.

Each error has an exit code (documented in the README) and a hint: what to run or change next.
One place, `cli/exits.py`, turns them into one line on stderr and an exit status.
"""

from __future__ import annotations


class UnisingerError(Exception):
    """Base of all errors with a message for the user.

    Args:
        message: one line that names the file, the value and the limit.
        hint: what to run or to change, or "" if there is nothing to add.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(UnisingerError):
    """Options that do not go together."""

    exit_code = 2


class InputError(UnisingerError):
    """A file or a value that cannot be worked with."""

    exit_code = 3


class ModelError(UnisingerError):
    """A checkpoint or weights file that is missing, damaged or of another version."""

    exit_code = 4


class MissingExtra(UnisingerError):
    """An optional package is not installed; the hint is the pip command."""

    exit_code = 5

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} is not installed", f"pip install 'unisinger[{extra}]'")


class DeviceError(UnisingerError):
    """No such device, or not enough memory or disk."""

    exit_code = 6


class PartialFailure(UnisingerError):
    """Some items of several failed; the others are done."""

    exit_code = 7
