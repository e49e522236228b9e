"""Promises that are spread into an object: what is certain is told, and nothing else."""

from __future__ import annotations

import pytest

from proxy.sandbox.recovery import recover
from proxy.sandbox.spreads import spread_promise


@pytest.mark.parametrize(
    ("code", "line", "awaited"),
    [
        ("const load = async () => ({a: 1});\nconst x = {b: 2, ...load()};", 2, "load()"),
        ("async function load(id) { return {id} }\nreturn [1].map((id) => ({\n  n: 1,\n  ...load(id),\n}))",
         4, "load(id)"),
        ("return {...(async () => 1)()}", 1, "(async () => 1)()"),
        ("const p = Promise.all([1]);\nreturn {...p, a: 1}", 2, "p"),
        ("const f = async (x) => x;\nconst p = f(1)\nreturn {a: 1, ...p}", 3, "p"),
        ("const a = 12345678901234567890, f = 1; const g = async () => a; g({...g()})", 1, "g()"),
    ],
)  # fmt: skip
def test_the_line_and_the_remedy(code: str, line: int, awaited: str) -> None:
    said = f"Line {line} spreads a promise, which gives nothing: await it, as in {{...(await {awaited})}}."
    assert spread_promise(recover(code)) == said


@pytest.mark.parametrize(
    "code",
    [
        "async function load() {}\nconst y = {...await load(), ...(await load())}",
        "const load = async () => ({a: 1});\nconst {a, ...rest} = await load()",
        "let p = Promise.all([1]); p = await p; return {...p}",
        "const load = async () => [1];\nreturn [...load(), f(...load())]",
        "const load = async () => 1;\nreturn {...load().x}",
        "const all = await Promise.all([1]); return {...all}",
        "return {...x}",
    ],
)
def test_what_is_not_certain_is_left(code: str) -> None:
    assert spread_promise(recover(code)) is None
