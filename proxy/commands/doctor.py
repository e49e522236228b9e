"""`executor doctor`: one screen that says whether this machine can serve this config."""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from proxy.app.paths import cache_dir, state_dir
from proxy.commands.common import (
    EXIT_FOUND,
    EXIT_OK,
    CannotRun,
    add_config_option,
    add_json_option,
    config_paths,
    print_json,
)
from proxy.commands.terminal import print_table
from proxy.config import LoadedConfig, load_config
from proxy.config.report_text import counted, one_line
from proxy.config.tool_report import ToolReport

Level = Literal["ok", "warn", "bad"]
LIVE_SECONDS = 3.0
# Tokens and certificates are judged by the clock: before this project began it cannot be right.
_EARLIEST = 1_760_000_000


@dataclass(frozen=True, slots=True)
class Check:
    """One line: what was looked at, how it is, and what to do about it."""

    name: str
    level: Level
    detail: str


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "doctor",
        help="check this machine, the sandbox, the config and its upstreams",
        description="Checks the machine, the sandbox, the config and its upstreams.",
        epilog="Exit codes: 0 nothing is bad (warnings may be), 1 something is, 2 could not run.",
    )
    add_config_option(parser)
    add_json_option(parser)
    parser.add_argument("--strict", action="store_true", help="warnings are bad too: exit code 1")
    parser.add_argument(
        "--live",
        metavar="URL",
        nargs="?",
        const="http://127.0.0.1:8080",
        help="only ask a running server for its health (default %(const)s)",
    )


def run(args: argparse.Namespace) -> int:
    checks = asyncio.run(_collect(args))
    if args.json:
        print_json([asdict(check) for check in checks])
    else:
        print_table(
            [[check.level, check.name, check.detail] for check in checks], ["LEVEL", "CHECK", "DETAIL"]
        )
    bad = ("bad", "warn") if args.strict else ("bad",)
    return EXIT_FOUND if any(check.level in bad for check in checks) else EXIT_OK


async def _collect(args: argparse.Namespace) -> list[Check]:
    if args.live:
        return [await _live(args.live)]
    return [check async for check in _all(args.config)]


async def _all(config: Sequence[str] | None) -> AsyncIterator[Check]:
    yield _python()
    yield _clock()
    yield _directory("state", state_dir(os.environ))
    yield _directory("cache", cache_dir(os.environ))
    async for check in _sandbox():
        yield check
    try:
        paths = config_paths(config)
    except CannotRun as error:
        yield Check("config", "bad", str(error))
        return
    loaded = load_config(paths, env=os.environ)
    yield _config(loaded)
    if loaded.config is not None:
        async for check in _upstreams(loaded):
            yield check


def _python() -> Check:
    supported = (3, 11) <= sys.version_info[:2] <= (3, 13)
    detail = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    return Check(
        "python", "ok" if supported else "warn", detail if supported else f"{detail}; 3.11 to 3.13 are tested"
    )


def _clock() -> Check:
    now = time.time()
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))
    return (
        Check("clock", "ok", stamp)
        if now > _EARLIEST
        else Check("clock", "bad", f"{stamp} is in the past: set it")
    )


def _directory(name: str, path: Path) -> Check:
    nearest = next(p for p in (path, *path.absolute().parents) if p.exists())
    if nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK):
        return Check(name, "ok", str(path))
    return Check(name, "bad", f"{path} cannot be written; set EXECUTOR_STATE_DIR to a directory that can")


async def _sandbox() -> AsyncIterator[Check]:
    from proxy.sandbox import HardeningMissing, Pool, PoolOptions, PoolUnavailable

    try:
        async with Pool(PoolOptions(workers=1, prepare_typescript_seconds=None)) as pool:
            line = pool.hardening.line()
            level: Level = "warn" if pool.hardening.missing else "ok"
            yield Check("sandbox", level, line.removeprefix("sandbox: "))
            trouble = await pool.check_typescript()
    except (HardeningMissing, PoolUnavailable, OSError) as error:
        yield Check("sandbox", "bad", str(error))
        return
    works = Check("typescript", "ok", "compiles")
    yield works if trouble is None else Check("typescript", "bad", f"cannot be compiled: {trouble}")


def _config(loaded: LoadedConfig) -> Check:
    errors = sum(one.severity == "error" for one in loaded.diagnostics)
    warnings = len(loaded.diagnostics) - errors
    if loaded.config is None:
        return Check("config", "bad", f"{counted(errors, 'error')}; run `executor validate`")
    detail = (
        f"{counted(len(loaded.files), 'file')}, {counted(warnings, 'warning')}, sha256 {loaded.sha256[:8]}"
    )
    return Check("config", "warn" if warnings else "ok", detail)


async def _upstreams(loaded: LoadedConfig) -> AsyncIterator[Check]:
    from proxy.app.listing import connection_rows
    from proxy.app.local import open_live
    from proxy.connections.opening import WrongSource

    try:
        async with open_live(loaded, os.environ) as live:
            for row in connection_rows(live.current):
                good = row["status"] == "connected"
                detail = f"{row['tools']} tools" if good else f"{row['status']}: {row.get('error', '')}"
                yield Check(row["connection"], "ok" if good else "warn", detail)
            for check in _rules(live.current.report):
                yield check
    except WrongSource as error:
        yield Check(error.integration, "bad", str(error))


def _rules(report: ToolReport) -> Iterator[Check]:
    """Patterns and conditions compared with the tools that are known."""
    for found in report.diagnostics:
        yield Check("rules", "warn", one_line(found))
    for prefix, why in report.unchecked.items():
        yield Check("rules", "warn", f"not checked: patterns that may match {prefix} ({why})")
    if not report.diagnostics and not report.unchecked:
        yield Check("rules", "ok", "every pattern matches a tool")


async def _live(url: str) -> Check:
    import httpx2

    try:
        async with httpx2.AsyncClient(trust_env=False, timeout=LIVE_SECONDS) as client:
            answer = await client.get(f"{url.rstrip('/')}/healthz")
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        return Check("server", "bad", f"{url}: {str(error) or type(error).__name__}")
    return Check("server", "ok" if answer.status_code == 200 else "bad", f"{url}: HTTP {answer.status_code}")
