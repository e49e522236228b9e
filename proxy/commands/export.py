"""`executor export --overlay`: what was registered at run time, as YAML to commit."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from integrations.base import JsonObject
from proxy.commands.common import EXIT_OK, CannotRun, add_json_option, cannot_run, print_json
from proxy.commands.remote import Remote, add_server_options, inert, run_remotely


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "export",
        help="print what was registered at run time as YAML to commit",
        description=(
            "Print the MCP servers that the workspace API registered at run time, as config that can be committed. "
            "Values of headers and variables are references; the names to set are on stderr."
        ),
        epilog="Exit codes: 0 fine (also when nothing is registered), 1 refused, 2 could not run.",
    )
    parser.add_argument(
        "--overlay", action="store_true", help="the servers registered at run time (the one choice)"
    )
    add_json_option(parser)
    add_server_options(parser)


def run(args: argparse.Namespace) -> int:
    if not args.overlay:
        return cannot_run(CannotRun("say what to export: --overlay"))
    return run_remotely(args, _export, "agent")


def _export(args: argparse.Namespace, remote: Remote) -> int:
    found = remote.get("/api/overlay")
    if args.json:
        print_json(found)
        return EXIT_OK
    for line in _notes(found):
        print(inert(line), file=sys.stderr)
    print(inert(found["yaml"]), end="")
    return EXIT_OK


def _notes(found: JsonObject) -> list[str]:
    if not found["servers"]:
        return ["executor: nothing is registered in this workspace"]
    said = [
        f"executor: `{one['name']}` is not served: {one['notServed']}"
        for one in found["servers"]
        if "notServed" in one
    ]
    if found["variables"]:
        said.append(f"executor: set {', '.join(found['variables'])}; their values stay in the server's store")
    return said
