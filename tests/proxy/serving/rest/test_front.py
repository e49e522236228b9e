"""What `GET /` says to whom."""

from __future__ import annotations

import pytest
from quart import Quart

from proxy.serving.rest.front import add_front, front_text

BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def app(page: str | None) -> Quart:
    made = Quart("test")
    add_front(made, lambda: "https://tools.example/x/", lambda: page)
    return made


@pytest.mark.parametrize(
    ("page", "headers", "status"),
    [("/approvals", BROWSER, 303), (None, BROWSER, 200), ("/approvals", {}, 200)],
)
async def test_only_browsers_are_led_to_a_page(
    page: str | None, headers: dict[str, str], status: int
) -> None:
    answer = await app(page).test_client().get("/", headers=headers)
    assert answer.status_code == status
    assert answer.headers.get("location") == (page if status == 303 else None)


def test_the_text_names_whole_addresses() -> None:
    text = front_text("https://tools.example/x/", "/approvals")
    for path in ("/mcp", "/approvals", "/api/openapi.json", "/healthz"):
        assert f"https://tools.example/x{path}" in text


def test_without_pages_none_is_named() -> None:
    assert "approvals" not in front_text("", None)
