"""Hits are counted by rule, for a workspace, and survive a reload as long as the rule says the same."""

from __future__ import annotations

from pathlib import Path

from proxy.history.rule_hits import ASKED, RuleCounters
from proxy.workspace import Generation
from tests.proxy.history.seen import call, decision
from tests.proxy.support import config_text, generation_of

WIPE = "{id: no-wipe, pattern: shop.*.*.wipe, action: block}"
READ = "{pattern: shop.*.*.items.list, action: approve}"
ASK = "{pattern: shop.*.*.items.create, action: require_approval}"


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


async def generation(folder: Path, env: dict[str, str], *rules: str) -> Generation:
    listed = "\n".join(f"  - {one}" for one in rules)
    return await generation_of(
        folder, config_text(more=f"workspaces: {{ws: {{}}}}\npolicies:\n{listed}\n"), env
    )


def counted(counters: RuleCounters) -> dict[str, int]:
    return {rule: hits.count for (rule, _), hits in counters.of("ws").items() if hits.count}


def place(made: Generation, number: int) -> tuple[str, str]:
    rule = made.workspaces["ws"].policies.rules()[number]
    return rule.id, rule.source


async def test_a_hit_counts_for_the_rule_that_applied_and_no_other(
    tmp_path: Path, env: dict[str, str]
) -> None:
    clock = Clock()
    counters, made = RuleCounters(clock), await generation(tmp_path, env, WIPE, READ)
    counters.swapped(made)
    read = decision(*place(made, 1), "approve", place(made, 0))
    counters.called(call(by=read))
    clock.now = 160.0
    counters.called(call(by=read))
    assert counted(counters) == {"policies[1]": 2}
    assert counters.of("ws")[place(made, 1)].last_ms == 160_000


async def test_a_call_that_is_approved_later_is_one_hit(tmp_path: Path, env: dict[str, str]) -> None:
    counters, made = RuleCounters(), await generation(tmp_path, env, ASK)
    counters.swapped(made)
    asks = decision(*place(made, 0), "require_approval")
    counters.called(call(code=ASKED, by=asks))
    counters.called(call(by=asks))
    assert counted(counters) == {"policies[0]": 1}


async def test_a_default_is_counted_too(tmp_path: Path, env: dict[str, str]) -> None:
    counters, made = RuleCounters(), await generation(tmp_path, env, WIPE)
    counters.swapped(made)
    default = made.workspaces["ws"].defaults["shop"]
    counters.called(call(by=decision("approve_by_default: reads", default.source)))
    assert counted(counters) == {"approve_by_default: reads": 1}


async def test_a_reload_keeps_what_says_the_same_wherever_it_stands(
    tmp_path: Path, env: dict[str, str]
) -> None:
    counters, before = RuleCounters(), await generation(tmp_path, env, WIPE, READ, ASK)
    counters.swapped(before)
    for number in range(3):
        for _ in range(number + 1):
            counters.called(call(by=decision(*place(before, number), "block")))
    changed = WIPE.replace("block", "approve")
    after = await generation(tmp_path, env, ASK, changed, READ)
    counters.swapped(after)
    assert counted(counters) == {"policies[0]": 3, "policies[2]": 2}
    assert len(counters.of("ws")) == 4, "three rules and a default"


async def test_what_the_config_no_longer_has_is_not_counted(tmp_path: Path, env: dict[str, str]) -> None:
    counters = RuleCounters()
    counters.called(call(by=decision("x", "executor.yaml:1")))
    counters.swapped(await generation(tmp_path, env, WIPE))
    counters.called(call(by=decision("gone", "executor.yaml:99")))
    counters.called(call())
    assert counted(counters) == {}
    assert counters.of("elsewhere") == {}
