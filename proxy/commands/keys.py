"""`executor keys create|verify`: make a key for the config, and ask whether one would be let in."""

from __future__ import annotations

import argparse
import os
import re
import sys
from datetime import UTC, date, datetime, timedelta
from typing import Any

from proxy.auth import Expired, KeyRecord, Keyring, create_key, key_records
from proxy.commands.common import (
    EXIT_CONFIG,
    EXIT_FOUND,
    EXIT_OK,
    CannotRun,
    add_config_option,
    cannot_run,
    config_paths,
)
from proxy.config import Config, LoadedConfig, load_config
from proxy.config.secrets import Resolver, SecretMissing

_LONGEST_INPUT = 64 * 1024


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "keys",
        help="create and verify API keys",
        description="Keys live in the config as hashes: removing one revokes it within a second.",
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    create = actions.add_parser(
        "create",
        help="make a key: the key once on stdout, the lines for the config on stderr",
        description="Prints the key once on stdout, and the YAML lines with its hash on stderr.",
    )
    create.add_argument("name", metavar="NAME", help="who will use it; policies call it key:NAME")
    create.add_argument("--workspace", required=True, metavar="WS", help="the only workspace it works in")
    create.add_argument("--group", action="append", default=[], metavar="G", help="for policies; repeatable")
    create.add_argument("--expires", metavar="DATE", help="the last day it works (YYYY-MM-DD, UTC)")
    verify = actions.add_parser(
        "verify",
        help="read a key from stdin and say whether it is let in",
        description="Reads the key from stdin, so that it is in no process list and no shell history.",
    )
    verify.add_argument("--workspace", metavar="WS", help="also ask whether it works in this workspace")
    add_config_option(verify)


def run(args: argparse.Namespace) -> int:
    try:
        return _create(args) if args.action == "create" else _verify(args)
    except (CannotRun, SecretMissing) as error:
        return cannot_run(error)


def _create(args: argparse.Namespace) -> int:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,63}", args.name):
        raise CannotRun(f"`{args.name}` is not a name: letters, digits and `_`, not starting with a digit")
    key, lines = create_key(args.name, args.workspace, args.group, _expiry(args.expires))
    print(lines, end="", file=sys.stderr)
    print(key)
    return EXIT_OK


def _expiry(text: str | None) -> date | None:
    if text is None:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise CannotRun(f"--expires {text}: expected YYYY-MM-DD, for example 2027-06-30") from None
    if day < datetime.now(UTC).date():
        raise CannotRun(f"--expires {text} is in the past")
    return day


def _verify(args: argparse.Namespace) -> int:
    loaded = load_config(config_paths(args.config), env=None)
    config = loaded.config
    if config is None:
        print("executor: the config is invalid; run `executor validate`", file=sys.stderr)
        return EXIT_CONFIG
    presented = sys.stdin.read(_LONGEST_INPUT).strip()
    if not presented:
        raise CannotRun("no key on stdin; for example: pbpaste | executor keys verify")
    records = key_records(config, Resolver(os.environ).resolve, lambda path: _place(loaded, path))
    verdict = _verdict(Keyring(records).match(presented), args.workspace, config)
    print(verdict)
    return EXIT_OK if verdict.startswith("valid: ") else EXIT_FOUND


def _place(loaded: LoadedConfig, path: str) -> str:
    place = loaded.location(path)
    return f"{place.file}:{place.line}"


def _verdict(found: KeyRecord | Expired | None, wanted: str | None, config: Config) -> str:
    """One line. A key that is not let in learns no more than why."""
    if found is None:
        return "unknown"
    if isinstance(found, Expired):
        return "expired"
    workspace = found.workspace or next(iter(config.workspaces), "default")
    if wanted not in (None, workspace):
        return "wrong workspace"
    facts = [found.name, f"workspace {workspace}"]
    if found.groups:
        facts.append(f"groups {' '.join(sorted(found.groups))}")
    if found.expires is not None:
        facts.append(f"expires {_last_day(found.expires)}")
    return f"valid: {', '.join(facts)} ({found.source})"


def _last_day(expires: datetime) -> str:
    """The day as the config writes it: a key of a bare date works until that day ends."""
    moment = expires.astimezone(UTC)
    midnight = moment == moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return (moment - timedelta(days=1)).date().isoformat() if midnight else moment.isoformat()
