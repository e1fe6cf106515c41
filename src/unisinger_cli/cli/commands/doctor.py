"""`unisinger doctor`: what is installed, what is missing, and what each missing part would give."""

from __future__ import annotations

import os
import platform
import shutil
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer

from unisinger_cli.cli import exits, options, output, settings

_LINE = "la la la la la la la"  # that the test sings
# extra -> (modules that it installs, what it gives)
EXTRAS: dict[str, tuple[tuple[str, ...], str]] = {
    "separate": (("demucs",), "vocal and accompaniment from a mix"),
    "transcribe": (("whisper",), "words and their times from a recording"),
    "hubert": (("torchaudio",), "HuBERT content tokens"),
    "train": (("pyworld", "mido"), "training data from recordings and scores"),
    "corpus": (("silero_vad",), "training data from recordings from anywhere"),
    "ray": (("ray",), "the same over many machines"),
    "eval": (
        ("resemblyzer", "torchfcpe", "pocketsphinx", "pyworld", "matplotlib"),
        "independent judges of voice, pitch and words, and pictures",
    ),
}


def doctor(
    test: Annotated[
        bool, typer.Option("--test/--no-test", help="Sing a line, to see that it works and how fast.")
    ] = True,
    json: options.Json = False,
    quiet: options.Quiet = False,
    checkpoint: options.Checkpoint = None,
    device: options.Device = "auto",
    threads: options.Threads = None,
) -> None:
    """Show what is installed, what is missing and what it would give; sing a line, and tell how fast that was.

    It is what a bug report should carry. The exit code is 0 if songs can be sung here, else that of what is wrong.

    \b
    Examples:
      unisinger doctor
      unisinger doctor --no-test --json
    """
    output.screen.json, output.screen.quiet = json, quiet
    from unisinger_cli.pipeline.receipt import versions

    data: dict[str, Any] = {
        "schema": 1,
        "versions": versions(),
        "machine": _machine(),
        "torch": _torch(),
        "checkpoint": _checkpoint(checkpoint),
        "extras": _extras(),
        "weights": _weights(),
        "places": _places(),
        "test": _tested(checkpoint, device, threads) if test else None,
    }
    output.result(_text(data), data)
    if data["test"] and data["test"].get("exit"):
        raise typer.Exit(data["test"]["exit"])


def _places() -> dict[str, Any]:
    """Where things lie, and how much room there is."""
    from unisinger_cli.backends import weights
    from unisinger_cli.pipeline import voices

    temporary = os.environ.get("TMPDIR", "/var/tmp")
    room = {place: shutil.disk_usage(place).free for place in (".", temporary) if Path(place).is_dir()}
    return {
        "config": str(settings.config_path()),
        "voices": str(voices.folder()),
        "weights": str(weights.folder()),
        "ffmpeg": shutil.which("ffmpeg"),
        "free": {str(Path(place).resolve()): free for place, free in room.items()},
    }


def _tested(checkpoint: str | None, device: str, threads: int | None) -> dict[str, Any]:
    """What singing a line took, or why it could not be sung."""
    try:
        return _sung(checkpoint, device, threads)
    except Exception as error:
        known = exits.explained(error)
        if known is None:
            return {"error": f"{type(error).__name__}: {' '.join(str(error).split())[:200]}", "hint": "", "exit": 1}
        return {"error": known.message, "hint": known.hint, "exit": known.exit_code}


def _sung(checkpoint: str | None, device: str, threads: int | None) -> dict[str, Any]:
    from unisinger_cli.pipeline.receipt import peak_memory
    from unisinger_cli.pipeline.song import song
    from unisinger_cli.pipeline.studio import Studio
    from unisinger_cli.requests import SongRequest

    with output.progress() as reporter:
        reporter.stage("loading")
        began = time.monotonic()
        studio = Studio.open(checkpoint, device=device, threads=threads)
        loaded = time.monotonic()
        made = song(studio, SongRequest(_LINE, bpm=120), reporter)
    seconds, sound = time.monotonic() - loaded, made.stems.mix.seconds
    return {
        "load_seconds": round(loaded - began, 2),
        "sound": round(sound, 2),
        "seconds": round(seconds, 2),
        "real_time_factor": round(seconds / sound, 3),
        "three_minutes": round(180 * seconds / sound),
        "peak_memory_mib": peak_memory(),
    }


def _machine() -> dict[str, Any]:
    memory = available = None
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        page = os.sysconf("SC_PAGE_SIZE")
        memory = page * os.sysconf("SC_PHYS_PAGES")
        available = page * os.sysconf("SC_AVPHYS_PAGES") if "SC_AVPHYS_PAGES" in os.sysconf_names else None
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "system": platform.platform(),
        "processor": platform.machine(),
        "cores": cores,
        "memory": memory,
        "memory_free": available,
    }


