"""The files of the pages."""

from __future__ import annotations

import re

import pytest

from proxy.serving.pages.rendering import asset_url
from tests.proxy.serving.pages.support import site


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
