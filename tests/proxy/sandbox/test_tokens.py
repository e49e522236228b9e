from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.sandbox.tokens import Tokens


def texts(code: str) -> list[str]:
    return [text for _, text, _ in Tokens(code).items]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("a/b/c", ["a", "/", "b", "/", "c"]),
        ("return /a'b/g.test(x)", ["return", "/a'b/g", ".", "test", "(", "x", ")"]),
        ("if (a) /re/.test(b)", ["if", "(", "a", ")", "/re/", ".", "test", "(", "b", ")"]),
        ("(a) / b / c", ["(", "a", ")", "/", "b", "/", "c"]),
        ("x = /[/]\\//", ["x", "=", "/[/]\\//"]),
        ("`a${b + `c${d}`}e`", ["`a${", "b", "+", "`c${", "d", "}`", "}e`"]),
        ("`${{a: 1}}`", ["`${", "{", "a", ":", "1", "}", "}`"]),
        ("'it\\'s' \"x\"", ["'it\\'s'", '"x"']),
        ("a // b\n/* c */ d", ["a", "d"]),
        ("a?.b ?? c?.5:1", ["a", "?.", "b", "??", "c", "?", ".5", ":", "1"]),
        ("x >>>= 1_000n; #p; \\u0061b", ["x", ">>>=", "1_000n", ";", "#p", ";", "\\u0061b"]),
        ("a.return / b / c", ["a", ".", "return", "/", "b", "/", "c"]),
        ("x /= 2", ["x", "/=", "2"]),
        ("'unterminated\nnext", ["'unterminated", "next"]),
    ],
)
def test_tokens(code: str, expected: list[str]) -> None:
    assert texts(code) == expected


def test_brackets_match() -> None:
    assert Tokens("f(a, [b]) }").match == {1: 7, 7: 1, 4: 6, 6: 4}


@given(code=st.text(alphabet="ab/*'\"`${}()[]\\\n <>=!+-.;:?#@\u2028é1", max_size=80))
def test_any_text_is_read_to_its_end_in_order(code: str) -> None:
    items = Tokens(code).items
    end = 0
    for _, text, start in items:
        assert start >= end
        assert code.startswith(text, start)
        assert text
        end = start + len(text)


@pytest.mark.parametrize("piece", ["/", "`${", "(", "'", "a<", "/*", "\\u", "[/", "}/", "1."])
def test_hostile_texts_are_read_in_time(piece: str) -> None:
    # Quadratic reading would take minutes here and run into the test's own time limit.
    assert Tokens(piece * 100_000).items is not None
