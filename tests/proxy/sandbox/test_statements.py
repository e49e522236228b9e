"""Last statements, module syntax and syntax that is not known here, through real workers."""

from __future__ import annotations

from tests.proxy.sandbox.tables import IMPORT, NOTHING, Table, check

JSX = "JSX (<Name>...</Name>) is not supported here: there is nothing to render. Return plain values or text."
MODULES: Table = [
    ("import type { A } from './a';\nconst a = 5;\nreturn a", 5),
    ("import { type A, type B } from './a';\nreturn 1", 1),
    ("export type A = {a: number};\nexport interface B { b: A }\nconst v: B = {b: {a: 3}};\nreturn v.b.a", 3),
    ("export default async () => 2", 2),
    ("const y = 2;\nexport default y * 2;", 4),
    ("export default {a: 1}", {"a": 1}),
    (
        "export const x = 5;\nexport default async function main() { return x + f() }\nfunction f() { return 2 }",
        7,
    ),
    ("export async function main() { return 7 }", 7),
    ("export default class A { m() { return 1 } }", NOTHING),
    ("export default class extends Map {}", NOTHING),
    (
        "export const a = 1;\nexport class B {}\nexport enum C { D }\nreturn [a, typeof B, C.D]",
        [1, "function", 0],
    ),
    ("function f() { return 7 }\nexport { f as default };", 7),
    ("const a = 1, b = 2;\nexport { a, b };\nreturn a + b", 3),
    ("const s = \"import x from 'y'\"; return s", "import x from 'y'"),
    ("import fs from 'fs';\nreturn 1", f"SyntaxError: import {IMPORT} @1:1"),
    ("const a = 1;\nimport {x} from 'y';", f"SyntaxError: import {IMPORT} @2:1"),
    ("import 'side-effect'", f"SyntaxError: import {IMPORT} @1:1"),
    ("export * from 'z'", f"SyntaxError: export ... from {IMPORT} @1:1"),
    ("import type A from 'x'; 3", 3),
    ("import {type A} from 'x'; export type D = 1; 3", 3),
    ("export {}; 4", 4),
    (";[1, 2].length", 2),
    ("#!/usr/bin/env node\nconst a: number = 7; a", 7),
    ("#!/usr/bin/env node\nconst a = ;", "SyntaxError: Unexpected token @2:11"),
    ("export = 5", f"SyntaxError: this kind of export {IMPORT} @1:1"),
    ("const a = 1;\nimport.meta.url", f"SyntaxError: import.meta {IMPORT} @2:1"),
    ("await import('fs')", f"TypeError: import() {IMPORT} @1:7"),
    ("require('fs')", f"ReferenceError: require {IMPORT} @1:1"),
]

# The engine's own place is behind the declaration, sometimes in the next line.
TWICE: Table = [
    ("const a = 1\nconst a = 2\nconst b = 3", "SyntaxError: invalid redefinition of a: {} @2:7"),
    ("let x = 1; function x() {}\nreturn 1", "SyntaxError: invalid redefinition of x: {} @1:21"),
    ("let a\n{\n  let b; let b\n}\nreturn 1", "SyntaxError: invalid redefinition of b: {} @3:14"),
    ("const t: number = 1\nconst t = 2", "SyntaxError: invalid redefinition of t: {} @2:7"),
    ("const big = 12345678901234567890; let q; let q", "SyntaxError: invalid redefinition of q: {} @1:46"),
    ("const {a, a} = {}", "SyntaxError: invalid redefinition of a: {} @1:11"),
    ("var v = 1; var v = 2; v", 2),
    ("{ let a = 1 }\n{ let a = 2 }\nreturn 3", 3),
]

