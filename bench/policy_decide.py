"""How long a policy decision takes: 10,000 tools, 1,000 rules in two layers. Budget: 20 us.

Run: python -m bench.policy_decide
"""

from __future__ import annotations

import gc
import json
import random
import statistics
import time
from collections.abc import Callable

from policies import Caller, Condition, Layer, PolicySet, Rule, ToolFacts, compile_policies

TOOLS, RULES, CALLS = 10_000, 1_000, 50_000
VERBS = ("get", "list", "create", "update", "delete", "merge", "search", "replace", "add", "remove")
ARGUMENTS = {"owner": "acme", "repo": "sandbox", "amount": 99, "items": [{"sku": "a-1"}]}


def tools() -> list[ToolFacts]:
    """20 integrations of 50 groups of 10 tools."""
    return [
        ToolFacts(
            f"api{i}.org.main.group{g}.{verb}", f"api{i}", "read" if v < 2 else "write", "reads", "e.yaml:1"
        )
        for i in range(20)
        for g in range(50)
        for v, verb in enumerate(VERBS)
    ]


def rules(rng: random.Random) -> list[Rule]:
    """Every shape of pattern; a third has conditions, a third principals."""
    shapes = (
        "api{i}.org.main.group{g}.{verb}",
        "api{i}.*.*.group{g}.*",
        "api{i}.org.main.group{g}.{head}*",
        "api{i}.*.*.*.{verb}",
        "api{i}.org.*.group{g}.{verb}",
    )
    made: list[Rule] = []
    for n in range(RULES - 1):
        verb = rng.choice(VERBS)
        pattern = shapes[n % len(shapes)].format(
            i=rng.randrange(20), g=rng.randrange(50), verb=verb, head=verb[:3]
        )
        made.append(
            Rule(
                id=f"rule-{n}",
                pattern=pattern,
                action=rng.choice(("block", "require_approval", "approve")),
                when={"repo": Condition(in_=("prod", "staging")), "amount": Condition(at_most=100)}
                if n % 3 == 0
                else {},
                principals=("group:ci", "key:bot") if n % 3 == 1 else (),
                source=f"executor.yaml:{n}",
            )
        )
    return [*made, Rule("last", "*", "require_approval", source="executor.yaml:9999")]


def microseconds(
    call: Callable[[ToolFacts], object], among: list[ToolFacts], rng: random.Random
) -> list[float]:
    """One figure a call, over random tools."""
    took: list[float] = []
    for tool in rng.choices(among, k=CALLS):
        start = time.perf_counter_ns()
        call(tool)
        took.append((time.perf_counter_ns() - start) / 1000)
    return took


def main() -> None:
    rng = random.Random(7)
    catalog, written = tools(), rules(rng)
    start = time.perf_counter()
    policies: PolicySet = compile_policies(
        [Layer("top", tuple(written[:500])), Layer("ws", tuple(written[500:]))]
    )
    compiled_ms = (time.perf_counter() - start) * 1000
    caller = Caller(key="bot", groups=frozenset({"ops"}))
    gc.disable()
    cold = microseconds_first(policies, catalog, caller)
    warm = microseconds(lambda tool: policies.decide(tool, caller, ARGUMENTS), catalog, rng)
    seen = microseconds(lambda tool: policies.visible(tool, caller), catalog, rng)
    report: dict[str, object] = {
        "tools": len(catalog),
        "rules": len(written),
        "compile_ms": round(compiled_ms, 1),
    }
    for name, took in (("first decision", cold), ("decide", warm), ("visible", seen)):
        cuts = statistics.quantiles(took, n=100)
        report[f"{name} us"] = f"mean {statistics.fmean(took):.2f}  p50 {cuts[49]:.2f}  p99 {cuts[98]:.2f}"
    print(json.dumps(report, indent=2))


def microseconds_first(policies: PolicySet, catalog: list[ToolFacts], caller: Caller) -> list[float]:
    """The first decision on each tool, when nothing is remembered about it."""
    took: list[float] = []
    for tool in catalog:
        start = time.perf_counter_ns()
        policies.decide(tool, caller, ARGUMENTS)
        took.append((time.perf_counter_ns() - start) / 1000)
    return took


if __name__ == "__main__":
    main()
