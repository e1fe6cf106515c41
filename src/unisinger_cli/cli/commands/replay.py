"""`unisinger replay`: what a receipt tells of, once more."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from unisinger_cli.cli import checks, options, output
from unisinger_cli.errors import InputError, ModelError
from unisinger_cli.requests import Job


def replay(
    receipt: Annotated[Path, typer.Argument(metavar="RECEIPT", help="The .json file beside a song or a conversion.")],
    out: options.Output = None,
    force: options.Force = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
    checkpoint: options.Checkpoint = None,
    device: options.Device = "auto",
    threads: options.Threads = None,
) -> None:
    """Make again what a receipt tells of, and compare.

    On the same kind of machine, with the same versions, every file has the same bytes; where it has not, you are told
    what differs. It needs the same recordings (the words are in the receipt) and the same checkpoint.

    \b
    Examples:
      unisinger replay song.json
      unisinger replay song.json -o again.wav --json
    """
    output.screen.json, output.screen.quiet = json, quiet
    from unisinger_cli.audio import BITS, FORMATS
    from unisinger_cli.pipeline.recall import recall

    then = recall(receipt)
    if then.retaken:
        hint = "replay the song that it was made from, and then: unisinger retake"
        raise InputError(f"{receipt} is of a song of which lines were sung again", hint)
    if then.suffix not in FORMATS or then.bits not in BITS or then.bits not in FORMATS[then.suffix][1]:
        raise InputError(f"{receipt} names a format that is not written: {then.suffix[:20]}, {then.bits[:20]}")
    path = receipt.with_name(f"{receipt.stem}.replay{then.suffix}") if out is None else out
    if path.suffix.lower() != then.suffix:
        raise InputError(f"{receipt} tells of a {then.suffix} file, and -o is {path}", f"give -o NAME{then.suffix}")
    stems = [name for name in ("vocal", "accomp") if name in then.sounds]
    files = checks.outputs(path, stems, force=force, inputs=[receipt, *then.inputs.values()])

    from unisinger_cli.pipeline.produce import produce
    from unisinger_cli.pipeline.studio import DEBUG, Studio

    began = time.monotonic()
    with output.progress() as reporter:
        reporter.stage("loading")
        asked = DEBUG if checkpoint is None and then.model == DEBUG else checkpoint
        studio = Studio.open(asked, device=device, threads=threads or _threads(then.machine))
        if studio.sha256 != then.model:
            hint = "give the checkpoint that was used: --checkpoint FILE"
            raise ModelError(f"{receipt} was made by the model {then.model[:12]}, this is {studio.sha256[:12]}", hint)
        now = produce(studio, Job(then.request, files, then.inputs, then.bits), reporter, began)
    same = {name: now["files"][name]["sha256"] for name in then.sounds if name in now["files"]} == dict(then.sounds)
    differs = [
        f"{name} {str(old)[:60]} then, {new} now"
        for told, here in ((then.versions, now["versions"]), (then.machine, now["machine"]))
        for name, old, new in _pairs(told, here)
    ]
    output.say("the same bytes" if same else "other bytes" + "".join(f"\n  {line}" for line in differs))
    data: dict[str, Any] = {"schema": 1, "output": str(path), "identical": same, "differs": differs}
    output.result(str(path), data)


def _threads(machine: Mapping[str, Any]) -> int | None:
    """As many threads as then: sums come out otherwise in another order."""
    told = machine.get("threads")
    return told if type(told) is int and 1 <= told <= 1024 else None


def _pairs(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    return [(name, then.get(name), value) for name, value in now.items() if then.get(name) != value]
