"""Jobs as data: a JSON object whose keys are the long options of `song` or `convert`, read by the same parser.

{"command": "song", "lyrics": "a.txt", "ref": "me", "seed": 3, "output": "a.wav"}
{"command": "convert", "input": "in.wav", "target": "me", "with-accomp": true, "output": "b.wav", "id": "take 2"}
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from unisinger_cli.cli import exits, output, perform
from unisinger_cli.errors import InputError, UsageError
from unisinger_cli.requests import Job

MOST_BYTES = 1 << 26
MOST_JOBS = 100_000
COMMANDS = ("song", "convert")
# What is said once for the whole batch, or has no meaning in it.
REFUSED = {"json", "quiet", "help", "force", "checkpoint", "device", "threads", "dry-run", "pick"}
SWITCHES = {"separate"}  # options that can be said no to
SOUNDS, WORDS = (".wav", ".flac", ".mp3", ".ogg", ".opus", ".aiff", ".aif", ".m4a"), (".txt", ".lrc")


@dataclass(frozen=True)
class Item:
    """A line of a job file (or a file of a folder): a job, or why it is none."""

    name: str  # what the user calls it: its "id", or its place
    job: Job | None = None
    error: str = ""
    hint: str = ""
    code: int = 0


def arguments(data: Any) -> list[str]:
    """The command line that a job stands for. Raises UsageError for what is none."""
    if not isinstance(data, dict):
        raise UsageError("a job must be a JSON object", '{"command": "song", "lyrics": "words.txt", ...}')
    options = {key: value for key, value in data.items() if key not in ("command", "id", "input")}
    if data.get("command") not in COMMANDS:
        raise UsageError(f'"command" is {str(data.get("command"))[:40]!r}', f"use one of {', '.join(COMMANDS)}")
    if "output" not in options:
        raise UsageError('the job has no "output"', "name the file that it shall write")
    found = [data["command"]]
    for key, value in options.items():
        if key in REFUSED:
            raise UsageError(f'"{key}" cannot stand in a job', "give it to unisinger batch, or leave it out")
        if value is False and key in SWITCHES:
            found.append(f"--no-{key}")
        if value is None or value is False:
            continue
        values = value if isinstance(value, list) else [value]
        for one in values:
            if isinstance(one, dict | list) or (isinstance(one, float) and one != one):
                raise UsageError(f'"{key}" is no text, number or truth', "write values as on the command line")
            found.append(f"--{key}" if one is True else f"--{key}={one}")
    if "input" in data:
        found += ["--", str(data["input"])]
    return found


def shared(given: Sequence[str]) -> list[str]:
    """The options of `--set`. Raises UsageError for what is none, and for what must differ from file to file."""
    for one in given:
        name = one.partition("=")[0]
        if re.fullmatch("[a-z][a-z-]*", name) is None:
            raise UsageError(f"--set is {one[:40]!r}", "write it as OPTION=VALUE: target=me, with-accomp")
        if name in REFUSED | {"output", "lyrics"}:
            hint = "give it to unisinger batch, or leave it out"
            raise UsageError(f"--set {name}: cannot be the same for every file of a folder", hint)
    return [f"--{one}" for one in given]


def parsed(argv: Sequence[str], run: Callable[..., object]) -> Job:
    """The one job of a command line, checked as the command itself checks it; `run` is the Typer app.

    Files that exist are let through: whether they are of this job is for the batch to see.
    """
    jobs: list[Job] = []
    token, screen = perform.collected.set(jobs), replace(output.screen)
    try:
        run([argv[0], "--force", *argv[1:]], standalone_mode=False, prog_name="unisinger")
    finally:
        perform.collected.reset(token)
        output.screen.json, output.screen.quiet = screen.json, screen.quiet
    if len(jobs) != 1:
        raise UsageError(f"{argv[0]} made {len(jobs)} jobs of it, and must make one")
    return jobs[0]


def item(name: str, make: Callable[[], list[str]], run: Callable[..., object]) -> Item:
    """The item of a line: whatever is wrong with it is kept, and stops nothing else."""
    try:
        return Item(name, parsed(make(), run))
    except Exception as error:
        known = exits.explained(error)
        if known is None:  # a bug, but the other jobs are not to suffer from it
            return Item(name, None, f"a bug in unisinger: {type(error).__name__}: {error}", "", int(exits.Exit.BUG))
        return Item(name, None, output.one_line(known.message), known.hint, known.exit_code)


def from_lines(text: str, where: str, run: Callable[..., object]) -> Iterator[Item]:
    """An item for every line that is not empty."""
    for number, line in enumerate(text.split("\n"), 1):  # str.splitlines also cuts at what may stand within a text
        if not line.strip():
            continue
        if number > MOST_JOBS:
            raise InputError(f"{where} has over {MOST_JOBS} lines", "cut it into several")
        place = f"{where}:{number}"
        try:
            data = json.loads(line)
        except (ValueError, RecursionError) as error:
            told = f"not JSON ({str(error)[:60]})"
            yield Item(place, None, told, "write one object a line", int(exits.Exit.INPUT))
            continue
        name = data.get("id") if isinstance(data, dict) else None
        called = f"{place} ({str(name)[:60]})" if isinstance(name, str | int) else place
        yield item(called, lambda data=data: arguments(data), run)  # type: ignore[misc]


def from_folder(folder: Path, out: Path, shared: Sequence[str], run: Callable[..., object]) -> Iterator[Item]:
    """An item for every recording (converted) or lyrics file (sung) in a folder, by name, with `shared` options."""
    for path in sorted(folder.iterdir()):
        suffix = path.suffix.lower()
        if path.name.startswith(".") or not path.is_file():
            continue
        target = out / f"{path.stem}.wav"
        if suffix in SOUNDS:
            argv = ["convert", f"--output={target}", *shared, "--", str(path)]
        elif suffix in WORDS:
            argv = ["song", f"--lyrics={path}", f"--output={target}", *shared]
        else:
            continue
        yield item(str(path), lambda argv=argv: argv, run)  # type: ignore[misc]


def text_of(jobs: Path) -> str:
    """The text of a job file. Raises InputError where it cannot be read."""
    try:
        with jobs.open("rb") as file:
            return text_from(file, str(jobs))
    except FileNotFoundError:
        raise InputError(f"{jobs} does not exist", "check the path; quote it if it has spaces") from None
    except OSError as error:
        raise InputError(f"{jobs} cannot be read: {error.strerror}") from error


def text_from(file: BinaryIO, where: str) -> str:
    """The rest of an open file, a pipe too. Raises InputError where it is too long, rather than lose jobs, or no text.

    Whatever the terminal's encoding, jobs are UTF-8, as JSON is.
    """
    data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise InputError(f"{where} has over {MOST_BYTES} bytes", "cut it into several")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{where} is not UTF-8 text (byte {error.start} cannot be read)") from error


def distinct(items: Sequence[Item]) -> list[Item]:
    """The same, but a job that writes what another before it writes, or any reads, is none."""
    taken: dict[str, str] = {}
    read = {
        os.path.realpath(path): one.name for one in items if one.job is not None for path in one.job.inputs.values()
    }
    found = []
    for one in items:
        if (job := one.job) is not None:
            places = {os.path.realpath(path) for path in job.files.values()}
            other = next((taken[place] for place in places if place in taken), None)
            source = next((place for place in places if place in read), None)
            if source is not None:
                told = f"writes what {read[source]} reads: {source}"
                one = Item(one.name, None, told, "give each job an output of its own", int(exits.Exit.USAGE))
            elif other is not None:
                told = f"writes what {other} writes: {job.files['mix']}"
                one = Item(one.name, None, told, "give each job an output of its own", int(exits.Exit.USAGE))
            else:
                taken |= dict.fromkeys(places, one.name)
        found.append(one)
    return found
