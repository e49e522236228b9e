"""`--as key=ci_bot,group=ci,workspace=ws`: whom a command pretends to be."""

from __future__ import annotations

import argparse
from dataclasses import replace

from proxy.commands.common import CannotRun
from proxy.config.callers import AuthConfig, full_names
from proxy.principal import Principal, written_caller
from proxy.workspace import Generation, Workspace


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
    try:
        principal, named = written_caller(text)
        principal, named = _as_in_requests(principal, named, generation.config.auth)
    except ValueError as error:
        raise CannotRun(f"--as {error}") from None
    workspace = _workspace(named, generation)
    return replace(principal, workspace_id=workspace.id), workspace


def _as_in_requests(
    principal: Principal, named: str | None, auth: AuthConfig | None
) -> tuple[Principal, str | None]:
    """A key of the config brings its groups and its workspace along; the user of the only issuer has its name. Raises
    `ValueError` for a caller that no request has."""
    principal = replace(principal, account_id=full_names(auth, [principal.account_id])[0])
    keys = auth.api_keys if auth is not None else None
    if principal.kind != "key" or keys is None:
        return principal, named
    name = principal.account_id.removeprefix("key:")
    found = keys.keys.get(name)
    if found is None:
        if keys.signing is None:
            raise ValueError(f"key={name}: no such key; there are: {', '.join(keys.keys) or 'none'}")
        return principal, named
    if principal.groups and principal.groups != frozenset(found.groups):
        raise ValueError(f"key={name}: it has other groups: {', '.join(found.groups) or 'none'}")
    if found.workspace is not None and named not in (None, found.workspace):
        raise ValueError(f"key={name}: it works in workspace `{found.workspace}` only")
    return replace(principal, groups=frozenset(found.groups)), found.workspace or named


def _workspace(named: str | None, generation: Generation) -> Workspace:
    known = ", ".join(generation.workspaces)
    if named is not None:
        found = generation.workspace(named)
        if found is None:
            raise CannotRun(f"--as workspace={named}: no such workspace; there are: {known}")
        return found
    if len(generation.workspaces) > 1:
        raise CannotRun(f"there are several workspaces: name one with --as workspace=ID ({known})")
    return next(iter(generation.workspaces.values()))
