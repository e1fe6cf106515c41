"""Weights of third parties that some stages can use: where they come from, where they lie, and fetching them.

`pull` is the only thing in this program that downloads. Everything else asks `verified` for a local path, and
is told what to run where there is none. Files keep their publishers' names, so that a machine without a
network can be served by copying them into `folder()`.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import shutil
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from unisinger_cli.audio import landing
from unisinger_cli.errors import DeviceError, InputError, ModelError, UsageError

_BLOCK = 1 << 20  # bytes read at a time
_PATIENCE = 30.0  # s without a byte before a download is given up


@dataclass(frozen=True)
class Weights:
    """One file of published weights. `size` in bytes, `sha256` as 64 hex digits, `extra` the pip extra it
    needs.
    """

    name: str
    file: str
    url: str
    sha256: str
    size: int
    licence: str
    extra: str
    gives: str

    @property
    def path(self) -> Path:
        return folder() / self.file

    @property
    def installed(self) -> bool:
        """Whether a file of the right size is there; whether it is the right file, `verified` tells."""
        return self.path.is_file() and self.path.stat().st_size == self.size


def _whisper(size_name: str, sha256: str, size: int) -> Weights:
    # OpenAI's addresses carry the sha256 of the file as a path component.
    url = f"https://openaipublic.azureedge.net/main/whisper/models/{sha256}/{size_name}.pt"
    gives = f"words and their times from a recording ({size_name} model)"
    return Weights(f"whisper-{size_name}", f"{size_name}.pt", url, sha256, size, "MIT", "transcribe", gives)


_ALL = (
    Weights(
        "htdemucs",
        "955717e8-8726e21a.th",  # Demucs: <signature>-<first 8 hex digits of its sha256>.th
        "https://dl.fbaipublicfiles.com/demucs/hybrid_transformer/955717e8-8726e21a.th",
        "8726e21a993978c7ba086d3872e7608d7d5bfca646ca4aca459ffda844faa8b4",
        84_141_911,
        "MIT",
        "separate",
        "vocal and accompaniment from a mix",
    ),
    _whisper("tiny", "65147644a518d12f04e32d6f3b26facc3f8dd46e5390956a9424a650c0ce22b9", 75_572_083),
    _whisper("base", "ed3a0b6b1c0edf879ad9b11b1af5a0e6ab5db9205f891f668f8b0e6c6326e34e", 145_262_807),
    _whisper("small", "9ecf779972d90ba49c06d968637d720dd632c55bbf19d441fb42bf17a411e794", 483_617_219),
)
WEIGHTS = {weights.name: weights for weights in _ALL}


def folder() -> Path:
    """Where weights lie: $UNISINGER_HOME/models, or else unisinger/models in the user's cache folder."""
    home = os.environ.get("UNISINGER_HOME")
    if home:
        return Path(home) / "models"
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "unisinger" / "models"


def known(name: str) -> Weights:
    """The entry called `name`. Raises UsageError with the list of names where there is none."""
    if name not in WEIGHTS:
        raise UsageError(f"no weights are called {name!r}", f"one of: {', '.join(WEIGHTS)}")
    return WEIGHTS[name]


def sha256_of(path: Path) -> str:
    """The sha256 of a file, as 64 hex digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def verified(name: str) -> Path:
    """The local file of `name`, after its sha256 was found right. Raises ModelError where it is absent or
    another.
    """
    weights = known(name)
    if not weights.path.is_file():
        raise ModelError(f"the weights of {name} are not here ({weights.path})", f"unisinger models pull {name}")
    found = sha256_of(weights.path)
    if found != weights.sha256:
        raise ModelError(
            f"{weights.path} is damaged or another file: its sha256 is {found[:12]}..., "
            f"and must be {weights.sha256[:12]}...",
            f"unisinger models pull {name} --force",
        )
    return weights.path


# ---------------------------------------------------------------- the only download
def pull(weights: Weights, *, url: str | None = None, step: Callable[[int, int], None] | None = None) -> Path:
    """Fetch `weights` (from `url`, a mirror, where given: http, https or file) and return where they are now.

    The file is streamed beside its place, checked for size and sha256, and only then put there; nothing is
    left of a transfer that failed. `step(done, size)` is called for every MiB. Raises UsageError for an
    address of another kind, DeviceError where the disk is too full, ModelError where the transfer or the
    check fails.
    """
    address = weights.url if url is None else url
    if not _fetchable(address):
        raise UsageError(f"--url is {address!r}", "give an address that starts with https://, http:// or file://")
    try:
        weights.path.parent.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(weights.path.parent).free
    except OSError as error:
        raise InputError(
            f"the folder {weights.path.parent} cannot be made: {error.strerror}",
            "set UNISINGER_HOME to another place",
        ) from error
    if free < weights.size:
        raise DeviceError(
            f"{weights.name} needs {weights.size >> 20} MiB, and {weights.path.parent} has {free >> 20} free",
            "free some space, or set UNISINGER_HOME to another place",
        )
    with landing([weights.path]) as (temporary,):
        found = _stream(address, temporary, weights, step)
        if found != weights.sha256:
            raise ModelError(
                f"what {address} sent is not {weights.name}: its sha256 is {found[:12]}..., "
                f"and must be {weights.sha256[:12]}...",
                "try again, or another --url",
            )
    return weights.path


def _fetchable(address: str) -> bool:
    try:
        return urllib.parse.urlsplit(address).scheme in ("http", "https", "file")
    except ValueError:  # such as brackets that do not match
        return False


def _stream(address: str, target: Path, weights: Weights, step: Callable[[int, int], None] | None) -> str:
    """Copy `address` to `target` and return the sha256 of what came."""
    digest, done = hashlib.sha256(), 0
    try:
        request = urllib.request.Request(address, headers={"User-Agent": "unisinger"})
        with urllib.request.urlopen(request, timeout=_PATIENCE) as source, target.open("wb") as file:
            while done <= weights.size and (block := source.read(_BLOCK)):
                file.write(block)
                digest.update(block)
                done += len(block)
                if step is not None:
                    step(min(done, weights.size), weights.size)
    except urllib.error.HTTPError as error:
        raise ModelError(f"{address} answered {error.code} {error.reason}", "try again, or another --url") from error
    except (urllib.error.URLError, http.client.HTTPException, ssl.SSLError, TimeoutError, ConnectionError) as error:
        reason = getattr(error, "reason", None) or error
        reason = getattr(reason, "strerror", None) or reason
        raise ModelError(
            f"cannot fetch {weights.name} from {address}: {reason}",
            f"check the network, give a mirror with --url, or copy {weights.file} to {weights.path.parent}",
        ) from error
    if done != weights.size:
        size = f"more than {weights.size}" if done > weights.size else str(done)
        raise ModelError(
            f"{address} sent {size} bytes, and {weights.name} has {weights.size}",
            "try again, or another --url",
        )
    return digest.hexdigest()
