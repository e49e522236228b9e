"""What the lock knows is compared without asking anybody; what nobody knows is said. (`executor diff` has the rest.)"""

from __future__ import annotations

from pathlib import Path

from proxy.app.comparison import Change, Side, compare
from proxy.app.offline import open_offline
from proxy.config import load_config
from proxy.lock.definition import ToolRecord
from proxy.lock.file import LockedSource, LockFile, write_lock
from proxy.lock.records import Records

CONFIG = """\
version: 1
lock: {file: executor.lock}
integrations:
  far: {kind: openapi, spec: {url: "https://far.example.com/openapi.json"}}
  new: {kind: mcp, type: remote, url: "https://new.example.com/mcp"}
connections: {far.org.main: {}, new.org.main: {}}
workspaces: {one: {}, two: {integrations: [new]}}
policies: [{id: writes, pattern: "far.*.*.things.put", action: %s}]
"""
READ = ToolRecord("0" * 64, "read", "GET /things", "Reads", "")
WRITE = ToolRecord("1" * 64, "write", "PUT /things", "Writes", "")


def written(folder: Path, action: str, tools: dict[str, ToolRecord]) -> Path:
    folder.mkdir()
    write_lock(folder / "executor.lock", LockFile({"far": LockedSource("openapi", tools=tools)}))
    (folder / "executor.yaml").write_text(CONFIG % action)
    return folder


async def compared(env: dict[str, str], old: Path, new: Path) -> tuple[list[Change], dict[str, str]]:
    before, after = load_config([old], env=None), load_config([new], env=None)
    async with open_offline(before, env) as was, open_offline(after, env) as becomes:
        sides = Side(before, was, old), Side(after, becomes, new)
        return compare(*sides, Records(None)), dict(sides[1].unknown)


async def test_the_lock_knows_tools_that_nobody_asks_for(tmp_path: Path) -> None:
    env = {"EXECUTOR_STATE_DIR": str(tmp_path / "state")}
    old = written(tmp_path / "old", "block", {"things.get": READ, "things.put": WRITE})
    new = written(tmp_path / "new", "approve", {"things.put": WRITE, "things.all": READ})
    changes, unknown = await compared(env, old, new)
    told = {
        (one.address, one.before, one.after, one.direction)
        for one in changes
        if one.kind in ("policy", "tool") and one.workspace == "one"
    }
    assert told == {
        ("far.org.main.things.put", "block", "approve", "wider"),
        ("far.org.main.things.all", "", "approve", "wider"),
        ("far.org.main.things.get", "approve", "", "narrower"),
    }
    assert {one.workspace for one in changes} >= {"one"}
    assert "two" not in {one.workspace for one in changes}, "it does not see the integration"
    assert list(unknown) == ["new.org.main"]


async def test_equal_configs_have_no_differences(tmp_path: Path) -> None:
    env = {"EXECUTOR_STATE_DIR": str(tmp_path / "state")}
    pair = [written(tmp_path / name, "block", {"things.get": READ}) for name in ("old", "new")]
    assert (await compared(env, *pair))[0] == []


async def test_what_a_key_is_at_once_is_compared_too(tmp_path: Path) -> None:
    """Alone, neither group meets another rule than before; a key that has both does."""
    env = {"EXECUTOR_STATE_DIR": str(tmp_path / "state")}
    keys = {"both": ["a", "b"], "one": ["a"], "other": ["b", "unnamed"]}
    auth = "".join(
        f"\n      {name}: {{hash: 'sha256:{'0' * 64}', workspace: one, groups: {groups}}}"
        for name, groups in keys.items()
    )
    pair = []
    for name, order in (("old", "ab"), ("new", "ba")):
        folder = written(tmp_path / name, "block", {"things.get": READ})
        rules = {
            "a": '{id: a, pattern: "far.org.main.things.get", principals: ["group:a"], action: require_approval}',
            "b": '{id: b, pattern: "far.org.main.things.get", principals: ["group:b"], action: block}',
        }
        text = CONFIG % "block"
        listed = "".join(f"\n  - {rules[one]}" for one in order)
        text = text[: text.index("policies:")] + f"policies:{listed}\nauth:\n  api_keys:\n    keys:{auth}\n"
        (folder / "executor.yaml").write_text(text)
        pair.append(folder)
    changes, _ = await compared(env, *pair)
    assert [(one.callers, one.before, one.after) for one in changes if one.kind == "policy"] == [
        ("group:a + group:b", "require_approval", "block")
    ]
