"""What commands share: finding the config, saying what is wrong with it, printing for people or machines."""

from __future__ import annotations

import argparse
import errno
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from integrations.files import READER
from proxy.commands.terminal import in_color, painted
from proxy.config import Diagnostic, LoadedConfig, load_config
from proxy.config.report import Summary, render

EXIT_OK = 0
EXIT_FOUND = 1
EXIT_CANNOT_RUN = 2
EXIT_APPROVAL = 3
EXIT_BLOCKED = 4
EXIT_TASK_FAILED = 70
EXIT_CONFIG = 78
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF)
DEFAULT_NAMES = ("executor.yaml", "executor.yml")


class CannotRun(Exception):
    """The command cannot start: the text says what is missing and what to do. Exit code 2."""


def add_config_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config",
        action="append",
        metavar="PATH",
        help="config file or directory; repeatable, files are united (default: ./executor.yaml)",
    )


def add_json_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON for machines")


def add_listing(actions: Any, name: str, alias: str, help: str) -> argparse.ArgumentParser:
    """The action that lists, under either of the names that people try. `args.action` is always `name`."""
    parser: argparse.ArgumentParser = actions.add_parser(name, aliases=[alias], help=help)
    parser.set_defaults(action=name)
    return parser


def config_paths(given: Sequence[str] | None, base: Path | None = None) -> list[Path]:
    """The given paths, or the default file in `base` (the working directory). Raises `CannotRun`."""
    folder = base or Path()
    paths = (
        [Path(p) for p in given]
        if given
        else [folder / n for n in DEFAULT_NAMES if (folder / n).is_file()][:1]
    )
    if not paths:
        raise CannotRun(f"no {DEFAULT_NAMES[0]} in {folder.resolve()}; name one with --config PATH")
    for path in paths:
        if str(path) == "-":
            raise CannotRun("--config - cannot be reloaded; name a file or a directory")
        if not _is_there(path):
            raise CannotRun(f"{path}: {_missing(path)}")
    return paths


def _missing(path: Path) -> str:
    return "a symbolic link that leads nowhere" if path.is_symlink() else "no such file or directory"


def _is_there(path: Path) -> bool:
    try:
        return READER.look(path, Path.exists)
    except OSError as error:
        raise CannotRun(f"{path}: {error.strerror or error}") from None


def load_valid(
    paths: Sequence[Path],
    environment: Mapping[str, str] | None = None,
    *,
    secrets: bool = True,
    hint: Callable[[Diagnostic], Diagnostic] = lambda found: found,
) -> LoadedConfig | None:
    """Load the config with this process's environment; when it is invalid, print every error to stderr.

    Without `secrets`, missing secrets are no errors. `hint` may replace the help of a diagnostic.
    """
    began = time.perf_counter()
    loaded = load_config(paths, env=os.environ if environment is None else environment, secrets=secrets)
    if loaded.config is None:
        summary = Summary(len(loaded.files), 0, 0, 0, round((time.perf_counter() - began) * 1000))
        shown = [hint(one) for one in loaded.diagnostics]
        print(render("text", shown, summary, color=in_color(sys.stderr)), file=sys.stderr)
        return None
    return loaded


def start_with_last_good(
    paths: Sequence[Path], environment: Mapping[str, str]
) -> tuple[LoadedConfig | None, Path | None]:
    """For a start whose files are invalid, and whose errors are printed: the config of `server.reload.last_good`, if
    there is one, loudly."""
    from proxy.app.last_good import find_last_good

    found = find_last_good(paths, environment)
    if found is None:
        return None, None
    name = painted("executor:", "bad", sys.stderr)
    print(f"{name} the config is invalid; starts with the last good one, {found}", file=sys.stderr)
    return load_config([found], env=environment), found


def print_json(value: Any) -> None:
    from integrations.json_text import INDENT, write_json

    sys.stdout.write(write_json(value, option=INDENT, default=str).decode() + "\n")


def cannot_run(error: Exception, help_: str | None = None) -> int:
    """Say why on stderr, in one line, and what to do about it where that is known."""
    name = painted("executor:", "bad", sys.stderr)
    text = _of_system(error) if isinstance(error, OSError) else str(error)
    print(f"{name} {text}{f'; {help_}' if help_ else ''}", file=sys.stderr)
    return EXIT_CANNOT_RUN


def _of_system(error: OSError) -> str:
    if error.errno == errno.ENOENT and not _working_directory():
        return "the working directory is gone; change to one that exists"
    if error.filename is not None or not error.strerror:
        return str(error)
    # Written by our own code it is a complete text; its number only makes it harder to read.
    if error.strerror != os.strerror(error.errno or 0) or error.errno not in _NO_ROOM:
        return error.strerror
    return f"cannot write the output: {error.strerror}; make room there, or write to another place"


def _working_directory() -> bool:
    try:
        return bool(os.getcwd())
    except FileNotFoundError:
        return False
