"""`--as key=ci_bot,group=ci,workspace=ws`: whom a command pretends to be."""

from __future__ import annotations

import argparse
from dataclasses import replace

from proxy.commands.common import CannotRun
from proxy.config.callers import as_in_requests
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
        principal, named = as_in_requests(principal, named, generation.config.auth)
    except ValueError as error:
        raise CannotRun(f"--as {error}") from None
    workspace = _workspace(named, generation)
    return replace(principal, workspace_id=workspace.id), workspace


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
