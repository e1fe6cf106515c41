"""Which device the networks of third parties run on."""

from __future__ import annotations

import os
from typing import Any

from unisinger_cli.errors import DeviceError


def pick(name: str = "auto", threads: int | None = None) -> Any:
    """The torch device called `name`, tried; "auto" is the first GPU, or else the CPU, with `threads`, or as many as
    OMP_NUM_THREADS says, or all cores.

    Raises DeviceError where it cannot be used.
    """
    import torch

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if threads is not None:
        torch.set_num_threads(threads)
    elif "OMP_NUM_THREADS" not in os.environ:  # which torch has read
        torch.set_num_threads(cores)
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0][:100]
        raise DeviceError(f"device {name!r} cannot be used: {reason}", "use --device auto or --device cpu") from error
    return device
