"""`--as key=ci_bot,group=ci,workspace=ws`: whom a command pretends to be."""

from __future__ import annotations

import argparse

from proxy.commands.common import CannotRun
from proxy.principal import Principal
from proxy.workspace import Generation, Workspace

KINDS = ("key", "user", "group", "workspace")


def add_caller_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--as",
        dest="caller",
        metavar="WHO",
        default="",
        help="judge as this caller: key=ID, user=NAME, group=NAME (repeatable), workspace=ID, joined by commas",
    )


def resolve_caller(text: str, generation: Generation) -> tuple[Principal, Workspace]:
    """The principal that `--as` describes, and its workspace. Raises `CannotRun`."""
    given: dict[str, list[str]] = {kind: [] for kind in KINDS}
    for part in filter(None, (p.strip() for p in text.split(","))):
        kind, equals, value = part.partition("=")
        if kind not in given or not equals or not value:
            raise CannotRun(f"--as {part}: expected one of {', '.join(f'{k}=NAME' for k in KINDS)}")
        given[kind].append(value)
    _check_single(text, given)
    workspace = _workspace(given["workspace"], generation)
    if given["key"]:
        account, kind = f"key:{given['key'][0]}", "key"
    else:
        account, kind = (f"user:{given['user'][0]}", "user") if given["user"] else ("local", "local")
    principal = Principal(workspace.id, account, kind, frozenset(given["group"]))  # type: ignore[arg-type]
    return principal, workspace


def _check_single(text: str, given: dict[str, list[str]]) -> None:
    """Refuse a caller that no request can have: what is said of it would be true of no request."""
    if any(len(given[kind]) > 1 for kind in KINDS if kind != "group"):
        raise CannotRun(f"--as {text}: only group may be repeated")
    if given["key"] and given["user"]:
        raise CannotRun(f"--as {text}: a caller is one of key and user")


def _workspace(named: list[str], generation: Generation) -> Workspace:
    known = ", ".join(generation.workspaces)
    if named:
        found = generation.workspace(named[0])
        if found is None:
            raise CannotRun(f"--as workspace={named[0]}: no such workspace; there are: {known}")
        return found
    if len(generation.workspaces) > 1:
        raise CannotRun(f"there are several workspaces: name one with --as workspace=ID ({known})")
    return next(iter(generation.workspaces.values()))
