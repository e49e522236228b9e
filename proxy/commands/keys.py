"""`executor keys create|verify|revoke`: make a key, ask whether one would be let in, and how to end one."""

from __future__ import annotations

import argparse
import os
import re
import sys
from datetime import UTC, date, datetime, timedelta
from typing import Any

from integrations.fields import parse_duration
from proxy.auth import Expired, KeyRecord, Keyring, create_key, key_records, signed_keys
from proxy.auth.jwt import BadToken
from proxy.commands.common import (
    EXIT_CONFIG,
    EXIT_FOUND,
    EXIT_OK,
    CannotRun,
    add_config_option,
    add_json_option,
    cannot_run,
    config_paths,
    print_json,
)
from proxy.config import Config, LoadedConfig, load_config
from proxy.config.secrets import Resolver, SecretMissing
from proxy.principal import DEFAULT_WORKSPACE

_LONGEST_INPUT = 64 * 1024
EXIT_CODES = (
    "Exit codes: 0 done or valid, 1 not let in or nothing to revoke, 2 could not run, 78 invalid config."
)


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "keys",
        help="create, verify and revoke API keys",
        description="Keys live in the config as hashes: removing one revokes it within a second. Signed keys live "
        "nowhere: they carry what they open, end by themselves, and are revoked by id.",
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    create = actions.add_parser(
        "create",
        help="make a key: the key once on stdout, the lines for the config on stderr",
        description="Prints the key once on stdout, and the YAML lines with its hash on stderr.",
    )
    create.add_argument("name", metavar="NAME", help="who will use it; policies call it key:NAME")
    create.add_argument(
        "--workspace",
        metavar="WS",
        help="the only workspace it works in (default: the first one of the config)",
    )
    create.add_argument("--group", action="append", default=[], metavar="G", help="for policies; repeatable")
    create.add_argument("--expires", metavar="DATE", help="the last day it works (YYYY-MM-DD, UTC)")
    create.add_argument(
        "--signed", action="store_true", help="a signed key, by auth.api_keys.signing of the config"
    )
    create.add_argument(
        "--ttl", metavar="TIME", help="with --signed: how long it works, such as 12h (signing.ttl)"
    )
    add_config_option(create)
    verify = actions.add_parser(
        "verify",
        help="read a key from stdin and say whether it is let in",
        description="Reads the key from stdin, so that it is in no process list and no shell history.",
    )
    verify.add_argument("--workspace", metavar="WS", help="also ask whether it works in this workspace")
    add_config_option(verify)
    revoke = actions.add_parser(
        "revoke",
        help="read a signed key from stdin and print the line that revokes it",
        description="Prints the lines for the config; nothing is changed. A reload applies them within a second. A "
        "key by hash is revoked by removing its entry.",
    )
    add_config_option(revoke)
    for one in (create, verify, revoke):
        add_json_option(one)
        one.epilog = EXIT_CODES


def run(args: argparse.Namespace) -> int:
    try:
        if args.action == "create":
            return _create_signed(args) if args.signed else _create(args)
        return _verify(args) if args.action == "verify" else _revoke(args)
    except (CannotRun, SecretMissing) as error:
        return cannot_run(error)


def _create(args: argparse.Namespace) -> int:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,63}", args.name):
        raise CannotRun(f"`{args.name}` is not a name: letters, digits and `_`, not starting with a digit")
    if args.ttl is not None:
        raise CannotRun("--ttl is for --signed keys; others take --expires")
    workspace, note = _workspace(args)
    key, lines = create_key(args.name, workspace, args.group, _expiry(args.expires))
    if args.json:
        said = {
            "key": key,
            "account": f"key:{args.name}",
            "workspace": workspace,
            "groups": sorted(args.group),
        }
        print_json({**said, "expires": args.expires, "config": lines})
        return EXIT_OK
    if note:
        print(f"# {note}", file=sys.stderr)
    print(lines, end="", file=sys.stderr)
    print(key)
    return EXIT_OK


def _workspace(args: argparse.Namespace) -> tuple[str, str]:
    """The workspace of a new key, and what to say about it. A config that is not there or is wrong stops nobody: a key
    is often made before it. Raises `CannotRun` for one that the config does not have."""
    try:
        config = _loaded(args).config
    except CannotRun:
        config = None
    if config is None:
        own = args.workspace or DEFAULT_WORKSPACE
        return own, "" if args.workspace else f"no valid config was found, so the workspace is `{own}`"
    known = tuple(config.workspaces) or (DEFAULT_WORKSPACE,)
    if args.workspace is not None and args.workspace not in known:
        raise CannotRun(f"there is no workspace `{args.workspace}`; there are: {', '.join(known)}")
    first = args.workspace or known[0]
    several = args.workspace is None and len(known) > 1
    return first, f"one of {len(known)} workspaces; --workspace names another" if several else ""


