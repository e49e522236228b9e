"""The real transform, in this process. Positions are what is proven."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from proxy.sandbox.transform import Oxc, answer, load


@pytest.fixture(scope="module")
def oxc() -> Iterator[Oxc]:
    fd = os.memfd_create("transform", os.MFD_ALLOW_SEALING)
    yield load(fd)
    with pytest.raises(OSError, match="Operation not permitted"):
        os.write(fd, b"x")
    os.close(fd)


@pytest.fixture(scope="module")
def javascript(oxc: Oxc) -> Callable[[str], str]:
    def run(code: str) -> str:
        result = answer(code, oxc)
        assert "code" in result, result
        return str(result["code"])

    return run


def test_types_go_and_everything_else_stays(javascript: Callable[[str], str]) -> None:
    code = "interface A { x: number }\n\nconst a: A = {x: 1} satisfies A;\n\nreturn a!.x as number"
    assert javascript(code).split("\n")[4] == "return a .x;"
    assert javascript(code).split("\n")[2].startswith("const a    = {")


@pytest.mark.parametrize(
    "code",
    [
        "async (a: string): Promise<number> => {\n  throw new Error(a as string)\n}",
        "type T = {\n  a: string\n}\n\nfunction f<T>(x: T): T {\n\n  throw new Error('x')\n}\nf<T>({a: 'b'})",
        "enum E { A = 1, B }\nabstract class C<T> {\n  constructor(private readonly a: T) {}\n  abstract m(): void\n}\n\nthrow new Error('x')",  # noqa: E501
        "namespace N.M {\n  export const x: number = 1\n}\n\nthrow new Error(`${N.M.x}`)",
        "const s = `a\n${1 as number}\nb`;\n\nthrow new Error(s)",
        "```ts\nconst a: number = 1\n\nthrow new Error('x')\n```",
        "export default async function main(x?: number) {\n\n\n  throw new Error('x')\n}",
    ],
)
def test_lines_are_kept(javascript: Callable[[str], str], code: str) -> None:
    def line_of(text: str) -> int:
        return next(number for number, line in enumerate(text.split("\n")) if "throw new Error" in line)

    assert line_of(javascript(code)) == line_of(code)


@pytest.mark.parametrize(
    ("code", "line", "column"),
    [
        ("const a: string = ;\nreturn 1", 1, 19),
        ("const a: number = 1;\nreturn a +;\n", 2, 11),
        ("const a: number = 1\n}\n", 2, 1),
        ("```ts\n\nlet x: = 2\n```", 3, 8),
        ("if (x) {\n foo<number>(1)\n", 2, 16),
        ("(a: number) => {\n  let b = 3 3\n}", 2, 13),
    ],
)
def test_syntax_errors_name_the_place(oxc: Oxc, code: str, line: int, column: int) -> None:
    error = answer(code, oxc)["error"]
    assert (error["line"], error["column"]) == (line, column), error
    assert "source parse error" not in error["message"]
    assert error["message"]


def test_a_large_program_keeps_its_lines(javascript: Callable[[str], str]) -> None:
    code = "\n".join(
        f"interface I{i} {{ a: string; b?: number }}\nconst v{i}: I{i} = {{ a: 'x{i}', b: {i} }};"
        for i in range(500)
    )
    lines: list[Any] = javascript(code).split("\n")
    assert all(f"const v{i} " in lines[2 * i + 1] for i in range(500))
