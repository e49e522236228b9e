"""Escaping, what is invisible, and the files of the pages."""

from __future__ import annotations

import re

import pytest
from jinja2 import UndefinedError

from proxy.serving.http.asgi import HttpRequest
from proxy.serving.pages.guard import PageProblem
from proxy.serving.pages.rendering import address, asset_url, inert, page
from tests.proxy.serving.pages.support import site

REQUEST = HttpRequest("GET", "/", {}, frozenset(), {}, "127.0.0.1", "r")


async def test_values_are_escaped() -> None:
    answer = page(REQUEST, 400, "problem.html", problem=PageProblem(400, "<b>", "a\u202e<i>"))
    html = await answer.get_data(as_text=True)
    assert "<b>" not in html
    assert "a\\u{202E}&lt;i&gt;" in html


def test_lines_stay_and_hidden_characters_show() -> None:
    assert inert("a\n\tb\x1b") == "a\n\\u{9}b\\u{1B}"


def test_addresses_break_after_dots_and_are_escaped() -> None:
    assert address("a.<b>.c") == "a.<wbr>&lt;b&gt;.<wbr>c"


def test_a_forgotten_value_is_an_error() -> None:
    with pytest.raises(UndefinedError):
        page(REQUEST, 200, "problem.html")


@pytest.mark.parametrize(
    ("name", "kind"),
    [("page.css", "text/css"), ("page.js", "text/javascript"), ("icon.svg", "image/svg+xml")],
)
async def test_they_are_served_to_everybody_for_long(name: str, kind: str) -> None:
    async with site().browser() as browser:
        answer = await browser.get(asset_url(name))
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith(kind)
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("name", ["nothing.css", "..%2Fviews.py", "%2e%2e/views.py", "views.py"])
async def test_nothing_else_is(name: str) -> None:
    async with site().browser() as browser:
        assert (await browser.get(f"/pages/{name}")).status_code == 404


async def test_no_file_names_another_server() -> None:
    async with site().browser() as browser:
        for name in ("page.css", "page.js", "icon.svg"):
            text = (await browser.get(asset_url(name))).text.replace("http://www.w3.org/2000/svg", "")
            assert not re.search(r"https?:|//[a-z]|@import|url\(", text.replace("// ", ""))
