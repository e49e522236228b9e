"""What commands without a server share: the config is loaded and its upstreams are opened around their work."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Awaitable, Callable

from proxy.app.local import open_live
from proxy.app.locking import LockProblem
from proxy.commands.common import EXIT_CONFIG, CannotRun, cannot_run, config_paths, load_valid
from proxy.commands.terminal import in_color
from proxy.config import LoadedConfig
from proxy.config.report import Summary, render
from proxy.connections.opening import WrongSource
from proxy.live import Live

LocalWork = Callable[[argparse.Namespace, LoadedConfig, Live], Awaitable[int]]


def run_locally(
    args: argparse.Namespace, work: LocalWork, *, secrets: bool, asks_vendored: bool = True
) -> int:
    """The exit code of `work`, which may raise `CannotRun`; the config is that of `--config`.

    Without `asks_vendored` what has a vendored catalog is not asked. Without `secrets`, values that are missing are no
    errors: a connection without its own is `needs_secret`.
    """
    try:
        loaded = load_valid(config_paths(args.config), secrets=secrets)
        if loaded is None:
            return EXIT_CONFIG
        return asyncio.run(_opened(args, work, loaded, asks_vendored))
    except CannotRun as error:
        return cannot_run(error)
    except LockProblem as problem:
        summary = Summary(1, 0, 0, 0, 0)
        print(render("text", [problem.diagnostic], summary, color=in_color(sys.stderr)), file=sys.stderr)
        return EXIT_CONFIG
    except WrongSource as error:
        return cannot_run(CannotRun(f"integrations.{error.integration}: {error}"))


async def _opened(
    args: argparse.Namespace, work: LocalWork, loaded: LoadedConfig, asks_vendored: bool
) -> int:
    async with open_live(loaded, os.environ, asks_vendored=asks_vendored) as live:
        return await work(args, loaded, live)
