"""`executor doctor`: one screen that says whether this machine can serve this config."""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from proxy.app.paths import NoDirectory, state_dir
from proxy.commands.common import (
    EXIT_FOUND,
    EXIT_OK,
    CannotRun,
    add_json_option,
    cannot_run,
    config_paths,
    print_json,
)
from proxy.commands.live import COLUMNS, DEFAULT_URL, ask
from proxy.commands.machine import (
    Check,
    Level,
    cache,
    certificate_checks,
    directory,
    state_checks,
    temporary,
    uses_state_dir,
)
from proxy.commands.remote import add_server_options, open_remote
from proxy.commands.server_checks import server_checks
from proxy.commands.terminal import print_table
from proxy.commands.trust import Trust
from proxy.config import LoadedConfig, load_config
from proxy.config.report_text import counted, one_line
from proxy.config.tool_report import ToolReport

# Tokens and certificates are judged by the clock: before this project began it cannot be right.
_EARLIEST = 1_760_000_000


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "doctor",
        help="check this machine, the sandbox, the config and its upstreams",
        description="Checks the machine, the sandbox, the config and its upstreams.",
        epilog="Exit codes: 0 nothing is bad (warnings may be), 1 something is, 2 could not run.",
    )
    add_server_options(parser, "ask a running server instead: health, readiness, clock, connections")
    add_json_option(parser)
    parser.add_argument("--strict", action="store_true", help="warnings are bad too: exit code 1")
    parser.add_argument(
        "--live",
        metavar="URL",
        nargs="?",
        const=DEFAULT_URL,
        help="only ask a running server, by URL (also of TLS) or unix:/PATH, for its health (default %(const)s)",
    )


def run(args: argparse.Namespace) -> int:
    checks: list[Check] = []
    try:
        asyncio.run(_collect(args, checks))
    except CannotRun as error:
        return cannot_run(error)
    # Without a thread to be had, the event loop cannot even be closed.
    except RuntimeError as error:
        checks.append(
            Check("threads", "bad", f"{error}: raise the limit of processes (ulimit -u, pids_limit)")
        )
    if args.json:
        print_json([asdict(check) for check in checks])
    else:
        print_table([[check.level, check.name, check.detail] for check in checks], COLUMNS)
    bad = ("bad", "warn") if args.strict else ("bad",)
    return EXIT_FOUND if any(check.level in bad for check in checks) else EXIT_OK


async def _collect(args: argparse.Namespace, found: list[Check]) -> None:
    """What was found before a defect is kept."""
    if args.live:
        good, seen = await asyncio.to_thread(ask, args.live, Trust.of(args).context)
        found.append(Check("server", "ok" if good else "bad", seen))
        return
    if args.server:
        with open_remote(args) as remote:
            found.extend(server_checks(remote))
        return
    try:
        async for check in _all(args.config):
            found.append(check)  # noqa: PERF401 - see above
    # A boundary: what is ill on a machine may hit a check too, and the other lines say where.
    except Exception as error:
        found.append(Check("doctor", "bad", f"the next check failed: {type(error).__name__}: {error}"))


async def _all(config: Sequence[str] | None) -> AsyncIterator[Check]:
    yield _python()
    yield _clock()
    yield temporary()
    try:
        paths, no_config = config_paths(config), None
    except CannotRun as error:
        paths, no_config = [], error
    loaded = load_config(paths, env=os.environ) if paths else None
    for check in _places(loaded):
        yield check
    async for check in _sandbox():
        yield check
    if loaded is None:
        yield Check("config", "bad", str(no_config))
        return
    yield _config(loaded)
    if loaded.config is not None:
        async for check in _upstreams(loaded):
            yield check


def _places(loaded: LoadedConfig | None) -> Iterator[Check]:
    config = loaded.config if loaded is not None else None
    try:
        if uses_state_dir(config):
            yield directory("state", state_dir(os.environ))
    except NoDirectory as error:
        yield Check("state", "bad", str(error.strerror))
    yield cache(os.environ)
    if config is not None:
        yield from state_checks(config, os.environ)
        yield from certificate_checks(config, datetime.now(UTC))


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


async def _sandbox() -> AsyncIterator[Check]:
    from proxy.sandbox import HardeningMissing, Pool, PoolOptions, PoolUnavailable

    try:
        async with Pool(PoolOptions(workers=1, prepare_typescript_seconds=None)) as pool:
            yield Check("zygote", "ok", "starts and makes workers")
            line = pool.hardening.line()
            level: Level = "warn" if pool.hardening.missing else "ok"
            yield Check("sandbox", level, line.removeprefix("sandbox: "))
            trouble = await pool.check_typescript()
    except (HardeningMissing, PoolUnavailable, OSError) as error:
        yield Check("zygote", "bad", str(error))
        return
    works = Check("typescript", "ok", "the transform starts and compiles")
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
                connected, vendored = row["status"] == "connected", row.get("catalog") == "vendored"
                detail = f"{row['tools']} tools" if connected else f"{row['status']}: {row.get('error', '')}"
                detail += " (of the vendored catalog: its source has not answered)" if vendored else ""
                good = connected and not vendored
                yield Check(row["connection"], "ok" if good else "warn", detail)
            for check in _rules(live.current.report):
                yield check
    except WrongSource as error:
        yield Check(error.integration, "bad", str(error))


def _rules(report: ToolReport) -> Iterator[Check]:
    """Patterns and conditions compared with the tools that are known."""
    for found in report.diagnostics:
        yield Check("rules", "bad" if found.severity == "error" else "warn", one_line(found))
    for prefix, why in report.unchecked.items():
        yield Check("rules", "warn", f"not checked: patterns that may match {prefix} ({why})")
    if not report.diagnostics and not report.unchecked:
        yield Check("rules", "ok", "every pattern matches a tool")
