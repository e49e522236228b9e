"""Whom an operator may describe: a key with what the config gives it, and nobody whom no request has."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from proxy.app.local import open_live
from proxy.config import load_config
from proxy.history.reader import HistoryReader
from proxy.live import Live

CONFIG = """\
version: 1
workspaces: {one: {}, two: {}}
auth: {api_keys: {keys: {ci: {hash: "sha256:%s", workspace: one, groups: [bots]}}}}
"""
WRONG = {"key=cj": "there are: ci", "key=ci,group=ops": "other groups", "ci": "expected one of"}


def reader(live: Live) -> HistoryReader:
    """Nothing but callers is asked of it."""
    return HistoryReader(live, cast(Any, None), cast(Any, None))


async def test_a_key_brings_along_what_the_config_gives_it(tmp_path: Path) -> None:
    (tmp_path / "executor.yaml").write_text(CONFIG % ("0" * 64))
    loaded = load_config([tmp_path], env=None)
    async with open_live(loaded, {"EXECUTOR_STATE_DIR": str(tmp_path / "state")}) as live:
        principal, workspace = reader(live).written_caller("key=ci")
        assert (principal.account_id, principal.groups, workspace) == ("key:ci", frozenset({"bots"}), "one")
        principal, workspace = reader(live).written_caller("group=a,group=b")
        assert (principal.kind, principal.groups, workspace) == ("local", frozenset({"a", "b"}), None)
        for text, words in WRONG.items():
            with pytest.raises(ValueError, match=words):
                reader(live).written_caller(text)


def test_before_anything_serves_a_key_is_only_its_name() -> None:
    principal, workspace = reader(Live(lambda _: None)).written_caller("key=ci")
    assert (principal.account_id, principal.groups, workspace) == ("key:ci", frozenset(), None)
