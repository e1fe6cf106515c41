"""WebDataset shards: tar files of samples, `KEY.json` beside `KEY.npz`, the same bytes for the same samples."""

from __future__ import annotations

import io
import json
import os
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[Any]]


@contextmanager
def _replacing(path: Path) -> Iterator[BinaryIO]:
    """A file to write into, which is at `path` once the block has ended well, and nowhere under that name before."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    with temporary.open("wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def write_text(path: Path, text: str) -> None:
    """A text file, whole or not at all."""
    with _replacing(path) as file:
        file.write(text.encode())


def write_shard(path: Path, samples: Iterable[tuple[Mapping[str, Any], Arrays]]) -> None:
    """One shard of (row, arrays), named by the row's "id", which must have no dot and no slash."""
    with _replacing(path) as file, tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for row, arrays in samples:
            data = io.BytesIO()
            np.savez(data, **{name: arrays[name] for name in sorted(arrays)})  # type: ignore[arg-type]
            _add(tar, f"{row['id']}.json", json.dumps(row, ensure_ascii=False, sort_keys=True).encode())
            _add(tar, f"{row['id']}.npz", data.getvalue())


def _add(tar: tarfile.TarFile, name: str, body: bytes) -> None:
    entry = tarfile.TarInfo(name)  # owner, times and rights are those of nobody: zeros
    entry.size = len(body)
    tar.addfile(entry, io.BytesIO(body))


def join_shards(parts: Sequence[Path], out: Path, limit: int) -> list[tuple[str, int]]:
    """Put small shards into `out/000000.tar` and so on, in their order, each of at most `limit` bytes of samples or of
    one part; shards of an earlier run go. Returns (file name, samples) of each."""
    groups: list[list[Path]] = []
    size = limit
    for part in parts:
        if size + part.stat().st_size > limit:
            groups.append([])
            size = 0
        groups[-1].append(part)
        size += part.stat().st_size
    written = []
    for number, group in enumerate(groups):
        name = f"{number:06d}.tar"
        members = 0
        with _replacing(out / name) as file, tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            for part in group:
                with tarfile.open(part) as source:
                    for entry in source:
                        tar.addfile(entry, source.extractfile(entry))
                        members += 1
        written.append((name, members // 2))
    for path in out.glob("[0-9]*.tar"):
        if path.name not in {name for name, _ in written}:
            path.unlink()
    return written
