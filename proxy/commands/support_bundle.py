"""`executor support-bundle`: what whoever helps needs to see of a running server, in one file, without a secret.

The config is the server's own `/-/config`: references, never values. Log lines are those that the server wrote, whose
secrets it has cut out; the token that this command sends is cut out of everything once more.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import platform
import sqlite3
import sys
import tarfile
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from proxy.commands.common import EXIT_OK, CannotRun
from proxy.commands.remote import Refused, Remote, add_server_options, run_remotely
from proxy.commands.server_checks import server_checks

LINES: Final = 1000
_PACKAGES: Final = (
    "executor-proxy",
    "mcp",
    "quart",
    "hypercorn",
    "httpx2",
    "pydantic",
    "dukpy",
    "quickjs-rs",
)


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "support-bundle",
        help="collect config, status, metrics and versions of a running server in one file",
        description="Writes a .tar.gz with the config (references only), status, metrics, the lines of `doctor "
        "--server`, versions, and with --log the last lines of a log file. No secret is in it; look at it all the "
        "same before you send it.",
        epilog="Exit codes: 0 written, 1 the server refused, 2 could not run.",
    )
    parser.add_argument("--output", metavar="FILE", type=Path, help="default: executor-support-TIME.tar.gz")
    parser.add_argument("--log", metavar="FILE", type=Path, help="a file that has the server's log")
    parser.add_argument("--lines", metavar="N", type=int, default=LINES, help=f"of the log (default {LINES})")
    add_server_options(parser)
    parser.add_argument(
        "--json", action="store_true", help="print the name of the file and its contents as JSON"
    )


def run(args: argparse.Namespace) -> int:
    return run_remotely(args, _run)


def _run(args: argparse.Namespace, remote: Remote) -> int:
    output = args.output or Path(time.strftime("executor-support-%Y%m%dT%H%M%SZ.tar.gz", time.gmtime()))
    parts = dict(_parts(args, remote))
    _write(output, {name: remote.without_token(text) for name, text in parts.items()})
    if args.json:
        print(json.dumps({"file": str(output), "contents": sorted(parts)}))
    else:
        print(f"{output}: {', '.join(sorted(parts))}")
        if args.log is None:
            print("no log lines: name the server's log with --log FILE", file=sys.stderr)
    return EXIT_OK


def _parts(args: argparse.Namespace, remote: Remote) -> Iterator[tuple[str, str]]:
    """Names and texts. What the server refuses is said in its place."""
    yield "versions.json", json.dumps(_versions(), indent=2)
    yield "doctor.json", json.dumps([asdict(check) for check in server_checks(remote)], indent=2)
    for name, path in (("config.json", "/-/config"), ("status.json", "/-/status")):
        try:
            yield name, json.dumps(remote.get(path), indent=2)
        except Refused as refused:
            yield name, json.dumps({"refused": str(refused)})
    yield "metrics.txt", remote.text("/metrics")
    if args.log is not None:
        yield "log.txt", _last_lines(args.log, args.lines)


def _versions() -> dict[str, str]:
    found = {name: metadata.version(name) for name in _PACKAGES}
    return {
        **found,
        "python": platform.python_version(),
        "system": platform.platform(),
        "sqlite": sqlite3.sqlite_version,
    }


def _last_lines(file: Path, count: int) -> str:
    if not file.is_file():
        raise CannotRun(f"{file}: not a file")
    with file.open(encoding="utf-8", errors="replace") as lines:
        return "".join(deque(lines, count))


def _write(output: Path, parts: dict[str, str]) -> None:
    """For its owner only, and never over another file. Raises `CannotRun`."""
    try:
        descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise CannotRun(f"{output}: {error.strerror}; name another file with --output FILE") from None
    with os.fdopen(descriptor, "wb") as file, tarfile.open(fileobj=file, mode="w:gz") as bundle:
        for name, text in parts.items():
            data = text.encode()
            entry = tarfile.TarInfo(f"{output.name.removesuffix('.tar.gz')}/{name}")
            entry.size, entry.mtime, entry.mode = len(data), int(time.time()), 0o600
            bundle.addfile(entry, io.BytesIO(data))
