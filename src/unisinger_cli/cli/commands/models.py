"""`unisinger models`: the bundled checkpoint, and weights of others that some stages can use."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from unisinger_cli.cli import options, output
from unisinger_cli.errors import InputError, ModelError

models = typer.Typer(
    help="Weights: what is here, and fetching what is not. `pull` is the only thing that ever downloads.\n\n"
    "\b\nExample:\n  unisinger models list",
    no_args_is_help=True,
    rich_markup_mode=None,
)

BUNDLED = "mini"
Name = Annotated[str, typer.Argument(metavar="NAME", help="As `unisinger models list` shows it.")]


@models.command("list")
def list_(json: options.Json = False) -> None:
    """Show every model: its size, licence, and whether it is here.

    \b
    Example:
      unisinger models list
    """
    output.screen.json = json
    found = _bundled() + _others()
    rows = [["NAME", "MIB", "LICENCE", "HERE", "GIVES"]]
    for row in found:
        size = "-" if row["size"] is None else f"{row['size'] / 2**20:.1f}"
        rows.append([row["name"], size, row["licence"], "yes" if row["installed"] else "no", row["gives"]])
    output.result(output.table(rows), {"schema": 1, "models": found})


@models.command()
def pull(
    name: Name,
    url: Annotated[
        str | None,
        typer.Option("--url", metavar="URL", help="Fetch it from a mirror: https://, http:// or file://."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Fetch it again where it is here already.")] = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Download weights, check their sha256, and put them where the other commands look.

    \b
    Examples:
      unisinger models pull htdemucs
      unisinger models pull whisper-base --url https://mirror.example/base.pt
    """
    output.screen.json, output.screen.quiet = json, quiet
    from unisinger_cli.backends import weights

    if name == BUNDLED:
        raise InputError(f"{BUNDLED} comes with the program and is not downloaded", "unisinger models verify mini")
    wanted = weights.known(name)
    here = wanted.installed and weights.sha256_of(wanted.path) == wanted.sha256
    if force or not here:
        with output.progress() as reporter:
            reporter.stage(f"fetching {name}")
            weights.pull(wanted, url=url, step=reporter.step)
    data = {
        "schema": 1,
        "name": name,
        "output": str(wanted.path),
        "sha256": wanted.sha256,
        "fetched": force or not here,
    }
    output.result(str(wanted.path), data)


@models.command()
def path(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="A model.  [default: the folder of downloads]")
    ] = None,
    json: options.Json = False,
) -> None:
    """Show where a model lies, or would lie once it is pulled.

    \b
    Example:
      unisinger models path mini
    """
    output.screen.json = json
    from unisinger_cli.backends import weights

    place = weights.folder() if name is None else Path(_row(name)["path"])
    output.result(str(place), {"schema": 1, "path": str(place), "exists": place.exists()})


@models.command()
def verify(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="A model.  [default: all that are here]")] = None,
    json: options.Json = False,
) -> None:
    """Read models whole and check their sha256.

    \b
    Example:
      unisinger models verify
    """
    output.screen.json = json
    rows = [row for row in _bundled() + _others() if Path(row["path"]).is_file()] if name is None else [_row(name)]
    bad = [row["name"] for row in rows if not _right(row)]
    if bad:
        raise ModelError(f"damaged, or other files under that name: {', '.join(bad)}", _remedy(bad[0], " --force"))
    text = output.table([[row["name"], "ok", row["sha256"]] for row in rows]) if rows else "no models are here"
    output.result(text, {"schema": 1, "models": rows})


def _right(row: dict[str, Any]) -> bool:
    """Whether the file of `row` is what it should be. Raises ModelError where there is none."""
    from unisinger_cli.backends import weights

    path = Path(row["path"])
    if not path.is_file():
        raise ModelError(f"{row['name']} is not here ({path})", _remedy(row["name"]))
    if row["name"] != BUNDLED:
        return weights.sha256_of(path) == str(row["sha256"])
    from unisinger_cli.model.checkpoint import load_checkpoint  # has no published sha256: it must load, strictly

    try:
        load_checkpoint(path)
    except ValueError:
        return False
    return True


def _remedy(name: str, option: str = "") -> str:
    return "install unisinger again" if name == BUNDLED else f"unisinger models pull {name}{option}"


def _others() -> list[dict[str, Any]]:
    from unisinger_cli.backends import weights

    return [
        {
            "name": item.name,
            "size": item.size,
            "licence": item.licence,
            "installed": item.installed,
            "path": str(item.path),
            "sha256": item.sha256,
            "gives": item.gives,
            "url": item.url,
            "extra": item.extra,
        }
        for item in weights.WEIGHTS.values()
    ]


def _bundled() -> list[dict[str, Any]]:
    """The checkpoint that comes with the program, as a row like the others'."""
    from unisinger_cli.backends.weights import sha256_of
    from unisinger_cli.pipeline.studio import bundled_checkpoint

    place = bundled_checkpoint()
    here = place.is_file()
    return [
        {
            "name": BUNDLED,
            "size": place.stat().st_size if here else None,
            "licence": "see its card",
            "installed": here,
            "path": str(place),
            "sha256": sha256_of(place) if here else None,
            "gives": "songs and conversions (comes with the program)",
            "url": None,
            "extra": None,
        }
    ]


def _row(name: str) -> dict[str, Any]:
    from unisinger_cli.backends import weights

    rows = {row["name"]: row for row in _bundled() + _others()}
    return rows[name] if name in rows else rows[weights.known(name).name]
