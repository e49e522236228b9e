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


KEYS = """\
auth:
  api_keys: {keys: {ci: {value: {env: CI}, groups: [bots], workspace: a}}}
  oauth: {issuer: https://login.example.com}
server: {public_url: https://executor.example.com}
"""


@pytest.mark.parametrize("text", ["key=ci", "key=ci,group=bots", "key=ci,workspace=a"])
async def test_a_key_brings_its_groups_and_workspace(
    tmp_path: Path, env: Mapping[str, str], text: str
) -> None:
    made = await generation(tmp_path, env, TWO + KEYS)
    principal, workspace = resolve_caller(text, made)
    assert principal == Principal("a", "key:ci", "key", frozenset({"bots"}))
    assert workspace is made.workspaces["a"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("key=cj", "--as key=cj: no such key; there are: ci"),
        ("key=ci,group=ops", "--as key=ci: it has other groups: bots"),
        ("key=ci,workspace=b", "--as key=ci: it works in workspace `a` only"),
    ],
)
async def test_a_key_that_no_request_has(tmp_path: Path, env: Mapping[str, str], text: str, why: str) -> None:
    made = await generation(tmp_path, env, TWO + KEYS)
    with pytest.raises(CannotRun, match=why):
        resolve_caller(text, made)


async def test_a_user_of_the_only_issuer(tmp_path: Path, env: Mapping[str, str]) -> None:
    made = await generation(tmp_path, env, TWO + KEYS)
    principal, _ = resolve_caller("user=ann,workspace=b", made)
    assert principal == Principal("b", "user:https://login.example.com#ann", "user")


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
