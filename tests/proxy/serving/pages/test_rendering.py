"""Escaping, and what is invisible."""

from __future__ import annotations

import pytest
from jinja2 import UndefinedError

from proxy.serving.pages.guard import Problem
from proxy.serving.pages.rendering import address, inert, page


async def test_values_are_escaped() -> None:
    answer = page(400, "problem.html", problem=Problem(400, "<b>", "a\u202e<i>"))
    html = await answer.get_data(as_text=True)
    assert "<b>" not in html
    assert "a\\u{202E}&lt;i&gt;" in html


def test_lines_stay_and_hidden_characters_show() -> None:
    assert inert("a\n\tb\x1b") == "a\n\\u{9}b\\u{1B}"


def test_addresses_break_after_dots_and_are_escaped() -> None:
    assert address("a.<b>.c") == "a.<wbr>&lt;b&gt;.<wbr>c"


def test_a_forgotten_value_is_an_error() -> None:
    with pytest.raises(UndefinedError):
        page(200, "problem.html")
