from __future__ import annotations

import pytest

from integrations.http import HttpResponse
from integrations.http.redirects import method_after, redirected


@pytest.mark.parametrize(
    ("status", "location", "target"),
    [
        (302, "/y?z=1#f", "https://a.example/y?z=1"), (301, "b", "https://a.example/d/b"), (307, "//c.example/", "https://c.example/"),
        (308, "/é x", "https://a.example/%C3%A9%20x"), (200, "/y", None), (304, "/y", None), (302, "", None),
    ],
)  # fmt: skip
def test_targets(status: int, location: str, target: str | None) -> None:
    headers = [("location", location)] if location else []
    assert redirected(HttpResponse(status, headers, b"", "https://a.example/d/x")) == target


@pytest.mark.parametrize(
    ("status", "method", "following"),
    [
        (303, "POST", "GET"),
        (303, "HEAD", "HEAD"),
        (302, "POST", "GET"),
        (302, "PUT", "PUT"),
        (308, "POST", "POST"),
    ],
)
def test_methods(status: int, method: str, following: str) -> None:
    assert method_after(status, method) == following
