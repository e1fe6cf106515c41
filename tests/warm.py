"""A Python that has loaded the big libraries, and runs the command line in a fork of itself, again and again.

Loading torch and scipy takes some five seconds of two slow cores; hundreds of tests need not wait for it one by one.
What is forked off has an interpreter, a folder, an environment, streams and an end of its own, as any process does, and
nothing of ours is loaded in it before.

Each line on standard input is a job as JSON: its arguments, folder and environment, the files that are its standard
input, output and error, and the seconds that it may take. The answer is a line with its exit code.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import runpy
import signal
import sys
import tempfile
import threading

LIBRARIES = ("torch", "torch._dynamo", "scipy.signal", "scipy.ndimage", "pyloudnorm", "soundfile", "soxr")


def serve() -> None:
    for name in LIBRARIES:
        __import__(name)
    gc.freeze()  # or collecting in each fork would touch, and so copy, all of that
    for line in sys.stdin:
        job = json.loads(line)
        child = os.fork()
        if not child:
            return become(job)
        late = threading.Timer(job["seconds"], os.kill, (child, signal.SIGKILL))
        late.start()
        _, status = os.waitpid(child, 0)
        late.cancel()
        late.join()  # the next fork is of one thread again
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


def become(job: dict) -> None:
    """Be `python -m unisinger_cli` from here on."""
    os.chdir(job["folder"])
    os.environ.clear()
    os.environ.update(job["environment"])
    tempfile.tempdir = None  # of the environment before
    for number, path in enumerate(job["streams"]):
        opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC if number else os.O_RDONLY)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdin, sys.stdout = os.fdopen(0), os.fdopen(1, "w")
    sys.stderr = os.fdopen(2, "w", 1, errors="backslashreplace")
    sys.argv = ["unisinger", *job["arguments"]]
    code: object = 0
    try:
        runpy.run_module("unisinger_cli", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        code = end.code
    # what an interpreter does at its end, but for taking torch apart
    atexit._run_exitfuncs()
    sys.stdout.flush()
    os._exit(code or 0)


if __name__ == "__main__":
    serve()