def _create_signed(args: argparse.Namespace) -> int:
    """The key on stdout, and what it says on stderr. It stands in no file, so its id is all that can revoke it."""
    config = _loaded(args).config
    if config is None:
        return _invalid()
    if not re.fullmatch(r"[\w.@+-]{1,200}", args.name) or args.name.startswith("user:"):
        raise CannotRun(f"`{args.name}` is no name of an account: letters, digits and `_.@+-`")
    workspace, _ = _workspace(args)
    signed = signed_keys(config, Resolver(os.environ))
    if signed is None:
        raise CannotRun("signed keys need `auth.api_keys.signing` in the config (docs/auth.md)")
    if not signed.can_create:
        raise CannotRun("the key that signs is not here: set `auth.api_keys.signing.private_key`")
    key, made = signed.create(args.name, workspace, args.group, _seconds(args))
    groups = f", groups {' '.join(sorted(made.groups))}" if made.groups else ""
    until = datetime.fromtimestamp(made.expires, UTC).isoformat()
    if args.json:
        said = {"key": key, "account": f"key:{made.account}", "workspace": made.workspace}
        print_json({**said, "groups": sorted(made.groups), "id": made.id, "expires": until})
        return EXIT_OK
    print(
        f"key:{made.account}, workspace {made.workspace}{groups}, id {made.id}, until {until}",
        file=sys.stderr,
    )
    print(key)
    return EXIT_OK


def _seconds(args: argparse.Namespace) -> float | None:
    """How long a signed key works; None: as the config says."""
    if args.ttl is not None and args.expires is not None:
        raise CannotRun("--ttl and --expires say the same: give one")
    if args.ttl is not None:
        try:
            return parse_duration(args.ttl)
        except ValueError:
            raise CannotRun(f"--ttl {args.ttl}: expected a duration, for example 12h") from None
    day = _expiry(args.expires)
    if day is None:
        return None
    end = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
    return (end - datetime.now(UTC)).total_seconds()


def _revoke(args: argparse.Namespace) -> int:
    config = _loaded(args).config
    if config is None:
        return _invalid()
    signed = signed_keys(config, Resolver(os.environ))
    try:
        found = signed.verify(_presented("revoke")) if signed is not None else None
    except BadToken as error:
        print(f"{error.message}: there is nothing to revoke")
        return EXIT_FOUND
    if found is None:
        print("this is no signed key: a key by hash is revoked by removing its entry from auth.api_keys.keys")
        return EXIT_FOUND
    if not found.id:
        print("this key has no id, so it cannot be revoked alone: replace the secret that signed it")
        return EXIT_FOUND
    ends = datetime.fromtimestamp(found.expires, UTC).isoformat()
    revoked = config.auth.api_keys.signing.revoked if config.auth and config.auth.api_keys else ()  # type: ignore[union-attr]
    lines = f"auth:\n  api_keys:\n    signing:\n      revoked: [{', '.join((*revoked, found.id))}]"
    if args.json:
        print_json(
            {"id": found.id, "account": found.account, "kind": found.kind, "until": ends, "config": lines}
        )
        return EXIT_OK
    print(f"# {found.kind} of {found.account}; the line can go after {ends}", file=sys.stderr)
    print(lines)
    return EXIT_OK


def _loaded(args: argparse.Namespace) -> LoadedConfig:
    """With the settings of this environment, but without demanding that every secret is in it."""
    return load_config(config_paths(args.config), env=os.environ, secrets=False)


def _invalid() -> int:
    print("executor: the config is invalid; run `executor validate`", file=sys.stderr)
    return EXIT_CONFIG


def _presented(action: str) -> str:
    presented = sys.stdin.read(_LONGEST_INPUT).strip()
    if not presented:
        raise CannotRun(f"no key on stdin; for example: executor keys {action} < ci.key")
    return presented


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
    loaded = _loaded(args)
    config = loaded.config
    if config is None:
        return _invalid()
    presented = _presented("verify")
    records = key_records(config, Resolver(os.environ).resolve, lambda path: _place(loaded, path))
    found = Keyring(records).match(presented)
    verdict = (found is None and _signed_verdict(presented, args.workspace, config)) or _verdict(
        found, args.workspace, config
    )
    if args.json:
        print_json({"valid": verdict.startswith("valid: "), "verdict": verdict})
    else:
        print(verdict)
    return EXIT_OK if verdict.startswith("valid: ") else EXIT_FOUND


def _place(loaded: LoadedConfig, path: str) -> str:
    place = loaded.location(path)
    return f"{place.file}:{place.line}"


def _signed_verdict(presented: str, wanted: str | None, config: Config) -> str | None:
    """None for what is no signed key."""
    signed = signed_keys(config, Resolver(os.environ))
    try:
        found = signed.verify(presented) if signed is not None else None
    except BadToken as error:
        return error.message[0].lower() + error.message[1:]
    if found is None:
        return None
    if wanted not in (None, found.workspace) or found.workspace not in (
        tuple(config.workspaces) or ("default",)
    ):
        return "wrong workspace"
    groups = f", groups {' '.join(sorted(found.groups))}" if found.groups else ""
    until = datetime.fromtimestamp(found.expires, UTC).isoformat()
    return (
        f"valid: {found.account}, workspace {found.workspace}{groups}, id {found.id}, until {until} (signed)"
    )


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
