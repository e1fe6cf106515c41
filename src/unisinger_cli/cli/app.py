"""The command line: one Typer app, one file a command, and `main`, the installed script."""

from __future__ import annotations

import os
from typing import Annotated, Any

import typer

from unisinger_cli import __version__
from unisinger_cli.cli import exits, output, settings, streams
from unisinger_cli.cli.commands.batch import batch
from unisinger_cli.cli.commands.convert import convert
from unisinger_cli.cli.commands.doctor import doctor
from unisinger_cli.cli.commands.evaluate import evaluate
from unisinger_cli.cli.commands.inspect import inspect
from unisinger_cli.cli.commands.models import models
from unisinger_cli.cli.commands.plan import plan
from unisinger_cli.cli.commands.prepare import prepare
from unisinger_cli.cli.commands.replay import replay
from unisinger_cli.cli.commands.report import report
from unisinger_cli.cli.commands.retake import retake
from unisinger_cli.cli.commands.separate import separate
from unisinger_cli.cli.commands.song import song
from unisinger_cli.cli.commands.styles import styles
from unisinger_cli.cli.commands.train import train
from unisinger_cli.cli.commands.transcribe import transcribe
from unisinger_cli.cli.commands.voice import voice

EPILOG = (
    "Exit codes: 0 ok, 1 our bug, 2 usage, 3 bad input, 4 model missing or unfit, 5 extra missing, "
    "6 device, memory or disk, 7 some items failed, 130 interrupted. "
    "Options can also be set by variables such as UNISINGER_THREADS, and in config.toml (see the README)."
)

app = typer.Typer(
    name="unisinger",
    help="Sing lyrics in a voice from a recording, or sing a recording again in another voice. Offline.\n\n"
    "\b\nExamples:\n"
    "  unisinger song --lyrics words.txt --ref me.wav -o song.wav\n"
    "  unisinger convert vocal.wav --target me.wav -o mine.wav",
    epilog=EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # cli.exits speaks to the user
    rich_markup_mode=None,  # plain text: the help comes up faster, and pipes well
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        output.result(f"unisinger {__version__}", {"version": __version__})
        raise typer.Exit()


@app.callback()
def root(
    ctx: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
    debug: Annotated[
        bool,
        typer.Option("--debug", envvar="UNISINGER_DEBUG", show_envvar=False, help="Show tracebacks, for bug reports."),
    ] = False,
) -> None:
    output.screen.debug = debug
    ctx.default_map = settings.defaults(settings.config_path(), _options(ctx.command))


def _options(group: Any, above: str = "") -> settings.Options:
    """The long options of each command, which can stand in the configuration file (see `settings`)."""
    found: dict[str, dict[str, str]] = {}
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            found |= _options(command, f"{above}{name} ")
        else:
            names = {parameter.name: parameter.opts for parameter in command.params}
            longs = {o[2:]: name for name, opts in names.items() for o in opts if o.startswith("--")}
            found[above + name] = longs
    return found


app.command()(song)
app.command()(convert)
app.command(short_help="Show a song or a conversion on a page, to hear and to look at.")(report)
app.command(short_help="Compose without singing, or set words to a melody.")(plan)
app.command()(styles)
app.command()(separate)
app.command()(transcribe)
app.add_typer(voice, name="voice")
app.add_typer(models, name="models")
app.command(short_help="Do many jobs, with the model loaded once.")(batch)
app.command(short_help="Sing some lines of a song again, and keep the rest as it is.")(retake)
app.command()(replay)
app.command(short_help="Show what made an audio file.")(inspect)
app.command(short_help="Show what is installed, what is missing, and how fast it is.")(doctor)
app.add_typer(prepare, name="prepare")
app.command()(train)
app.command()(evaluate)


def main() -> int:
    """Run the command line on sys.argv and return its exit code."""
    # torch's threads, waiting for each other, soon sleep: spinning on, beside a program that keeps the cores busy, they
    # made a conversion take seven times as long; sleeping at once costs a fifth on a machine that is idle
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    streams.prepare()
    return exits.run(lambda: app(prog_name="unisinger", standalone_mode=False))
