from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from proxy.sandbox.relayout import align, place, relayout
from proxy.sandbox.tokens import Tokens


def moved(source: str, output: str) -> str:
    return relayout(source, Tokens(source).items, output, Tokens(output).items)


def test_tokens_stand_where_they_stood() -> None:
    source = "interface A {\n  x: number\n}\n\nconst a: A =\n  f(1) as any;\n  return a!.x"
    assert moved(source, "const a = f(1);\nreturn a.x;").split("\n") == ["", "", "", "", "const a    =",
                                                                     "  f(1)       ;", "  return a .x;"]  # fmt: skip


def test_what_is_new_follows_what_is_old() -> None:
    out = moved(
        "enum E { A }\n\nreturn E.A", "let E = function(E) {\n  E[E.A = 0] = 'A';\n}({});\nreturn E.A;"
    )
    assert out.split("\n")[2] == "return E.A;"


def test_line_ends_are_never_put_where_they_mean_something() -> None:
    assert moved("return <\n T>\n x", "return x;") == "return x;"
    assert "\n" not in moved("x\n!\n++", "x ++;").strip()
    assert moved("throw <\nT>x", "throw x;").count("\n") == 0


WORDS = st.lists(st.sampled_from(["a", "b", "c", "=", "1", "(", ")", "{", "}", ";", "'s'", "+"]), max_size=40)


@given(ours=WORDS, theirs=WORDS, cut=st.integers(0, 3))
def test_tokens_never_change(ours: list[str], theirs: list[str], cut: int) -> None:
    source = ("\n" if cut % 2 else " ").join(ours)
    output = " ".join(theirs)
    expected = [text for _, text, _ in Tokens(output).items]
    assert [text for _, text, _ in Tokens(moved(source, output)).items] == expected


@given(ours=WORDS, theirs=WORDS)
def test_alignment_rises_and_is_true(ours: list[str], theirs: list[str]) -> None:
    last = -1
    for index, target in enumerate(align(ours, theirs)):
        if target is not None:
            assert target > last
            assert ours[target] == theirs[index]
            last = target


def test_places_count_from_one() -> None:
    assert place("ab\ncd", 4) == (2, 2)
    assert place("", 0) == (1, 1)
