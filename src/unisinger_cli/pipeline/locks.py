"""One writer at a time: two runs that write the same files would leave a mix of one and stems of the other."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from unisinger_cli.errors import InputError


@contextmanager
def alone(output: Path, *, wait: bool = False) -> Iterator[None]:
    """Be the only run on this machine that makes `output` (and what lies beside it) until the block ends.

    The lock lies in the folder for temporary files and ends with the process, however that ends; without such a folder
    there is none. Where another run has it, it is waited for with `wait`, else InputError is raised.
    """
    from filelock import FileLock, Timeout

    name = hashlib.sha256(os.fsencode(os.path.realpath(output))).hexdigest()[:24]
    try:
        lock = FileLock(Path(tempfile.gettempdir()) / f"unisinger-{name}.lock", timeout=-1 if wait else 0)
        lock.acquire()
    except Timeout:
        raise InputError(f"{output} is being written by another run of unisinger", "wait, or name another -o") from None
    except OSError:  # nowhere to put it: a run alone on its machine is the usual case
        yield
        return
    try:
        yield
    finally:
        lock.release()
