"""What a swap means to callers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from proxy.app.effects import Comparison, changed_workspaces, gone
from proxy.reload import Effects
from tests.proxy.support import config_text, generation_of, inline, shop

BLOCK = 'policies: [{pattern: "*", action: block}]\n'


def smaller() -> str:
    """A document without `/items`, and with another word for `items.get`."""
    document = shop()
    del document["paths"]["/items"]
    document["paths"]["/items/{id}"]["get"]["summary"] = "Fetch one item"
    return inline(document)


async def test_at_the_first_start_everything_is_added(tmp_path: Path, env: Mapping[str, str]) -> None:
    new = await generation_of(tmp_path, config_text(), env)
    assert Comparison().effects_of(None, new) == Effects(added=4, removed=0, changed=0, wider=0, narrower=0)
    assert changed_workspaces(None, new) == {"default"}


async def test_tools_come_go_and_change(tmp_path: Path, env: Mapping[str, str]) -> None:
    old = await generation_of(tmp_path, config_text(), env)
    new = await generation_of(tmp_path, config_text(smaller()), env, 2)
    assert Comparison().effects_of(old, new) == Effects(added=0, removed=2, changed=1, wider=0, narrower=0)
    assert Comparison().effects_of(new, old) == Effects(added=2, removed=0, changed=1, wider=0, narrower=0)


async def test_permissions_become_wider_or_narrower(tmp_path: Path, env: Mapping[str, str]) -> None:
    free = await generation_of(tmp_path, config_text(), env)
    tight = await generation_of(tmp_path, config_text(more=BLOCK), env, 2)
    assert Comparison().effects_of(free, tight) == Effects(added=0, removed=0, changed=0, wider=0, narrower=4)
    assert Comparison().effects_of(tight, free) == Effects(added=0, removed=0, changed=0, wider=4, narrower=0)


async def test_every_workspace_counts(tmp_path: Path, env: Mapping[str, str]) -> None:
    two = await generation_of(tmp_path, config_text(more="workspaces: {a: {}, b: {}}\n"), env)
    one = await generation_of(tmp_path, config_text(more="workspaces: {a: {}}\n"), env, 2)
    assert Comparison().effects_of(two, one) == Effects(added=0, removed=4, changed=0, wider=0, narrower=0)
    assert changed_workspaces(two, one) == {"a", "b"}


async def test_the_same_config_changes_nothing(tmp_path: Path, env: Mapping[str, str]) -> None:
    old = await generation_of(tmp_path, config_text(), env)
    new = await generation_of(tmp_path, config_text(), env, 2)
    assert Comparison().effects_of(old, new) == Effects(added=0, removed=0, changed=0, wider=0, narrower=0)
    assert changed_workspaces(old, new) == frozenset()


async def test_what_is_kept_of_one_comparison_is_not_taken_for_another_generation(
    tmp_path: Path, env: Mapping[str, str]
) -> None:
    free = await generation_of(tmp_path, config_text(), env)
    tight = await generation_of(tmp_path, config_text(more=BLOCK), env, 2)
    less = await generation_of(tmp_path, config_text(smaller()), env, 3)
    comparison = Comparison()
    assert comparison.effects_of(None, free).added == 4
    assert comparison.effects_of(free, tight).narrower == 4
    # `tight` was rejected after all: `free` serves.
    assert comparison.effects_of(free, less) == Effects(added=0, removed=2, changed=1, wider=0, narrower=0)
    assert comparison.effects_of(less, free) == Effects(added=2, removed=0, changed=1, wider=0, narrower=0)
    assert comparison.effects_of(free, tight).narrower == 4


async def test_names_that_left_the_config(tmp_path: Path, env: Mapping[str, str]) -> None:
    limits = "rate_limits: {calls: {per: user, limit: 3/minute}}\n"
    more = f"  twin.org.main: {{}}\n{limits}"
    spec = f"{inline(shop())}\n  twin: {{kind: openapi, spec: {inline(shop())}}}"
    old = await generation_of(tmp_path, config_text(spec, more=more), env)
    new = await generation_of(tmp_path, config_text(more=limits.replace("calls", "other")), env, 2)
    assert list(gone(old, new)) == [
        {"connection": "twin.org.main"},
        {"integration": "twin"},
        {"limit": "calls"},
    ]
    assert list(gone(new, new)) == []
