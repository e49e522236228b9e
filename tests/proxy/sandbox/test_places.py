"""Places of errors: right, or none and the line to look from."""

from __future__ import annotations

from tests.proxy.sandbox.tables import Table, check

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
    ("const f = () => 1, u = {};\nu.foo(\n  f(),\n  f()\n);", "TypeError: not a function (in or after line 2)"),
    ("const f = () => 1;\nawait tools.a.b([\n  f(),\n]);",
     "TypeError: tools.a.b: the argument must be one object, such as {id: 1}; got an array @2:15"),
    ("const f = () => 9;\nreturn 'x'.repeat(\n  -f(),\n)", "RangeError: invalid repeat count @2:12"),
    ("const a = [3].map((x) =>\n  x.foo());", "TypeError: not a function @2:5"),
    ("const x = 1;\n\nx.foo()", "TypeError: not a function @3:3"),
]  # fmt: skip


async def test_places_are_right_or_none() -> None:
    await check(PLACES)
