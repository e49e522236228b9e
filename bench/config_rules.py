"""That load, lint, diff and merge grow with the rules, not with their pairs: `python -m bench.config_rules`.

Budget: 10,000 rules load in under 1 s of CPU, and no step costs more per rule with 10,000 of them than twice what it
does with 1,000. Exits with 1 where it does not hold.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from policies import Caller, Layer, PolicySet, Rule, ToolFacts, compile_policies
from proxy.config import load_config
from proxy.config.merge import merge
from proxy.config.parse import parse
from proxy.config.source import read_text

HEAD = """version: 1
integrations:
  api: {kind: mcp, type: remote, url: 'https://api.example/mcp'}
connections: {api.org.main: {}}
policies:
"""
SHAPES = {
    "one tool each": "{{id: r{0}, pattern: api.org.main.tool{0}, action: block}}",
    "one glob each": "{{id: r{0}, pattern: api.*.*.g{0}*, action: require_approval}}",
    "one caller each": "{{id: r{0}, pattern: api.*, action: block, principals: ['user:u{0}']}}",
}
SMALL, LARGE = 1_000, 10_000


def text_of(shape: str, first: int, count: int) -> str:
    return "".join(f"  - {SHAPES[shape].format(10_000 + n)}\n" for n in range(first, first + count))


def seconds(action: Callable[[], object]) -> float:
    """CPU, the best of three."""
    best = 1e9
    for _ in range(3):
        began = time.process_time()
        action()
        best = min(best, time.process_time() - began)
    return best


def steps(shape: str, count: int, folder: Path) -> dict[str, float]:
    file = folder / f"{count}.yaml"
    file.write_text(HEAD + text_of(shape, 0, count))
    loaded = load_config([file], env={}, advice=False)
    assert loaded.config is not None, loaded.diagnostics[:3]
    halves = [HEAD + text_of(shape, 0, count // 2), "policies:\n" + text_of(shape, count // 2, count // 2)]
    parsed = [parse(read_text(f"{n}.yaml", half.encode())[0]) for n, half in enumerate(halves)]
    before, after = policies_of(shape, count, 0), policies_of(shape, count, 1)
    return {
        "load": seconds(lambda: load_config([file], env={}, advice=False)),
        "lint": seconds(loaded.advised),
        "diff": seconds(lambda: changed(before, after, count)),
        "merge": seconds(lambda: merge(parsed)),
    }


def policies_of(shape: str, count: int, shift: int) -> PolicySet:
    patterns = {"one tool each": "api.org.main.tool{0}", "one glob each": "api.*.*.g{0}*"}
    pattern = patterns.get(shape, "api.*.*.u{0}")
    rules = tuple(Rule(f"r{n}", pattern.format(10_000 + n + shift), "block") for n in range(count))
    return compile_policies([Layer("policies", rules)])


def changed(before: PolicySet, after: PolicySet, count: int) -> int:
    """What a reload compares: the decision on every tool under the old rules and the new ones."""
    caller = Caller(user="ann")
    tools = [ToolFacts(f"api.org.main.tool{10_000 + n}", "api", "read", "reads", "") for n in range(count)]
    return sum(
        before.decide(tool, caller, {}).action != after.decide(tool, caller, {}).action for tool in tools
    )


def main() -> int:
    failed = False
    with tempfile.TemporaryDirectory() as scratch:
        for shape in SHAPES:
            small, large = (steps(shape, count, Path(scratch)) for count in (SMALL, LARGE))
            for name, took in large.items():
                growth = took / LARGE / (max(small[name], 1e-4) / SMALL)
                wrong = growth > 2 or (name == "load" and took >= 1)
                failed |= wrong
                said = "  TOO MUCH" if wrong else ""
                print(
                    f"{shape:16} {name:6} {took * 1e3:8.1f} ms  {growth:5.2f} x per rule of {SMALL:,}{said}",
                    flush=True,
                )
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