def _torch() -> dict[str, Any]:
    """What torch can use, or why it cannot be used at all."""
    try:
        import torch
    except (ImportError, OSError) as error:
        return {"error": str(error).splitlines()[0]}
    devices = [f"cuda:{i} ({torch.cuda.get_device_name(i)})" for i in range(torch.cuda.device_count())]
    devices += ["mps"] if torch.backends.mps.is_available() else []
    return {
        "cpu": torch.backends.cpu.get_cpu_capability(),
        "bfloat16": bool(torch.cpu._is_avx512_bf16_supported())
        if hasattr(torch.cpu, "_is_avx512_bf16_supported")
        else None,
        "threads": torch.get_num_threads(),
        "devices": ["cpu", *devices],
    }


def _checkpoint(asked: str | None) -> dict[str, Any]:
    from unisinger_cli.backends.weights import sha256_of
    from unisinger_cli.model.config import FORMAT_VERSION
    from unisinger_cli.pipeline.studio import DEBUG, bundled_checkpoint

    if asked == DEBUG:
        return {"path": DEBUG, "reads_format": FORMAT_VERSION, "found": True, "random": True}
    path = bundled_checkpoint() if asked is None else Path(asked)
    found: dict[str, Any] = {"path": str(path), "reads_format": FORMAT_VERSION, "found": path.is_file()}
    if not path.is_file():
        return found
    found |= {"size": path.stat().st_size, "sha256": sha256_of(path)}
    try:
        from unisinger_cli.model.checkpoint import read_header

        config, about = read_header(path)
    except (ValueError, ImportError, OSError) as error:
        return found | {"error": str(error).splitlines()[0]}
    return found | {"format": FORMAT_VERSION, "name": config.name, "about": about}


def _extras() -> list[dict[str, Any]]:
    rows = []
    for extra, (modules, gives) in EXTRAS.items():
        missing = [module for module in modules if find_spec(module) is None]
        command = f"pip install 'unisinger[{extra}]'"
        rows.append({"extra": extra, "installed": not missing, "missing": missing, "gives": gives, "install": command})
    return rows


def _weights() -> list[dict[str, Any]]:
    from unisinger_cli.backends.weights import WEIGHTS

    return [
        {"name": item.name, "installed": item.installed, "path": str(item.path), "gives": item.gives}
        for item in WEIGHTS.values()
    ]


def _text(data: dict[str, Any]) -> str:
    """The same, for people."""
    machine, torch, checkpoint = data["machine"], data["torch"], data["checkpoint"]
    rows = [["versions", ", ".join(f"{name} {version}" for name, version in data["versions"].items())]]
    rows.append(["machine", f"{machine['system']}, {machine['cores']} cores"])
    memory = machine["memory"]
    if memory is not None:
        free = machine["memory_free"]
        rows.append(
            [
                "memory",
                f"{memory / 2**30:.1f} GiB" + (f", {free / 2**30:.1f} free" if free is not None else ""),
            ]
        )
    if "error" in torch:
        rows.append(["torch", f"cannot be used: {torch['error']}"])
    else:
        fast = ", bfloat16 in hardware" if torch["bfloat16"] else ""
        rows.append(["torch", f"{', '.join(torch['devices'])}; {torch['cpu']}{fast}, {torch['threads']} threads"])
    if not checkpoint["found"]:
        state = "not found"
    elif checkpoint.get("random"):
        state = "a tiny random model, for tests"
    else:
        state = checkpoint.get("error") or f"{checkpoint['name']}, format {checkpoint['format']}"
        state += f", {checkpoint['size'] / 2**20:.1f} MiB, sha256 {checkpoint['sha256'][:12]}"
    rows.append(["checkpoint", f"{checkpoint['path']}: {state}"])
    for item in data["extras"]:
        rows.append([f"[{item['extra']}]", f"{item['gives']}: {'ok' if item['installed'] else item['install']}"])
    for item in data["weights"]:
        state = "ok" if item["installed"] else f"unisinger models pull {item['name']}"
        rows.append([item["name"], f"{item['gives']}: {state}"])
    places = data["places"]
    for name in ("config", "voices", "weights"):
        rows.append([f"{name} in" if name != "config" else "settings", places[name]])
    rows.append(
        ["free disk", ", ".join(f"{free / 2**30:.1f} GiB in {place}" for place, free in places["free"].items())]
    )
    rows.append(["ffmpeg", places["ffmpeg"] or "reads M4A and AAC: not found"])
    found = data["test"]
    if found is not None and "error" in found:
        rows.append(["test", f"FAILED: {found['error']}" + (f" ({found['hint']})" if found["hint"] else "")])
    elif found is not None:
        minutes = f"a song of three minutes takes about {found['three_minutes'] / 60:.1f} minutes here"
        told = f"sang {found['sound']:.0f} s in {found['seconds']:.1f} s, loading {found['load_seconds']:.1f} s"
        rows.append(["test", f"{told}, {found['peak_memory_mib'] or 0:.0f} MiB at most; {minutes}"])
    return str(output.table(rows))
