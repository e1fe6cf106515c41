"""A folder of recordings -> shards and a report, over many processes or machines, in as many runs as it takes.

A recording is the unit of work. It leaves `parts/KEY.tar`, its samples, and then `parts/KEY.json`, how it went; what
has that is not done again. In the end the parts are joined into shards in the order of the recordings' names, so the
bytes depend on neither the number of runs nor who did what.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from unisinger_cli.backends.executor import Result, over_processes, over_ray
from unisinger_cli.backends.weights import sha256_of
from unisinger_cli.corpus.shards import join_shards, write_shard, write_text
from unisinger_cli.corpus.wild import Drop, Encoder, Settings, Tools, samples_of
from unisinger_cli.errors import InputError
from unisinger_cli.stages.recognisers import choose_recogniser
from unisinger_cli.stages.separate import choose_separator

SUFFIXES = frozenset(".wav .flac .ogg .oga .opus .mp3 .aif .aiff .aifc .au .caf .w64".split())
FAILED, TWICE = "failed", "the same as another"
REPORT = "report.json"
_SETTINGS = "settings.json"


@dataclass(frozen=True)
class Harvest:
    """A run over `folder` into `out`; goes to the workers, so it holds no network."""

    folder: Path
    out: Path
    settings: Settings
    encoder: Encoder
    device: str = "cpu"
    shard_bytes: int = 256 << 20

    def part(self, source: str, suffix: str) -> Path:
        return self.out / "parts" / (key_of(source) + suffix)

    def tools(self) -> Tools:
        """Loads everything. Raises MissingExtra, ModelError and so on for what is not there."""
        from unisinger_cli.backends import device, silero

        silero.require()
        settings, threads = self.settings, 1  # the processes are many
        device.pick(self.device, threads)
        separator = (
            None if settings.solo else choose_separator(weights=settings.separator, device=self.device, threads=threads)
        )
        engines = [choose_recogniser(name, self.device, threads) for name in settings.recognisers]
        return Tools(separator, engines, self.encoder)

    def __call__(self, source: str) -> Result:
        """Do one recording; everything that is wrong with it becomes part of the result, never an exception."""
        tools = _tools(self)
        path = self.folder / source
        result: Result = {"source": source, "bytes": path.stat().st_size if path.is_file() else 0}
        try:
            result["sha256"] = sha256_of(path)
            found = samples_of(path, source, key_of(source), self.settings, tools)
        except Exception as error:
            message = error.message if isinstance(error, InputError) else f"{source}: {type(error).__name__}: {error}"
            found = Drop(FAILED, message.replace(str(path), source))
        if isinstance(found, Drop):
            result |= {"dropped": found.reason, "detail": found.detail, "samples": 0, "segments": {}}
        else:
            samples, drops, seconds = found
            kept = sum(sample.row["seconds"] for sample in samples)
            result |= {"dropped": None if samples else "no segment left", "seconds": round(seconds, 3)}
            result |= {"samples": len(samples), "kept_seconds": round(kept, 3), "segments": _counted(drops)}
            write_shard(self.part(source, ".tar"), ((sample.row, sample.arrays) for sample in samples))
        write_text(self.part(source, ".json"), _text(result))
        return result


@lru_cache(maxsize=1)
def _tools(harvest: Harvest) -> Tools:
    return harvest.tools()


def key_of(source: str) -> str:
    """A name for a path within the folder that is safe as a file name and a WebDataset key, and different for each."""
    plain = re.sub(r"[^a-z0-9]+", "-", Path(source).stem.lower()).strip("-")[:40]
    return f"{plain or 'recording'}-{hashlib.sha256(source.encode()).hexdigest()[:10]}"


def _counted(drops: Iterable[Drop]) -> dict[str, int]:
    return dict(sorted(Counter(drop.reason for drop in drops).items()))


def _text(data: Any) -> str:
    return json.dumps(data, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def recordings(folder: Path) -> list[str]:
    """Paths of the audio files in a folder and the folders in it, relative to it, sorted. Hidden ones are left out.

    Raises InputError where there is none.
    """
    found = sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES and path.is_file()
    )
    found = [source for source in found if not any(part.startswith(".") for part in source.split("/"))]
    if not found:
        endings = " ".join(sorted(SUFFIXES))
        raise InputError(f"{folder} holds no audio file", f"give a folder with recordings ({endings})")
    return found


def harvest(
    plan: Harvest, *, workers: int, ray: str | None, about: dict[str, Any], report: Callable[[str], None]
) -> dict[str, Any]:
    """Do what is not done yet, join the shards, and return the report, which is also written to `out/report.json`.

    `about` says what else the bytes depend on (the checkpoint); a folder that was begun with other settings is refused.
    Raises InputError for that, and where there is nothing to work on.
    """
    sources = recordings(plan.folder)
    (plan.out / "parts").mkdir(parents=True, exist_ok=True)
    for rubbish in (*plan.out.glob(".*.part"), *(plan.out / "parts").glob(".*.part")):
        rubbish.unlink(missing_ok=True)
    _same_settings(plan, about)
    missing = [source for source in sources if not _is_done(plan, source)]
    if len(missing) < len(sources):
        report(f"{len(sources) - len(missing)} of {len(sources)} recordings are done already")
    if missing:
        gpus = 1.0 if plan.device.startswith("cuda") else 0.0
        run = over_processes(plan, missing, workers) if ray is None else over_ray(plan, missing, workers, ray, gpus)
        for count, (source, result) in enumerate(run, 1):
            if result is None:
                result = {"source": source, "bytes": (plan.folder / source).stat().st_size, "dropped": FAILED}
                result |= {"detail": f"{source}: the process died of it", "samples": 0, "segments": {}}
                write_text(plan.part(source, ".json"), _text(result))
            why = (
                result["dropped"]
                and f" ({result['dropped']}{': ' if result.get('detail') else ''}{result.get('detail', '')})"
            )
            report(f"{count} of {len(missing)}: {source}: {result['samples']} samples{why or ''}")
    return _collect(plan, sources)


def _same_settings(plan: Harvest, about: dict[str, Any]) -> None:
    text = json.dumps(asdict(plan.settings) | about, default=str, indent=1, sort_keys=True) + "\n"
    path = plan.out / _SETTINGS
    if path.is_file() and path.read_text(encoding="utf-8") != text:
        raise InputError(f"{plan.out} was begun with other settings, see {path}", "choose another folder with --out")
    write_text(path, text)


def _is_done(plan: Harvest, source: str) -> bool:
    """Whether this very file has been worked on; what failed is tried again."""
    try:
        result = json.loads(plan.part(source, ".json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    same = result["source"] == source and result["bytes"] == (plan.folder / source).stat().st_size
    return bool(same and result["dropped"] != FAILED)


def _collect(plan: Harvest, sources: list[str]) -> dict[str, Any]:
    """Shards and report from the parts. Of recordings with the same bytes, the first one counts."""
    results = [json.loads(plan.part(source, ".json").read_text(encoding="utf-8")) for source in sources]
    seen: dict[str, str] = {}
    for result in results:
        first = seen.setdefault(result.get("sha256", result["source"]), result["source"])
        if first != result["source"] and result["dropped"] is None:
            result |= {"dropped": TWICE, "detail": first, "samples": 0, "segments": {}, "seconds": 0.0}
    kept = [result for result in results if result["dropped"] is None]
    shards = join_shards([plan.part(result["source"], ".tar") for result in kept], plan.out, plan.shard_bytes)
    segments: Counter[str] = Counter()
    for result in results:
        segments.update(result["segments"])
    summary = {
        "schema": 1,
        "recordings": len(results),
        "kept": len(kept),
        "dropped": dict(sorted(Counter(r["dropped"] for r in results if r["dropped"] is not None).items())),
        "samples": sum(result["samples"] for result in kept),
        "segments": sum(segments.values()) + sum(result["samples"] for result in kept),
        "segments_dropped": dict(sorted(segments.items())),
        "seconds": round(sum(result.get("seconds", 0.0) for result in results), 3),
        "kept_seconds": round(sum(result["kept_seconds"] for result in kept), 3),
        "shards": [{"file": name, "samples": count} for name, count in shards],
        "drops": [
            {key: result[key] for key in ("source", "dropped", "detail") if key in result}
            for result in results
            if result["dropped"] is not None
        ],
    }
    write_text(plan.out / REPORT, _text(summary))
    return summary
