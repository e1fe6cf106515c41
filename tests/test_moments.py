"""Moments: killed, interrupted, out of disk, out of memory, two at once, nowhere to write, a clock that is wrong."""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conftest import LIMIT, store, sung
from unisinger_cli.cli import exits
from unisinger_cli.errors import DeviceError

SONG = ["song", "--lyrics", "lyrics.txt", "--bpm", "200", "--steps", "1", "--checkpoint", "debug", "--threads", "1"]
NAMES = ("song.wav", "song.vocal.wav", "song.accomp.wav", "song.json")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "lyrics.txt").write_text("a day\n")
    store(tmp_path / "voice.wav", sung(1.2).samples)
    return tmp_path


def start(place: Path, *arguments: str, code: str = "pass", **given: Any) -> subprocess.Popen[str]:
    """The command in a process group of its own; with `code` before it in the same process."""
    run = f"import sys; {code}; sys.argv[0] = 'unisinger'; from unisinger_cli.cli.app import main; sys.exit(main())"
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **given.pop("env", {})}
    return subprocess.Popen(
        [sys.executable, "-c", run, *arguments], cwd=place, env=environment, text=True, start_new_session=True,
        stdout=given.pop("stdout", subprocess.PIPE), stderr=subprocess.PIPE, **given,
    )  # fmt: skip


def ended(run: subprocess.Popen[str], code: int, *said: str) -> None:
    _, err = run.communicate(timeout=LIMIT)
    assert run.returncode == code, err
    assert "Traceback" not in err and "bug in unisinger" not in err
    if code:
        lines = [line for line in err.splitlines() if not line.startswith(("hint: ", "note: "))]
        assert len(lines) == 1 and lines[0].startswith("error: "), err
    assert not [text for text in said if text not in err], err


def left(place: Path) -> list[str]:
    return sorted(path.name for path in place.iterdir() if path.name not in ("lyrics.txt", "voice.wav"))


def limited(kind: int, amount: int) -> Callable[[], None]:
    return lambda: resource.setrlimit(kind, (amount, amount))


def test_disk_quota(place: Path) -> None:
    run = start(place, *SONG, preexec_fn=limited(resource.RLIMIT_FSIZE, 100_000))
    ended(run, 6, "the disk is full")
    assert left(place) == []


# How much suffices differs from one build of torch to the next, so the limit is set once the libraries are there:
# between, it may fall to one that waits for memory for ever (OpenBLAS) or that ends the process (libtorch).
LIBRARIES = (
    "import resource, re, torch, soundfile, scipy.signal, pathlib; "
    "held = int(re.search(r'VmSize:\\s+(\\d+)', pathlib.Path('/proc/self/status').read_text())[1]) << 10; "
    "resource.setrlimit(resource.RLIMIT_AS, (held + ({mib} << 20),) * 2)"
)


def test_memory_for_torch(place: Path) -> None:
    """As much as hardly starts the program."""
    ended(start(place, *SONG, preexec_fn=limited(resource.RLIMIT_AS, 300 << 20)), 6, "not enough memory")
    assert left(place) == []


@pytest.mark.parametrize("mib", [96, 160])
def test_memory(place: Path, mib: int) -> None:
    """Too little to load a checkpoint of 30 MiB, and too little to sing with it."""
    ended(start(place, *SONG[:-4], code=LIBRARIES.format(mib=mib)), 6, "not enough memory")
    assert left(place) == []


def test_memory_for_a_library() -> None:
    """soundfile looks for another libsndfile where it had no memory for its own, and tells that there is none."""
    try:
        try:
            raise OSError("cannot load library 'libsndfile_x86_64.so': failed to map segment from shared object")
        except OSError:
            raise OSError("cannot load library 'libsndfile.so': No such file or directory")  # noqa: B904
    except OSError as error:
        told = exits.explained(error)
    assert isinstance(told, DeviceError) and "not enough memory: cannot load library" in told.message
    assert exits.explained(OSError("cannot load library 'libsndfile.so'")) is None


def test_two_at_once(place: Path) -> None:
    """The later one is refused, and what lies there is all of one of them."""
    runs = [start(place, *SONG, "--force", "--seed", str(seed), "--json") for seed in (1, 2)]
    codes = sorted([run.wait(timeout=LIMIT) for run in runs])
    assert codes in ([0, 0], [0, 3])  # the first may have ended before the second began to write
    told = subprocess.run(
        [sys.executable, "-m", "unisinger_cli", "replay", "song.json", "--json"],
        cwd=place,
        capture_output=True,
        text=True,
    )
    assert '"identical": true' in told.stdout, told.stderr


def test_nowhere_to_keep_anything(place: Path) -> None:
    """No home, no cache, no configuration: a song needs none of them."""
    nowhere = dict.fromkeys(
        ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "UNISINGER_HOME"), "/proc/nowhere"
    )
    ended(start(place, *SONG, env=nowhere), 0)
    assert set(NAMES) <= set(left(place))
    ended(
        start(
            place, "voice", "add", "a", "voice.wav", "--solo", "--consent", "mine", "--checkpoint", "debug", env=nowhere
        ),
        3,
    )


def test_no_folder_for_temporary_files(place: Path) -> None:
    run = start(place, *SONG, code="import tempfile; tempfile._candidate_tempdir_list = lambda: ['/proc/nowhere']",
                env={"TMPDIR": "/proc/nowhere"})  # fmt: skip
    ended(run, 6, "temporary")
    assert left(place) == []


@pytest.mark.parametrize("now", ["-1e9", "0.0", "4e9", "2.5e11"])
def test_a_clock_that_is_wrong(place: Path, now: str) -> None:
    ended(start(place, *SONG, "--report", code=f"import time; time.time = lambda: {now}"), 0)
    assert set(NAMES) <= set(left(place))


def test_nobody_listens(place: Path) -> None:
    """A pipe that is closed at the other end."""
    read, write = os.pipe()
    os.close(read)
    run = start(place, *SONG, stdout=write)
    os.close(write)
    _, err = run.communicate(timeout=LIMIT)
    assert "Traceback" not in err
    assert set(NAMES) <= set(left(place))


def test_nohup(place: Path) -> None:
    """What was started to outlive its terminal does."""
    run = start(place, *SONG, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    while run.poll() is None and not list(place.glob(".unisinger*")):  # until it writes
        run.send_signal(signal.SIGHUP)
        time.sleep(0.1)
    ended(run, 0)


@pytest.mark.torture
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP", "SIGKILL"])
def test_stopped_at_random_moments(place: Path, name: str) -> None:
    """Whenever it is stopped: all is there, or nothing; and nothing that the next run does not clean up."""
    ended(start(place, *SONG), 0)
    whole = {path: (place / path).read_bytes() for path in NAMES if path != "song.json"}
    rng = random.Random(name)
    for _ in range(12):
        for path in NAMES:
            (place / path).unlink(missing_ok=True)
        run = start(place, *SONG)
        time.sleep(rng.uniform(0, 7))
        os.killpg(run.pid, getattr(signal, name))
        _, err = run.communicate(timeout=60)
        assert run.returncode in (0, 130, -getattr(signal, name)), err
        assert "Traceback" not in err or run.returncode == -signal.SIGINT, err
        there = [path for path in whole if (place / path).exists()]
        assert all((place / path).read_bytes() == whole[path] for path in there)
        if name != "SIGKILL":
            assert len(there) in (0, 3)
            assert not list(place.glob(".unisinger*"))
    ended(start(place, *SONG, "--force"), 0)
    assert not list(place.glob(".unisinger*"))
