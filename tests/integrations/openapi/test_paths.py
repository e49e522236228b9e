from __future__ import annotations

import pytest

from integrations.openapi.paths import PathTable

TABLE = PathTable(
    [
        ("/users/{id}", "get", "users.get"),
        ("/users/{id}", "delete", "users.delete"),
        ("/users/me", "get", "users.me"),
        ("/files/{+path}", "get", "files.get"),
        ("/reports/{id}.{kind}", "get", "reports.get"),
        ("/a b", "post", "ab"),
        ("/search?kind=all", "get", "search"),
    ]
)


@pytest.mark.parametrize(
    ("path", "template"),
    [
        ("/v1/users/5", "/users/{id}"),
        ("/users/5", "/users/{id}"),
        ("/v1/users/ME", "/users/me"),
        ("/v1/%75sers/5/", "/users/{id}"),
        ("/V1//users/./5", "/users/{id}"),
        ("/v1/x/../users/5", "/users/{id}"),
        ("/v1/files/a/b/c", "/files/{+path}"),
        ("/v1/reports/7.pdf", "/reports/{id}.{kind}"),
        ("/v1/a%20B", "/a b"),
        ("/v1/search", "/search?kind=all"),
        ("/v1/users", None),
        ("/v2/users/5", None),
        ("/v1/users/5/x", None),
        ("/", None),
    ],
)
def test_paths_are_compared_as_servers_read_them(path: str, template: str | None) -> None:
    assert TABLE.find(path, ["/v1", ""]) == template


def test_methods_have_names() -> None:
    assert TABLE.methods("/users/{id}") == {"GET": "users.get", "DELETE": "users.delete"}
