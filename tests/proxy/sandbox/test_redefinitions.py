"""Names that are declared twice in one scope, and where."""

from __future__ import annotations

import pytest

from proxy.sandbox.recovery import recover
from proxy.sandbox.redefinitions import duplicate_parameter, redefinition

TWICE = [
    ("const a = 1\nconst a = 2", "a", 2, 7),
    ("let a = 1, b = 2, a = 3", "a", 1, 19),
    ("const {a, b: {c}, ...d} = {b: {}}; let c = 1", "c", 1, 40),
    ("const {[k]: v, w = 3} = o; const w = 1", "w", 1, 34),
    ("const [x, , y = 3, [z]] = []; var z", "z", 1, 35),
    ("function f(a) { let a = 1; return a }", "a", 1, 21),
    ("function f(x: number, y: T = {}): Promise<void> { const y = 1 }", "y", 1, 57),
    ("const a = items.map((x) => { const x = 1; return x })", "x", 1, 36),
    ("const f = async function g(a) { const a = 1 }", "a", 1, 39),
    ("const h = async ({a}, b) => { let b = 2 }", "b", 1, 35),
    ("try { throw 1 } catch (e) { let e = 2 }", "e", 1, 33),
    ("for (let i = 0, i = 1;;) { }", "i", 1, 17),
    ("switch (a) { case 1: let z = 1; case 2: let z = 2 }", "z", 1, 45),
    ("{ function f() {} var f }", "f", 1, 23),
    ("let q; { var q }", "q", 1, 14),
    ("{ var q }\nlet q", "q", 2, 5),
    ("const f = 1\nasync function f() {}", "f", 2, 16),
    ("enum E { A }\nconst E = 1", "E", 2, 7),
    ("let a: Map<string, b> = 1, b = 2\nlet b = 3", "b", 2, 5),
    ("let x = `${(() => { let x = 1; let x = 2 })()}`", "x", 1, 36),
    # What comes before is none.
    ("const x = function x() {}; const y = 1; let y", "y", 1, 45),
    ("for (const i of x) { const i = 2 }\nfor (const i of y) {}\nlet i = 1; let i = 2", "i", 3, 16),
    ("const a = 1\nfoo(), b\nconst b = 2\nconst a = 3", "a", 4, 7),
    ("class A { let() {} const = 1; m(a) { var a; let b; const b = 1 } }", "b", 1, 58),
    ("if (x) { const a = 1 } else { const a = 2 }\nconst k = 1\nconst k = 2", "k", 3, 7),
    ("const g = (a, {b}) => { const b = 1 }\nlet c; let c", "c", 2, 12),
    ("interface I { const: string; let: number }\nconst i = 1; const i = 2", "i", 2, 20),
    ("const r = await f({let: 1, const: 2}), r = 1", "r", 1, 40),
]


@pytest.mark.parametrize(("code", "name", "line", "column"), TWICE)
def test_the_second_place_is_named(code: str, name: str, line: int, column: int) -> None:
    assert redefinition(recover(code)) == (name, (line, column))


@pytest.mark.parametrize(
    "code",
    [
        "let a; { let a }",
        "var a; var a",
        "function f() {}\nfunction f() {}",
        "a.let.b; a.let.b",
        "const {a, b",
    ],
)
def test_none_is_seen(code: str) -> None:
    assert redefinition(recover(code)) is None


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("function f(a, b, a) { return a }", ("a", (1, 18))),
        ("const f = 1;\nconst g = (x, x) => x", ("x", (2, 15))),
        ("({m(a, {b, a}) {}})", ("a", (1, 12))),
        ("foo(a, a); const f = (a, b) => { bar(b, b) }", None),
    ],
)
def test_parameters_of_one_name(code: str, found: object) -> None:
    assert duplicate_parameter(recover(code)) == found
