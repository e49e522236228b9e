"""`executor tools ... --server URL`: the tools that a running server gives its caller."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Final
from urllib.parse import quote

from integrations.base import JsonObject
from policies import PatternError, parse_pattern
from proxy.commands.common import EXIT_FOUND, EXIT_OK, CannotRun, cannot_run, print_json
from proxy.commands.remote import Remote, inert, run_remotely
from proxy.commands.terminal import print_table

_PAGE: Final = 200


def run_on_server(args: argparse.Namespace) -> int:
    """The same actions as without a server. Local flags that mean nothing there are refused."""
    if args.caller or getattr(args, "health", False) or getattr(args, "schemas", False):
        why = "--as, --health and --schemas look at the local config; leave them out with --server"
        return cannot_run(CannotRun(why))
    return run_remotely(args, _ACTIONS[args.action], "agent")


def _list(args: argparse.Namespace, remote: Remote) -> int:
    try:
        pattern = parse_pattern(args.pattern)
    except PatternError as error:
        raise CannotRun(f"{args.pattern}: {error}") from None
    found = [one for one in _all(remote) if pattern.matches(one["path"])]
    return _shown(args, found)


def _all(remote: Remote) -> Iterator[JsonObject]:
    """Every page."""
    offset: int | None = 0
    while offset is not None:
        page = remote.get("/api/tools", limit=_PAGE, offset=offset)
        yield from page["items"]
        offset = page["nextOffset"]


def _search(args: argparse.Namespace, remote: Remote) -> int:
    page = remote.get("/api/tools", query=" ".join(args.query), limit=args.limit)
    if args.json:
        print_json(page)
        return EXIT_OK if page["items"] else EXIT_FOUND
    if not page["items"]:
        print(inert(_why_nothing(remote)))
    return _shown(args, page["items"])


def _why_nothing(remote: Remote) -> str:
    """Connections without tools say why; else there are tools, and none has these words."""
    connections = remote.get("/api/connections")["items"]
    if not connections:
        return "there are no tools: nothing is connected, or nothing that you may use"
    absent = [one for one in connections if one["status"] != "connected"]
    said = [f"{one['connection']} is {one['status']}: {one.get('error', '')}" for one in absent]
    return "\n".join(said) or "nothing found; try other words, or `executor tools list`"


def _shown(args: argparse.Namespace, items: list[JsonObject]) -> int:
    if args.json:
        print_json(items)
    else:
        rows = [[one["path"], one["risk"], one["description"].partition("\n")[0][:80]] for one in items]
        print_table([[inert(cell) for cell in row] for row in rows], ["TOOL", "RISK", "DESCRIPTION"])
    return EXIT_OK if items else EXIT_FOUND


def _describe(args: argparse.Namespace, remote: Remote) -> int:
    tool = remote.get(f"/api/tools/{quote(args.address, safe='')}")
    if args.json:
        print_json(tool)
        return EXIT_OK
    policy = tool["policy"]
    print(inert(f"{tool['path']}: {policy['action']} ({policy.get('rule') or policy.get('default')})"))
    print(inert(f"\n{tool['description']}\n"))
    print(inert(f"input   {tool['inputTypeScript']}\noutput  {tool['outputTypeScript']}"))
    if tool["typeScriptDefinitions"]:
        print(inert(f"\n{tool['typeScriptDefinitions']}"))
    return EXIT_OK


def _sources(args: argparse.Namespace, remote: Remote) -> int:
    items = remote.get("/api/connections")["items"]
    if args.json:
        print_json(items)
        return EXIT_OK
    rows = [
        [
            one["connection"],
            one["kind"],
            str(one["toolCount"]),
            f"{one['status']} {one.get('error', '')}".rstrip(),
        ]
        for one in items
    ]
    print_table([[inert(cell) for cell in row] for row in rows], ["CONNECTION", "KIND", "TOOLS", "STATUS"])
    return EXIT_OK


_ACTIONS: Final = {"list": _list, "search": _search, "describe": _describe, "sources": _sources}
