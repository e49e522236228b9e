from __future__ import annotations

import pytest

from proxy.executions.code import LONGEST_SHOWN, CodeLine, asking_line, asking_lines, listing

ADDRESS = "shop.org.main.things.create"


@pytest.mark.parametrize(
    ("code", "line"),
    [
        ("const a = 1;\nawait tools.shop.org.main.things.create({});", 2),
        ("await tools.shop.things.create({})", 1),
        ("const s = tools.shop;\n\nawait s.things\n  .create(\n{})", 4),
        ("await tools.shop.things.create({});\nawait tools.shop.things.create({})", None),
        ("await tools.shop.things.createAll({})", None),
        ("await tools['shop']['things']['create']({})", None),
        ("", None),
    ],
)
def test_the_line_that_asks_is_said_only_where_it_is_known(code: str, line: int | None) -> None:
    assert asking_line(code, ADDRESS) == line
    assert asking_lines(code, {"int_1": ADDRESS}) == ({"int_1": line} if line else {})


def test_names_are_no_patterns() -> None:
    assert asking_line("tools.a.b.c.x_y(1)", "a.b.c.x.y") is None
    assert asking_line("tools.a.b.c.$x(1)", "a.b.c.$x") == 1


def test_lines_are_numbered_as_the_code_has_them() -> None:
    shown = listing("a\r\n\tb\u2028c\n", frozenset({2}))
    assert shown.lines == (CodeLine(1, "a"), CodeLine(2, "    b\u2028c", True))
    assert listing("a\n\n").lines == (CodeLine(1, "a"), CodeLine(2, ""))
    assert listing("").lines == ()


def test_what_is_too_long_to_read_is_counted() -> None:
    shown = listing("x" * (LONGEST_SHOWN + 7))
    assert (len(shown.lines), shown.left_out) == (1, 7)
