"""`--as`: whom a command pretends to be."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

import pytest

from proxy.commands.caller import add_caller_option, resolve_caller
from proxy.commands.common import CannotRun
from proxy.principal import Principal
from proxy.workspace import Generation
from tests.proxy.support import config_text, generation_of

TWO = "workspaces: {a: {}, b: {}}\n"


async def generation(folder: Path, env: Mapping[str, str], more: str = "") -> Generation:
    return await generation_of(folder, config_text(more=more), env)


def test_the_option() -> None:
    parser = argparse.ArgumentParser()
    add_caller_option(parser)
    assert parser.parse_args([]).caller == ""
    assert parser.parse_args(["--as", "key=a,group=b"]).caller == "key=a,group=b"


@pytest.mark.parametrize(
    ("text", "principal"),
    [
        ("", Principal("default", "local", "local")),
        ("key=ci_bot", Principal("default", "key:ci_bot", "key")),
        ("user=ann", Principal("default", "user:ann", "user")),
        ("group=ci, group=ops", Principal("default", "local", "local", frozenset({"ci", "ops"}))),
        (
            "key=ci_bot,group=ci,workspace=default",
            Principal("default", "key:ci_bot", "key", frozenset({"ci"})),
        ),
        ("user=a=b", Principal("default", "user:a=b", "user")),
    ],
)
async def test_callers(tmp_path: Path, env: Mapping[str, str], text: str, principal: Principal) -> None:
    made = await generation(tmp_path, env)
    assert resolve_caller(text, made) == (principal, made.workspaces["default"])


async def test_a_workspace_by_name(tmp_path: Path, env: Mapping[str, str]) -> None:
    made = await generation(tmp_path, env, TWO)
    principal, workspace = resolve_caller("workspace=b,user=ann", made)
    assert principal == Principal("b", "user:ann", "user")
    assert workspace is made.workspaces["b"]


@pytest.mark.parametrize(
    ("text", "more", "why"),
    [
        ("ann", "", "--as ann: expected one of key=NAME, user=NAME, group=NAME, workspace=NAME"),
        ("name=ann", "", "--as name=ann: expected one of"),
        ("user=", "", "--as user=: expected one of"),
        ("workspace=c", TWO, "--as workspace=c: no such workspace; there are: a, b"),
        ("user=ann", TWO, "several workspaces: name one with --as workspace=ID (a, b)"),
        ("key=a,user=b", "", "--as key=a,user=b: a caller is one of key and user"),
        ("user=a,user=b", "", "--as user=a,user=b: only group may be repeated"),
    ],
)
async def test_what_names_nobody(
    tmp_path: Path, env: Mapping[str, str], text: str, more: str, why: str
) -> None:
    made = await generation(tmp_path, env, more)
    with pytest.raises(CannotRun) as caught:
        resolve_caller(text, made)
    assert why in str(caught.value)
