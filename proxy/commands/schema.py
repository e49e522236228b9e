"""`executor schema`: the JSON Schema of the config language, for editors."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "schema",
        help="print the JSON Schema of executor.yaml",
        description="Print the JSON Schema (2020-12) of executor.yaml, for editors. "
        "First line of a config: # yaml-language-server: $schema=./schema/executor.schema.json",
    )
    parser.add_argument(
        "--check", metavar="FILE", help="compare FILE with the schema; exit 1 if it is out of date"
    )
    parser.add_argument("--test", action="store_true", help="the schema of *.test.yaml instead")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit code 0: printed, or FILE is current. 1: FILE is out of date. 2: FILE cannot be read."""
    if args.test:
        from proxy.policy_tests.model import tests_schema_text as schema_text
    else:
        from proxy.config.json_schema import schema_text

    text = schema_text()
    if args.check is None:
        sys.stdout.write(text)
        return 0
    try:
        found = Path(args.check).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        print(f"executor: {args.check}: {getattr(error, 'strerror', None) or error}", file=sys.stderr)
        return 2
    if found == text:
        return 0
    print(
        f"{args.check} is out of date; write it again: executor schema{' --test' if args.test else ''} > {args.check}"
    )
    return 1
