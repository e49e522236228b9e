"""Places of errors: right, or none and the line to look from."""

from __future__ import annotations

from tests.proxy.sandbox.tables import IMPORT, Table, check

NO_LOOP = "the value that `for await` or `yield*` reads is not iterable"
YIELD = "SyntaxError: A 'yield' expression is only allowed in a generator body."
AWAIT = "SyntaxError: `await` is only allowed within async functions and at the top levels of modules"
PLACES: Table = [
    ("const a = undefined;\nconst b = 1;\nreturn a.x;", "TypeError: cannot read property 'x' of undefined @3:10"),
    ("const r = {};\nconsole.log(1);\nconst names = r.data.map(x => x.name);\nreturn names",
     "TypeError: cannot read property 'map' of undefined @3:22"),
    ("const r = {data: [1, null]};\nconsole.log(1);\nconst n = r.data.map(x =>\n  x.name);\nreturn n",
     "TypeError: cannot read property 'name' of null @4:5"),
    ("const a = {};\nlet n = 0;\nfor (let i = 0; i < 3; i++) {\n  n++;\n}\nconst z = a.b.c;\nreturn z",
     "TypeError: cannot read property 'c' of undefined @6:15"),
    ("const a = [{x: {y: 1}}, {}];\nfor (const one of a) {\n  const v = one.x.y;\n  console.log(v);\n}",
     "TypeError: cannot read property 'y' of undefined @3:19"),
    ("async function f(x) {\n  await null;\n  return x.foo.bar;\n}\nconst q = 1;\nawait f({});",
     "TypeError: cannot read property 'bar' of undefined @3:16"),
    ("const a = {p: {n: 1}};\nconst b = a.p.n;\nconst c = a.q.n;\nreturn b",
     "TypeError: cannot read property 'n' of undefined (in or after line 2)"),
    ("const k = 'z', o = {};\nlet u;\nif (k) {\n  return u[k];\n}",
     "TypeError: cannot read property 'z' of undefined @4:12"),
    ("const o = {};\nlet q;\nconst {a: {b}} = o;", "TypeError: Cannot convert undefined or null to object @3:7"),
    ("const a = 1;\nconst b = a +\n  missing;", "ReferenceError: missing is not defined @3:3"),
    ("const a = 1;\nlet z;\nz = (a = 2);", "TypeError: 'a' is read-only @3:6"),
    ("const a = 1;\nconst s = [...a.b];", "TypeError: cannot read property 'Symbol.iterator' of undefined @2:12"),
    ("const a = 1;\n\nJSON.parse('{')",
     "SyntaxError: Expected property name or '}' in JSON at position 1 (line 1 column 2) @3:6"),
    ("const x: string = 'a';\nlet u: any;\nconst y: number = u.deep;",
     "TypeError: cannot read property 'deep' of undefined @3:21"),
    ("const f = () => 1;\nthrow new Error(\n  'a' +\n  f()\n);", "Error: a1 @2:11"),
    # What stands in the arguments of an error's class is noted for it.
    ("throw new Error(\n  'a' + 1)", "Error: a1 @1:11"),
    ("const n = 2;\nthrow new RangeError(\n  'a'\n  + String(n)\n  + 'b')", "RangeError: a2b @2:11"),
    ("throw new Error('a', {\n  cause: new Error('b')})", "Error: a @1:11"),
    ("throw new Error(\n  [1, 2].map((x) => x + 1).join(\n', '))", "Error: 2, 3 @1:11"),
    ("const f = (x) => {\n  throw new Error('in ' +\n    x) }\nnew Error(f(1))", "Error: in 1 @2:13"),
    ("new Error(\n  JSON.parse('{'))",
     "SyntaxError: Expected property name or '}' in JSON at position 1 (line 1 column 2) @2:8"),
    ("const u = {};\nnew Error(\n  u.foo())", "TypeError: not a function (in or after line 2)"),
    ("const f = () => 1, u = {};\nu.foo(\n  f(),\n  f()\n);", "TypeError: not a function (in or after line 2)"),
    ("const f = () => 1;\nawait tools.a.b([\n  f(),\n]);",
     "TypeError: tools.a.b: the argument must be one object, such as {id: 1}; got an array @2:15"),
    ("const f = () => 9;\nreturn 'x'.repeat(\n  -f(),\n)", "RangeError: invalid repeat count @2:12"),
    ("const a = [3].map((x) =>\n  x.foo());", "TypeError: not a function @2:5"),
    ("const x = 1;\n\nx.foo()", "TypeError: not a function @3:3"),
    # `for await` says "not a function" where `for` says "value is not iterable".
    ("const a = 1;\nfor await (const x of 5) { }\nreturn a", f"TypeError: {NO_LOOP} @2:20"),
    ("const a = 1;\n\nfor await (const x of null) { }",
     "TypeError: cannot read property 'Symbol.asyncIterator' of null @3:20"),
    ("async function go() {\n  const z = await tools.a.b({});\n  for await (const x of z) { }\n}\nawait go()",
     f"TypeError: {NO_LOOP} @3:22"),
    ("for await (const x of tools.a.b({})) { }", f"TypeError: {NO_LOOP} @1:20"),
    ("async function* g() {\n  yield* 5\n}\nfor await (const x of g()) { }", f"TypeError: {NO_LOOP} @2:8"),
    ("const f = (x) => x;\nfor await (const x of f(5)) { }",
     f"TypeError: not a function, or {NO_LOOP} (in or after line 2)"),
    ("const o = {};\no.f();\nfor await (const x of [o]) { }",
     f"TypeError: not a function, or {NO_LOOP} (in or after line 2)"),
    ("for await (const x of [1]) { x.foo() }", "TypeError: not a function @1:32"),
    ("const f = (x) => x;\nfor (const y of f(5)) { }", "TypeError: value is not iterable @2:14"),
    ("const f = (x) => x;\nconst [a] = f(5)", "TypeError: value is not iterable @2:7"),
    ("const a = {n: 1};\nconst b = {\n  ...tools.a.b({}),\n};",
     "TypeError: tools.a.b(...) was not awaited, so it has nothing to spread: await it, as in "
     "{...(await tools.a.b(...)).data} @3:3"),
    # What only the engine refuses it refuses when it has read on, with columns that mean nothing.
    ("1;\ndelete a", "SyntaxError: cannot delete a direct reference in strict mode (in or before line 2)"),
    ("break", "SyntaxError: break must be inside loop or switch (line 1)"),
    ("function f(a, b, a) { return a }\nreturn f(1, 2)",
     "SyntaxError: two parameters of one function are called a @1:18"),
    ("const f = (x, x) => x", "SyntaxError: two parameters of one function are called x @1:15"),
    ("if (r { return 2 }", "SyntaxError: Expected `)` but found `{` @1:7"),
    # A keyword that must not stand where it does is complained of when its operand has been read.
    ("yield 1", f"{YIELD} @1:1"),
    ("const x: number = 1;\nreturn yield x", f"{YIELD} @2:8"),
    ("const f = () => {\n  const x = 1;\n  return await g(x);\n}", f"{AWAIT} @3:10"),
    ("function f() {\n  for await (const x of []) {} }", f"{AWAIT} @2:7"),
    ("1;\nnew.target", "SyntaxError: Unexpected new.target expression @2:1"),
    # What the transform writes more moves the rest of its line.
    ("namespace N {\n  export const a = null.x\n}", "TypeError: cannot read property 'x' of null @2:25"),
    ("enum E { A = missing }", "ReferenceError: missing is not defined @1:14"),
    ("enum E { A = 1, B = (5).foo() }", "TypeError: not a function @1:25"),
    ("enum E { A = 1 } const z = 5; z.foo()", "TypeError: not a function @1:33"),
    ("enum E { A = 1 } throw new Error('z')", "Error: z @1:28"),
    ("enum E { A = null.x }", "TypeError: cannot read property 'x' of null (in or after line 1)"),
    ("const i = 12345678901234567890; enum E { A = missing }", "ReferenceError: missing is not defined @1:46"),
    ("class P {\n  constructor(private a: string, b = null.x) {} }\nnew P('a')",
     "TypeError: cannot read property 'x' of null @2:43"),
    # Where fields are initialised the engine notes nothing.
    ("class A { x = null.y }\nnew A()", "TypeError: cannot read property 'y' of null @1:20"),
    ("class A {\n  x = 1;\n  y = this.z.q;\n}\nconst f = () => new A();\nf()",
     "TypeError: cannot read property 'q' of undefined @3:14"),
    ("class A {\n  static x: any = null.y }", "TypeError: cannot read property 'y' of null @2:24"),
    ("class A {\n  #x = missing;\n  y() { return missing }\n}\nnew A()",
     "ReferenceError: missing is not defined @2:8"),
    ("class A {\n  x = null.y;\n  z = null.y }\nnew A()",
     "TypeError: cannot read property 'y' of null (in or after line 2)"),
    ("const a = 1;\nconst {b} = await import('b')", f"TypeError: import() {IMPORT} @2:19"),
    ("import('a').then(\n() => import('b'))", f"TypeError: import() {IMPORT} (in or after line 1)"),
]  # fmt: skip


async def test_places_are_right_or_none() -> None:
    await check(PLACES)
