"""`executor wait`: until a running server (or every replica of it) serves a certain config."""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Callable
from typing import Any, Final

from integrations.base import JsonObject
from integrations.fields import parse_duration
from proxy.commands.common import EXIT_FOUND, EXIT_OK, CannotRun, add_json_option, config_paths, print_json
from proxy.commands.remote import Refused, Remote, add_server_options, inert, run_remotely
from proxy.config import load_config

_EVERY_SECONDS: Final = 0.5
_SHORTEST_DIGEST: Final = 8
_SHOWN: Final = 8
EXIT_CODES = "Exit codes: 0 it serves, 1 not within --timeout, 2 could not run."


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "wait",
        help="wait until a running server serves a certain config",
        description="For deployments: returns when the server serves the config with this digest, or this generation "
        "or a later one. The digest is `summary.sha256` of `executor validate --json` where the server's variables "
        "are set. A server that does not answer yet is waited for too.",
        epilog=EXIT_CODES,
    )
    parser.add_argument(
        "--digest", metavar="SHA256", help="at least its first 8 digits; `-`: of the config here"
    )
    parser.add_argument("--generation", type=int, metavar="N", help="this generation, or a later one")
    parser.add_argument("--all", action="store_true", help="every replica that shares the state store")
    parser.add_argument("--timeout", default="60s", metavar="TIME", help="how long (default 60s)")
    add_server_options(parser)
    add_json_option(parser)


def run(args: argparse.Namespace) -> int:
    return run_remotely(args, lambda args, remote: _wait(args, remote, time.monotonic, time.sleep))


def _wait(
    args: argparse.Namespace, remote: Remote, clock: Callable[[], float], pause: Callable[[float], None]
) -> int:
    wanted = _wanted(args)
    until = clock() + _seconds(args.timeout)
    while True:
        status, why = _asked(remote)
        if status is not None:
            late = [one for one in _serving(args, status) if not wanted(one)]
            unknown = status.get("replicas_trouble") if args.all else None
            if not late and not unknown:
                return _done(args, status)
            why = _late(late) if late else inert(f"other replicas are not known: {unknown}")
        if clock() >= until:
            print(f"executor: not within {args.timeout}: {why}", file=sys.stderr)
            return EXIT_FOUND
        pause(_EVERY_SECONDS)


def _wanted(args: argparse.Namespace) -> Callable[[JsonObject], bool]:
    if args.digest is None and args.generation is None:
        raise CannotRun("say what to wait for: --digest SHA256 or --generation N")
    if args.digest is not None and args.generation is not None:
        raise CannotRun("--digest and --generation: one of them, a generation is a number of one server only")
    if args.generation is not None:
        least = int(args.generation)
        if least < 1:
            raise CannotRun(f"--generation {least}: the first generation is 1")
        return lambda one: int(one["generation"]) >= least
    digest = _own_digest(args) if args.digest == "-" else str(args.digest).lower()
    if not re.fullmatch(rf"[0-9a-f]{{{_SHORTEST_DIGEST},64}}", digest):
        raise CannotRun(f"--digest {args.digest}: expected {_SHORTEST_DIGEST} to 64 hexadecimal digits")
    return lambda one: str(one["sha256"]).startswith(digest)


def _own_digest(args: argparse.Namespace) -> str:
    """The digest of the config here: the server's, where the same variables are set."""
    import os

    loaded = load_config(config_paths(args.config), env=os.environ, secrets=False)
    if loaded.config is None:
        raise CannotRun("the config here is invalid (see `executor validate`)")
    return loaded.sha256


def _seconds(text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise CannotRun(f"--timeout {text}: {error}; write 60s, 5m") from None


def _asked(remote: Remote) -> tuple[JsonObject | None, str]:
    """The status, or why there is none. A server that begins answers later; a refused token never does."""
    try:
        return remote.get("/-/status"), ""
    except Refused as refused:
        if refused.status in (403, 404):
            raise
        return None, str(refused)
    except CannotRun as error:
        if "does not accept the token" in str(error):
            raise
        return None, str(error)


def _serving(args: argparse.Namespace, status: JsonObject) -> list[JsonObject]:
    return list(status.get("replicas") or [status["config"]]) if args.all else [status["config"]]


def _late(late: list[JsonObject]) -> str:
    said = ", ".join(_one_late(one) for one in late[:_SHOWN])
    more = f", and {len(late) - _SHOWN} more" if len(late) > _SHOWN else ""
    return inert(f"{said}{more}")


def _one_late(one: JsonObject) -> str:
    """`one` is a replica of the status, or the config of the server that was asked."""
    said = f"{one.get('id', 'the server')} serves generation {one['generation']}, sha256 {str(one['sha256'])[:8]}"
    return f"{said}; its newest config was rejected: {one['rejected']}" if one.get("rejected") else said


def _done(args: argparse.Namespace, status: JsonObject) -> int:
    served = _serving(args, status)
    config = status["config"]
    if args.json:
        found = {"generation": config["generation"], "sha256": config["sha256"], "replicas": len(served)}
        print_json({"format_version": "1", **found})
    else:
        count = f", {len(served)} replicas" if args.all else ""
        print(f"serves generation {config['generation']}, sha256 {config['sha256']}{count}")
    return EXIT_OK
