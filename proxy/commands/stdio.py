"""`executor mcp`: MCP over stdin and stdout, for clients that start their servers."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from proxy.app.options import StartOptions
from proxy.commands.common import (
    EXIT_CONFIG,
    EXIT_OK,
    EXIT_TASK_FAILED,
    CannotRun,
    add_config_option,
    cannot_run,
    config_paths,
    load_valid,
    start_with_last_good,
)
from proxy.commands.serve import run_loop
from proxy.config import ELICITATION_MODES
from proxy.tasks import EssentialTaskFailed, TaskSupervisor

DESCRIPTION = """\
Serves MCP on stdin and stdout. Only JSON-RPC is written to stdout; logs and config errors go to stderr. The config is
reloaded when it changes, as with `serve`."""


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "mcp",
        help="serve MCP over stdio, for clients that start their servers",
        description=DESCRIPTION,
        epilog="Exit codes: 0 the client left, 2 could not run, 70 what serves has failed, or hung while it stopped, "
        "78 invalid config.",
    )
    add_config_option(parser)
    parser.add_argument("--scope", metavar="DIR", type=Path, help="find executor.yaml in this directory")
    parser.add_argument("--workspace", metavar="ID", help="which workspace to serve, when there are several")
    parser.add_argument(
        "--elicitation-mode",
        choices=ELICITATION_MODES,
        default=None,
        help="how approvals are asked for: the model calls resume, a person decides on a local page, or the client "
        "asks its user (default: elicitation.mode of the config)",
    )


def run(args: argparse.Namespace) -> int:
    try:
        paths = config_paths(args.config, args.scope)
        return run_loop(_serve(args, paths))
    except (CannotRun, OSError) as error:
        return cannot_run(error)


async def _serve(args: argparse.Namespace, paths: list[Path]) -> int:
    environment = dict(os.environ)
    last_good = None
    if load_valid(paths, environment) is None:
        loaded, last_good = start_with_last_good(paths, environment)
        if loaded is None:
            return EXIT_CONFIG
    from proxy.app.application import open_application
    from proxy.app.garbage import Garbage
    from proxy.app.latest_end import LatestEnd
    from proxy.app.options import InvalidConfig
    from proxy.app.serve import run_stdio

    options = StartOptions(
        tuple(paths), environment, workspace=args.workspace, protocol_on_stdout=True, last_good=last_good
    )
    try:
        tasks = TaskSupervisor()
        async with Garbage(tasks) as garbage, open_application(options, tasks) as application:
            garbage.follow(application.live, application.executions.activity)
            principal = application.local_principal(args.workspace)
            await run_stdio(application, principal, args.elicitation_mode, LatestEnd())
    except InvalidConfig as error:
        print(error, file=sys.stderr)
        return EXIT_CONFIG
    except EssentialTaskFailed as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_TASK_FAILED
    return EXIT_OK
