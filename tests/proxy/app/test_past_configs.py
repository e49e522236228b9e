"""Configs by their sha256: of the files here, of revisions of git, and those that nobody knows any more."""

from __future__ import annotations

import subprocess
from pathlib import Path

from proxy.app.past_configs import PastConfigs
from proxy.config import load_config
from tests.proxy.support import config_text, load, written

RULE = 'policies: [{{id: one, pattern: "shop.*", action: {0}}}, {{pattern: "*", action: block}}]\n'


def git(folder: Path, *words: str) -> None:
    who = ["-c", "user.name=t", "-c", "user.email=t@example.com"]
    subprocess.run(["git", "-C", str(folder), *who, *words], check=True, capture_output=True)


def text(action: str) -> str:
    return config_text(more=RULE.format(action))


def test_a_config_is_found_where_it_is(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    folder = tmp_path / "deep"
    folder.mkdir()
    sha256 = {}
    for action in ("approve", "block", "no such action"):
        path = written(folder, text(action))
        sha256[action] = load_config([path], env=None).sha256
        git(tmp_path, "add", "-A")
        git(tmp_path, "commit", "-qm", action)
    path = written(folder, text("require_approval"))
    past = PastConfigs([path], load(path))

    here = past.find(load(path).sha256)
    assert here is not None
    assert here.where == "the files here"
    assert past.looked_at == 0

    old = past.find(sha256["approve"])
    assert old is not None
    assert old.where.startswith("git ")
    assert old.rule_text("one") == '{"id": "one", "pattern": "shop.*", "action": "approve"}'
    assert old.rule_text("policies[1]") == '{"pattern": "*", "action": "block"}'
    assert old.rule_text("approve_by_default: reads") is None

    assert past.find("0" * 64) is None
    assert past.looked == "it is not that of the files here, nor of all 3 revisions of git that touched them"


def test_without_git_only_the_files_here_are_known(tmp_path: Path) -> None:
    path = written(tmp_path, text("block"))
    past = PastConfigs([path], load(path))
    assert past.find("0" * 64) is None
    there = (
        "it is not that of the files here, and git (if there is a repository) has no other revision of them"
    )
    assert past.looked == there
