"""`executor demo`: the inventory API of the quickstart, on its own."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import socket
import sys
from typing import Any

from proxy.commands.demo_server import DEFAULT_PORT, bind_demo, demo_environment, demo_token, run_demo

DESCRIPTION = """\
Runs the demo upstream of the quickstart: a small inventory API with an OpenAPI 3.1 document, in memory, on a
loopback port. Prints the variables that examples/quickstart/executor.yaml needs; `executor serve --demo` does
both in one process. Stop it with Ctrl-C."""


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "demo",
        help="run the little inventory API that the quickstart uses",
        description=DESCRIPTION,
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument(
        "--port", type=int, default=DEFAULT_PORT, help="port; 0 takes a free one (default: %(default)s)"
    )
    parser.add_argument(
        "--token",
        default=os.environ.get("INVENTORY_TOKEN"),
        help="bearer token it wants (default: $INVENTORY_TOKEN, else a new one)",
    )


def run(args: argparse.Namespace) -> int:
    try:
        listener = bind_demo(args.host, args.port)
    except (OSError, OverflowError) as problem:
        print(f"cannot listen on {args.host}:{args.port}: {problem}; try --port 0", file=sys.stderr)
        return 2
    asyncio.run(_serve(listener, args.token or demo_token()))
    return 0


async def _serve(listener: socket.socket, token: str) -> None:
    host, port = listener.getsockname()[:2]
    ready, shutdown = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, shutdown.set)
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    for name, value in demo_environment(url, token).items():
        print(f"export {name}={value}", flush=True)
    await run_demo(host, port, ready, shutdown, token=token, listener=listener)
