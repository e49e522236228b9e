"""`executor status`: one screen about a running server: what it serves, what is wrong, who waits."""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from integrations.base import JsonObject
from proxy.commands.common import EXIT_FOUND, EXIT_OK, add_json_option, print_json
from proxy.commands.remote import Remote, add_server_options, inert, run_remotely
from proxy.commands.terminal import print_table
from proxy.lock.compare import DRIFT_KINDS

_SHOWN = 12
EXIT_CODES = (
    "Exit codes: 0 fine, 1 the newest config was rejected, or a connection has failed, 2 could not run."
)


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "status",
        help="one screen about a running server: config, connections, approvals, replicas",
        description="Asks GET /-/status, which the admin role may see. What is not as it should be comes with its "
        "reason; the rest is counted.",
        epilog=EXIT_CODES,
    )
    add_server_options(parser)
    add_json_option(parser)


def run(args: argparse.Namespace) -> int:
    return run_remotely(args, _status)


def _status(args: argparse.Namespace, remote: Remote) -> int:
    status = remote.get("/-/status")
    if args.json:
        print_json(status)
    else:
        print_table([[name, inert(text)] for name, text in rows(remote.url, status, time.time())])
    return EXIT_OK if is_fine(status) else EXIT_FOUND


def is_fine(status: JsonObject) -> bool:
    """Whether the newest config serves and no connection has failed. Connections that wait for a sign-in are fine."""
    return bool(status["config"]["in_sync"]) and all(
        one["status"] != "failed" for one in status["connections"]
    )


def rows(url: str, status: JsonObject, now: float) -> Iterator[tuple[str, str]]:
    """Names and texts, in the order in which people ask. `now` is Unix time."""
    config = status["config"]
    yield "server", f"{url}, version {status['version']}"
    applied = f"applied {_ago(config['applied_at'], now)}"
    yield "config", f"generation {config['generation']}, sha256 {config['sha256'][:8]}, {applied}"
    yield from _reload(config, now)
    if config["restart_required"]:
        yield "restart", f"needed for {', '.join(config['restart_required'])}"
    yield from _connections(status["connections"])
    yield from _lock(status.get("lock"))
    yield "approvals", _approvals(status.get("approvals"))
    yield from _replicas(status.get("replicas") or [], now)
    if status.get("replicas_trouble"):
        yield "", f"other replicas are not known: {status['replicas_trouble']}"


def _reload(config: JsonObject, now: float) -> Iterator[tuple[str, str]]:
    last = config["last_reload"]
    if last is None:
        return
    how = f"{last['result']} {_ago(last['at'], now)} ({last['trigger']}, {last['elapsed_ms']} ms)"
    if last["result"] != "rejected":
        yield "last reload", how
        return
    yield "last reload", f"{how}: generation {config['generation']} stays"
    if last["error"]:
        yield "", last["error"]
    for one in [one for one in last["diagnostics"] if one["severity"] == "error"][:_SHOWN]:
        yield "", f"{one['file']}:{one['line']}:{one['column']} {one['code']} {one['message']}"


def _connections(connections: list[JsonObject]) -> Iterator[tuple[str, str]]:
    counted = Counter(str(one["status"]) for one in connections)
    tools = sum(int(one["tools"]) for one in connections)
    said = ", ".join(f"{count} {status}" for status, count in counted.most_common())
    yield "connections", f"{said or 'none'}; {tools} tools"
    others = [one for one in connections if one["status"] != "connected" or _unhealthy(one)]
    vendored = [str(one["connection"]) for one in connections if one.get("catalog") == "vendored"]
    if vendored:
        more = f" and {len(vendored) - _SHOWN} more" if len(vendored) > _SHOWN else ""
        yield (
            "",
            f"by their vendored catalogs, not yet by their sources: {', '.join(vendored[:_SHOWN])}{more}",
        )
    for one in others[:_SHOWN]:
        error = one.get("error") or (one.get("health") or {}).get("error") or ""
        state = "unhealthy" if one["status"] == "connected" else one["status"]
        yield "", f"{one['connection']}: {state} {error}".rstrip()
    if len(others) > _SHOWN:
        yield "", f"and {len(others) - _SHOWN} more (executor tools sources --server URL)"


def _lock(lock: JsonObject | None) -> Iterator[tuple[str, str]]:
    """Only where tools are not as they were reviewed; those that are held are among the tools counted above."""
    if lock is None or not lock["tools"]:
        return
    counts = ", ".join(f"{lock[kind]} {kind}" for kind in DRIFT_KINDS if lock[kind])
    effect = "held back" if lock["mode"] == "enforce" else "used all the same"
    yield "lock", f"{counts} since the review, {effect} ({lock['mode']}); review them: executor lock"
    for one in lock["tools"][:_SHOWN]:
        yield "", f"{one['tool']}: {one['kind']} {', '.join(one['parts'])}".rstrip()
    if len(lock["tools"]) > _SHOWN:
        yield "", f"and {len(lock['tools']) - _SHOWN} more (executor status --json)"


def _unhealthy(one: JsonObject) -> bool:
    return (one.get("health") or {}).get("healthy") is False


def _approvals(approvals: JsonObject | None) -> str:
    if approvals is None or approvals["pending"] is None:
        return "not known: the state store does not answer"
    if not approvals["pending"]:
        return "none pending"
    return f"{approvals['pending']} pending, the oldest for {_span(approvals['oldest_seconds'])}"


def _replicas(replicas: list[JsonObject], now: float) -> Iterator[tuple[str, str]]:
    if not replicas:
        return
    if len(replicas) == 1:
        yield "replicas", "1 seen (this one)"
        return
    yield "replicas", f"{len(replicas)} seen, {_alike(replicas)}"
    for one in replicas[:_SHOWN]:
        yield "", _replica(one, now)
    if len(replicas) > _SHOWN:
        yield "", f"and {len(replicas) - _SHOWN} more (executor status --json)"


def _alike(replicas: list[JsonObject]) -> str:
    digests = Counter(str(one["sha256"])[:8] for one in replicas)
    versions = {str(one["version"]) for one in replicas}
    configs = (
        "the same config"
        if len(digests) == 1
        else f"DIFFERENT configs: {', '.join(f'{count} serve {sha}' for sha, count in digests.most_common(4))}"
    )
    return configs if len(versions) == 1 else f"{configs}, DIFFERENT versions: {', '.join(sorted(versions))}"


def _replica(one: JsonObject, now: float) -> str:
    mark = " (this one)" if one["self"] else ""
    said = f"generation {one['generation']}, sha256 {str(one['sha256'])[:8]}, version {one['version']}"
    times = f"up for {_span(max(0.0, now - one['started_at']))}, seen {_ago(one['seen_at'], now)}"
    why = f": {one['rejected']}" if one.get("rejected") else ""
    sync = "" if one["in_sync"] else f"; its newest config was rejected{why}"
    return f"{one['id']}{mark}: {said}, {times}{sync}"


def _ago(at: float, now: float) -> str:
    if not at:
        return "never"
    moment = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    return f"{_span(max(0.0, now - at))} ago ({moment})"


def _span(seconds: float) -> str:
    """The two largest units: `3d 4h`, `5m 12s`."""
    left = int(seconds)
    parts: list[str] = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        if left >= size or (unit == "s" and not parts):
            parts.append(f"{left // size}{unit}")
            left %= size
    return " ".join(parts[:2])
