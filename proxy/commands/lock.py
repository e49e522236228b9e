"""`executor lock`: ask every source what it offers, show what changed since the last review, write it down.

`--check` is for CI: it writes nothing, and its exit code is the answer.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from integrations.base import JsonObject, Toolset
from proxy.app.locking import lock_config
from proxy.app.offers import Offers, ask_sources
from proxy.app.reviewed import keep_definitions, reviewed_definitions
from proxy.commands.common import (
    EXIT_CANNOT_RUN,
    EXIT_CONFIG,
    EXIT_FOUND,
    EXIT_OK,
    CannotRun,
    add_config_option,
    add_json_option,
    cannot_run,
    config_paths,
    load_valid,
    print_json,
)
from proxy.commands.terminal import painted
from proxy.config import Config, LoadedConfig
from proxy.config.report_text import counted
from proxy.config.source import shown_path
from proxy.lock.assign import assigned
from proxy.lock.compare import DRIFT_KINDS, SourceDrift, compare
from proxy.lock.definition import Offered, definition_of
from proxy.lock.file import LockedSource, LockError, LockFile, read_lock, write_lock
from proxy.lock.review import Definition, SourceReview, review
from proxy.lock.vendored import VendoredCatalog, VendoredError, catalog_path, write_catalog

EXIT_CODES = (
    "Exit codes: 0 nothing changed, or it was written; 1 --check found changes, or they were not accepted; "
    "2 could not run, or a source could not be reached; 78 invalid config."
)


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "lock",
        help="review what tools have become since the last review, and write executor.lock",
        description="Lists the tools of every connection, shows what changed since executor.lock was written, and "
        "writes it anew when you accept. At run time `lock: {mode: enforce}` holds back what differs from the file.",
        epilog=EXIT_CODES,
    )
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if anything changed (CI)")
    parser.add_argument(
        "--only", action="append", default=[], metavar="NAME", help="only this integration; repeatable"
    )
    parser.add_argument(
        "--no-launch", action="store_true", help="start no local MCP server: listing its tools runs its code"
    )
    parser.add_argument(
        "--vendor",
        action="store_true",
        help="also write what remote sources say to .executor/catalog, so that starts and CI need no upstream; once "
        "there, it is kept up to date",
    )
    parser.add_argument("--yes", action="store_true", help="write without asking")
    add_config_option(parser)
    add_json_option(parser)


def run(args: argparse.Namespace) -> int:
    try:
        if args.json and not args.check:
            raise CannotRun("--json goes with --check: whoever accepts changes has to read them")
        loaded = load_valid(config_paths(args.config), secrets=False)
        if loaded is None:
            return EXIT_CONFIG
        lock = _lock_of(loaded.lock_path, args.check)
        _check_names(args.only, loaded)
        vendor = args.vendor or bool(lock.catalogs)
        _check_vendor(args, loaded)
        offers = asyncio.run(ask_sources(loaded, os.environ, args.only, launch=not args.no_launch))
        found = _found(loaded, lock, offers, args.only, vendor=vendor)
        return _print_json(found) if args.json else _told(args, loaded, found)
    except CannotRun as error:
        return cannot_run(error)


def _lock_of(path: Path, checking: bool) -> LockFile:
    try:
        return read_lock(path)
    except LockError as error:
        if error.missing and not checking:
            return LockFile()
        if error.missing:
            raise CannotRun(str(error)) from None
        raise CannotRun(f"{shown_path(path)}:{error.line}: {error}") from None


def _check_names(only: Sequence[str], loaded: LoadedConfig) -> None:
    assert loaded.config is not None
    for name in only:
        if name not in loaded.config.integrations:
            known = ", ".join(loaded.config.integrations) or "none"
            raise CannotRun(f"--only {name}: no such integration; there are: {known}")


def _check_vendor(args: argparse.Namespace, loaded: LoadedConfig) -> None:
    if args.vendor and args.check:
        raise CannotRun(
            "--vendor writes and --check does not: a plain --check looks at vendored catalogs, too"
        )
    if args.vendor and lock_config(loaded) is None:
        raise CannotRun(
            "--vendor needs `lock: {mode: enforce}` (or warn) in the config: vendored catalogs are verified by it"
        )


@dataclass(frozen=True, slots=True)
class LockReport:
    """What the sources say now: the lock as it would be written, and what a reviewer has to see of it. `catalogs` are
    written with it, by key; `unvendored` says by key why what is vendored is not what it should be."""

    path: Path
    before: LockFile
    after: LockFile
    reviews: tuple[SourceReview, ...]
    dropped: tuple[str, ...]
    offers: Offers
    integrations: int
    catalogs: Mapping[str, bytes] = field(default_factory=dict)
    unvendored: Mapping[str, str] = field(default_factory=dict)

    @property
    def differs(self) -> bool:
        return self.before != self.after or bool(self.unvendored)

    @property
    def unnamed(self) -> int:
        """Tools that stay as they are and whose line gets the names of their arguments: it was written before they
        were."""
        return sum(
            was.arguments is None and one.tools[name].arguments is not None
            for key, one in self.after.sources.items()
            if key in self.before.sources
            for name, was in self.before.sources[key].tools.items()
            if name in one.tools
        )


def _found(
    loaded: LoadedConfig, lock: LockFile, offers: Offers, only: Sequence[str], *, vendor: bool
) -> LockReport:
    assert loaded.config is not None
    sources: dict[str, LockedSource] = {}
    names = {prefix.partition(".")[0] for prefix in loaded.config.connections}
    asked = {prefix.partition(".")[0] for prefix in offers.tools}
    for name in sorted(names):
        sources |= _sources(loaded.config, lock, offers, name) if name in asked else lock.belonging_to(name)
    dropped = [key for key in lock.sources if key.partition(".")[0] not in names and not only]
    if only:
        others = {key: one for key, one in lock.sources.items() if key.partition(".")[0] not in only}
        sources |= others
    after = LockFile(dict(sorted(sources.items())))
    reviews = asyncio.run(_reviews(loaded, lock, after, offers))
    catalogs, unvendored = _vendoring(loaded.lock_path, after, offers) if vendor else ({}, {})
    return LockReport(
        loaded.lock_path, lock, after, reviews, tuple(dropped), offers, len(names), catalogs, unvendored
    )


def _vendoring(path: Path, after: LockFile, offers: Offers) -> tuple[dict[str, bytes], dict[str, str]]:
    """The catalogs of all keys that were reached, and which of them are not there as they should be.

    A document may say the same in other bytes every time (a date): a catalog is stale when its tools differ, which the
    lock says, or when it is not the file that the lock names.
    """
    catalogs: dict[str, bytes] = {}
    wrong: dict[str, str] = {}
    for prefix, content in offers.catalogs.items():
        catalogs.setdefault(after.key_of(prefix), content)
    for key in catalogs:
        digest = after.sources[key].catalog
        try:
            if not digest:
                raise VendoredError("not vendored yet")
            VendoredCatalog(catalog_path(path, key), digest).read()
        except VendoredError as error:
            wrong[key] = str(error)
    return catalogs, wrong


def _sources(config: Config, lock: LockFile, offers: Offers, name: str) -> dict[str, LockedSource]:
    own = [prefix for prefix in config.connections if prefix.partition(".")[0] == name]
    offered = {prefix: offers.tools[prefix] for prefix in own if prefix in offers.tools}
    sources = assigned(lock, name, offered, frozenset(own) - offered.keys())
    # What was vendored of a source that has not changed is still what was reviewed.
    same = {key for key, one in sources.items() if lock.sources.get(key) == one}
    return {
        key: replace(one, catalog=lock.sources[key].catalog) if key in same else one
        for key, one in sources.items()
    }


async def _reviews(
    loaded: LoadedConfig, lock: LockFile, after: LockFile, offers: Offers
) -> tuple[SourceReview, ...]:
    """One for each key that changed. Connections that share a key are shown once."""
    drifts: dict[str, tuple[str, SourceDrift]] = {}
    for prefix in offers.tools:
        drift = compare(lock.of(prefix), offers.tools[prefix])
        key = after.key_of(prefix)
        if key not in drifts and (drift or lock.sources.get(key) is None):
            drifts[key] = prefix, drift
    changed = {lock.key_of(prefix) for prefix, drift in drifts.values() if drift.names("changed")}
    async with reviewed_definitions(loaded, os.environ, lock, sorted(changed)) as before:
        return tuple(
            _review(
                key, drift, offers.tools[prefix], offers.toolsets[prefix], before.get(lock.key_of(prefix))
            )
            for key, (prefix, drift) in drifts.items()
        )


def _review(
    key: str, drift: SourceDrift, offered: Offered, toolset: Toolset, before: Definition | None
) -> SourceReview:
    by_name = {tool.name: tool for tool in reversed(toolset.tools)}

    def now(name: str) -> JsonObject | None:
        return definition_of(toolset, by_name[name]) if name in offered.tools else None

    return review(key, drift, now, before or (lambda name: None))


def _told(args: argparse.Namespace, loaded: LoadedConfig, found: LockReport) -> int:
    for line in _lines(found):
        print(_coloured(line))
    if args.check:
        return _checked(found)
    if not found.differs and not found.unnamed:
        print(f"{shown_path(found.path)} is up to date: {_count(found.after)}")
        _keep(found)
        return EXIT_CANNOT_RUN if found.offers.unreached else EXIT_OK
    print(_summary(found, "changes") if found.differs else f"no changes: {_count(found.after)}")
    if found.unnamed:
        print(f"lines of {counted(found.unnamed, 'tool')} get the names of arguments, which they had not yet")
    if not (args.yes or _confirmed(found.path)):
        return EXIT_FOUND
    _write(found)
    _keep(found)
    print(f"wrote {shown_path(found.path)}: {_count(found.after)}")
    if found.unvendored:
        folder = shown_path(catalog_path(found.path, "").parent)
        print(f"wrote {counted(len(found.unvendored), 'catalog')} to {folder}: commit them with the lock")
    if loaded.config is not None and loaded.config.lock is None:
        print("note: the config has no `lock`, so nothing is held back; add `lock: {mode: enforce}`")
    return EXIT_CANNOT_RUN if found.offers.unreached else EXIT_OK


def _lines(found: LockReport) -> Iterator[str]:
    for one in found.reviews:
        yield from one.lines()
    for key in found.dropped:
        yield f"{key}\n  - no longer in the config"
    changed = {one.key for one in found.reviews}
    for key, why in found.unvendored.items():
        stale = key in changed and key in found.before.catalogs
        yield f"{key}\n  ! {'its vendored catalog is of the tools before' if stale else why}"
    for prefix, why in found.offers.unreached.items():
        yield f"{prefix}: not reached, what was reviewed of it stays: {why}"
    for prefix, why in found.offers.skipped.items():
        yield f"{prefix}: not asked, {why}"


def _coloured(line: str) -> str:
    return painted(line, "bad", sys.stdout) if line.lstrip().startswith("! ") else line


def _checked(found: LockReport) -> int:
    print(_summary(found, "drift") if found.differs else f"no drift: {_compared(found)}")
    if found.unnamed:
        print(
            f"note: {shown_path(found.path)} has no names of arguments for {counted(found.unnamed, 'tool')}, so "
            "conditions of rules are not compared with them offline; `executor lock` adds them"
        )
    if found.differs:
        return EXIT_FOUND
    return EXIT_CANNOT_RUN if found.offers.unreached else EXIT_OK


def _summary(found: LockReport, word: str) -> str:
    """`drift: 1 changed, 1 new, 0 gone in 1 of 5 integrations`."""
    kinds = [drift.kind for one in found.reviews for drift in one.drift.tools.values()]
    counts = ", ".join(f"{kinds.count(kind)} {kind}" for kind in DRIFT_KINDS)
    touched = {one.key.partition(".")[0] for one in found.reviews}
    said = f"{word}: {counts} in {len(touched)} of {found.integrations} integrations"
    gone = f", {len(found.dropped)} no longer in the config" if found.dropped else ""
    odd = sum(bool(tool.warnings) for one in found.reviews for tool in one.tools)
    return f"{said}{gone}{f'; look twice at {odd} of them (!)' if odd else ''}"


def _compared(found: LockReport) -> str:
    """`9 tools of 3 sources`, and how many of them nobody asked about: nothing is known of those."""
    asked = {found.after.key_of(prefix) for prefix in found.offers.tools}
    others = found.after.sources.keys() - asked
    count = _count(LockFile({key: one for key, one in found.after.sources.items() if key in asked}))
    return f"{count}; not compared: {', '.join(sorted(others))}" if others else count


def _count(lock: LockFile) -> str:
    tools = sum(len(one.tools) for one in lock.sources.values())
    return f"{counted(tools, 'tool')} of {counted(len(lock.sources), 'source')}"


def _confirmed(path: Path) -> bool:
    if not sys.stdin.isatty():
        print(
            f"{shown_path(path)} is not written: there is no terminal to ask; accept with --yes",
            file=sys.stderr,
        )
        return False
    print(f"Write {shown_path(path)}? [y/N] ", end="", flush=True)
    if sys.stdin.readline().strip().lower() in ("y", "yes"):
        return True
    print(f"{shown_path(path)} stays as it is")
    return False


def _write(found: LockReport) -> None:
    """The catalogs first: whoever reads meanwhile has the old lock, which does not name them."""
    try:
        digests = {
            key: write_catalog(catalog_path(found.path, key), found.catalogs[key]) for key in found.unvendored
        }
        sources = {
            key: replace(one, catalog=digests.get(key, one.catalog))
            for key, one in found.after.sources.items()
        }
        write_lock(found.path, LockFile(sources))
        for key in found.before.catalogs.keys() - found.after.sources.keys():
            catalog_path(found.path, key).unlink(missing_ok=True)
    except OSError as error:
        raise CannotRun(f"{found.path}: {error.strerror or error}") from None


def _keep(found: LockReport) -> None:
    """The texts that were accepted are what the next review compares with."""
    for prefix, toolset in found.offers.toolsets.items():
        keep_definitions(os.environ, found.after.sources[found.after.key_of(prefix)], toolset)


def _print_json(found: LockReport) -> int:
    offers = found.offers
    print_json(
        {
            "format_version": "1",
            "drift": found.differs,
            "sources": [one.as_json() for one in found.reviews],
            "no_longer_in_config": list(found.dropped),
            "vendored": dict(found.unvendored),
            "unreached": dict(offers.unreached),
            "not_asked": dict(offers.skipped),
        }
    )
    if found.differs:
        return EXIT_FOUND
    return EXIT_CANNOT_RUN if offers.unreached else EXIT_OK