ABSENT: Table = [
    (f"return typeof {name}", "undefined")
    for name in (
        "fetch require process Buffer XMLHttpRequest WebSocket setInterval setImmediate module window navigator "
        "WeakRef Atomics SharedArrayBuffer WebAssembly FormData Blob"
    ).split()
] + [
    ("return 'fetch' in globalThis", False),
    ("const a = 1;\nconst r = await fetch('https://x');", f"ReferenceError: fetch {IMPORT} @2:17"),
    ("process.env.X", f"ReferenceError: process {IMPORT} @1:1"),
    ("setInterval(f, 5)", "ReferenceError: setInterval is not available. Use a loop with await sleep(ms). @1:1"),
    ("try { fetch('x') } catch (e) { return e instanceof ReferenceError }", True),
    ("const fetch = (x) => x; return fetch(5)", 5),
    ("@dec class A {}", "SyntaxError: Decorators (@name) are not supported here: call the function yourself. @1:1"),
    ("class A {\n  accessor x = 1\n}",
     "SyntaxError: `accessor` declarations are not supported here: use get and set. @2:3"),
    ("const a: number = 1;\nusing f = open()",
     "SyntaxError: `using` declarations are not supported here: use try and finally. @2:1"),
    ("await using f = open()", "SyntaxError: `using` declarations are not supported here: use try and finally. @1:7"),
    ("const C = () => <div a=\"1\">don't</div>;\nreturn C()", f"SyntaxError: {JSX} @1:17"),
    ("const a = 1;\nreturn (\n  <Foo a={1} b=\"x\" />\n)", f"SyntaxError: {JSX} @3:3"),
    ("return <><b>1</b></>", f"SyntaxError: {JSX} @1:8"),
    ("const s = '<b/>' + 1; return s < 2 / 3, <T,>(x: T) => x, s", "<b/>1"),
    ("const a: string = '</b>';\nreturn a a",
     "SyntaxError: Expected a semicolon or an implicit semicolon after a statement, but found none @2:10"),
    ("const using = 1, accessor = 2; return using + accessor", 3),
]  # fmt: skip

LAST: Table = [
    # field/21
    ("const x = (await tools.t.org.main.t.hello({})).data; x", "hi"),
    ("const x = 5; x;", 5),
    ("async function main() { return 4 }\nmain()", 4),
    ("async function main() { return 4 }\nawait main();", 4),
    ("const f = (a: number) => a + 1;\nf(2)", 3),
    ("const m = {a: 1,\n  b: 2}\nm.b", 2),
    ("const x = 5\nx ? 'yes'\n  : 'no'", "yes"),
    ("let i = 5\ni\n++i", 6),
    ("function f() { return 1 }\n[1, 2].map(x => x + f())", [2, 3]),
    ("const x = 1;\n`a${x}`", "a1"),
    ("class A { m() { return 3 } }\nnew A().m()", 3),
    ("const a = [1]\nfor (const x of a)\n  console.log(x)", NOTHING),
    ("let r = 0\nif (r)\n  r\nelse\n  r + 1", NOTHING),
    ("const a = 1\nconst b = a\n(2)", "TypeError: not a function @3:1"),
    ("a: for (;;) { break a }", NOTHING),
    ("const x = 1; return x; x", 1),
    ("if (true) return 2; 'other'", 2),
    # A function declared behind the last expression was there before it.
    ("main()\nasync function main() { return 5 }", 5),
    ("await main();\nasync function main() { return 5 }", 5),
    ("const x = 5;\nmain();\nfunction main() { return x }\nfunction* other() {}", 5),
    ("x();\ntype X = 5;\nfunction x(): X { return 5 }", 5),
    ("main();\ninterface A {}\nasync function main() { return 3 }", 3),
    ("console.log(1)\nfunction f() {}", NOTHING),
    ("f();\nlet a = 1;\nfunction f() { return 2 }", NOTHING),
    ("function f() { return 1 }\nfunction g() { return 2 }", NOTHING),
    ("if (1) f()\nfunction f() { return 1 }", NOTHING),
]


async def test_module_syntax() -> None:
    await check(MODULES)


async def test_a_name_that_is_declared_twice_has_its_place() -> None:
    said = "it is declared before in the same block"
    await check([(code, want.format(said) if isinstance(want, str) else want) for code, want in TWICE])


async def test_what_is_absent_says_what_to_use() -> None:
    await check(ABSENT)


async def test_the_last_expression_is_the_result() -> None:
    await check(LAST, "hi")
