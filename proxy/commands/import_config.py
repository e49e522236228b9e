"""`executor import`: a config from the file in which another program keeps its servers."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from proxy.authoring.foreign import FORMATS, UnknownFormat
from proxy.authoring.insert import CannotInsert
from proxy.authoring.writing import Invalid, compose, create
from proxy.commands.common import (
    DEFAULT_NAMES,
    EXIT_FOUND,
    EXIT_OK,
    CannotRun,
    add_json_option,
    cannot_run,
)
from proxy.commands.drafts import print_draft, read_file, write_schema


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "import",
        help="make an executor.yaml of the servers in another program's config",
        description=f"Understands {FORMATS}. Secrets in it become names of variables, which are listed; what was not "
        "carried over is listed too. A file that is there is never overwritten: `init --from FILE` adds to it.",
        epilog="Exit codes: 0 written, 1 nothing in the file could be carried over, 2 could not run.",
    )
    parser.add_argument("source", metavar="FILE", help="the other program's file; - reads stdin")
    parser.add_argument(
        "--out",
        default=DEFAULT_NAMES[0],
        metavar="PATH",
        help=f"the new file (default {DEFAULT_NAMES[0]}); - prints it, and the lists on stderr",
    )
    add_json_option(parser)


def run(args: argparse.Namespace) -> int:
    try:
        return _import(args)
    except (CannotRun, CannotInsert, UnknownFormat, Invalid) as error:
        return cannot_run(error)
    except OSError as error:
        return cannot_run(CannotRun(f"{args.out}: {(error.strerror or 'cannot be written').lower()}"))


def _import(args: argparse.Namespace) -> int:
    printed = args.out == "-"
    out = Path() / DEFAULT_NAMES[0] if printed else Path(args.out)
    if printed and args.json:
        raise CannotRun("--out - prints the config, so --json cannot print the lists there")
    if not printed and out.exists():
        raise CannotRun(
            f"{out} is there already; add to it: executor init --from {args.source} --config {out}"
        )
    draft = read_file(args.source)
    text = compose(draft, out, None)
    if not draft.integrations:
        print_draft(draft, None, None, as_json=args.json, stream=sys.stderr if printed else None)
        return EXIT_FOUND
    if printed:
        sys.stdout.write(text)
        print_draft(draft, "stdout", None, as_json=False, stream=sys.stderr)
        return EXIT_OK
    create(out, text)
    print_draft(draft, str(out), write_schema(out.parent), as_json=args.json)
    return EXIT_OK
