"""Where the value of an option comes from: flag > UNISINGER_* > config.toml > default.

The file is $XDG_CONFIG_HOME/unisinger/config.toml (~/.config where that is not set), or the one that
UNISINGER_CONFIG names. Its keys are the long options, without dashes in front; at the top for every command
that has such an option, in a table such as [song] for one command:

    threads = 2
    [song]
    steps = 24

Variables are the same names in capitals, UNISINGER_THREADS=2. Flags and variables are Typer's own doing.
"""

from __future__ import annotations

import difflib
import os
import sys
from pathlib import Path
from typing import Any, TypeAlias

from unisinger_cli.errors import UsageError

Options: TypeAlias = dict[str, dict[str, str]]  # command -> long option (without dashes) -> parameter


def config_path() -> Path:
    """The one file that is read; it need not exist."""
    named = os.environ.get("UNISINGER_CONFIG")
    if named:
        return Path(named)
    base = os.environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "unisinger" / "config.toml"


def defaults(path: Path, options: Options) -> dict[str, dict[str, Any]]:
    """What the file says, in the form of Typer's default_map: nested by command, then parameter -> value.

    `options` has the commands as they are typed ("song", "voice add"). Raises UsageError on an unknown key.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}", "mend or remove the file") from error
    found: dict[str, dict[str, Any]] = {command: {} for command in options}
    everywhere = {option for table in options.values() for option in table}
    for key, value in _parsed(path, text).items():
        if isinstance(value, dict):
            _known(path, "table", key, set(options))
            for option, item in value.items():
                _known(path, f"option of [{key}]", option, set(options[key]))
                found[key][options[key][option]] = item
            continue
        _known(path, "option", key, everywhere)
        for command, table in options.items():
            if key in table:
                found[command].setdefault(table[key], value)
    return _nested(found)


def _nested(found: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    nested: dict[str, dict[str, Any]] = {}
    for command, values in found.items():
        group, _, name = command.partition(" ")
        nested.setdefault(group, {}).update({name: values} if name else values)
    return nested


def _parsed(path: Path, text: str) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # TOMLDecodeError is one; so are numbers of 5000 digits
        raise UsageError(f"{path} is not valid TOML: {error}", "mend or remove the file") from error


def _known(path: Path, what: str, name: str, names: set[str]) -> None:
    if name not in names:
        near = difflib.get_close_matches(name, sorted(names), n=1)
        raise UsageError(f"{path}: no {what} is called {name!r}", f"did you mean {near[0]!r}?" if near else "")
