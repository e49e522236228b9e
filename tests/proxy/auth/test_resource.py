"""The forms of the metadata, the challenge, and what counts as an audience."""

from __future__ import annotations

import pytest

from proxy.auth.resource import METADATA_PATH, ProtectedResource

HOST = "https://executor.example.com"
PLAIN = ProtectedResource(HOST, ("https://login.example.com",))
SCOPED = ProtectedResource(HOST, ("https://login.example.com",), ("executor", "openid"))


@pytest.mark.parametrize(
    ("path", "query", "resource"),
    [
        ("", {}, ""),
        ("/", {}, ""),
        ("/mcp", {}, "/mcp"),
        ("/mcp/", {}, "/mcp"),
        ("/v1/mcp", {}, "/v1/mcp"),
        ("/red/mcp", {}, "/red/mcp"),
        ("/mcp", {"workspaceId": "red"}, "/mcp?workspaceId=red"),
        ("/v1/mcp", {"workspaceId": "red"}, "/v1/mcp?workspaceId=red"),
        ("", {"workspaceId": "red"}, "?workspaceId=red"),
        ("/mcp", {"other": "1"}, "/mcp"),
        ("", {"resource": HOST}, ""),
        ("", {"resource": f"{HOST}/"}, ""),
        ("", {"resource": f"{HOST}/mcp"}, "/mcp"),
        ("", {"resource": f"{HOST}/v1/mcp?workspaceId=red"}, "/v1/mcp?workspaceId=red"),
        ("", {"resource": f"{HOST}/red/mcp"}, "/red/mcp"),
    ],
)
def test_every_form_names_the_resource_as_it_was_asked_for(
    path: str, query: dict[str, str], resource: str
) -> None:
    assert PLAIN.document(path, query) == {
        "resource": HOST + resource,
        "authorization_servers": ["https://login.example.com"],
        "bearer_methods_supported": ["header"],
    }


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/mcp/anonymous", {}),
        ("/api", {}),
        ("/a/b/mcp", {}),
        ("/mcp", {"workspaceId": 'red"'}),
        ("/mcp", {"workspaceId": "red&x=1"}),
        ("/mcp", {"workspaceId": "r" * 200}),
        ("", {"resource": "https://evil.example.com/mcp"}),
        ("", {"resource": f"{HOST}.evil.example.com/mcp"}),
        ("", {"resource": f"{HOST}@evil.example.com/mcp"}),
        ("", {"resource": f"{HOST}/mcp?workspaceId=red&more=1"}),
        ("", {"resource": f"{HOST}/mcp#part"}),
        ("", {"resource": f"{HOST}/api"}),
        ("", {"resource": ""}),
        ("/mcp", {"resource": f"{HOST}/mcp"}),
    ],
)
def test_what_is_no_resource_of_ours_has_no_metadata(path: str, query: dict[str, str]) -> None:
    assert PLAIN.document(path, query) is None


def test_scopes_are_published_where_there_are_any() -> None:
    assert (SCOPED.document("", {}) or {})["scopes_supported"] == ["executor", "openid"]


@pytest.mark.parametrize(
    ("path", "workspace", "at"),
    [
        ("/mcp", None, "/mcp"),
        ("/mcp", "red", "/mcp?workspaceId=red"),
        ("/red/mcp", None, "/red/mcp"),
        ("", None, ""),
        ("/mcp", 'red"\r\nx: y', "/mcp"),
        ("/else", None, ""),
    ],
)
def test_the_challenge_names_the_form_that_fits_the_request(
    path: str, workspace: str | None, at: str
) -> None:
    named = f'Bearer resource_metadata="{HOST}{METADATA_PATH}{at}"'
    assert PLAIN.challenge(path, workspace) == named
    assert SCOPED.challenge(path, workspace) == f'{named}, scope="executor openid"'
    assert PLAIN.challenge(path, workspace, "invalid_token", 'a "b"') == (
        f'{named}, error="invalid_token", error_description="a b"'
    )


def test_audiences_are_the_server_and_this_path_in_this_workspace() -> None:
    assert PLAIN.audiences("/mcp", "red") == {
        HOST,
        f"{HOST}/",
        f"{HOST}/mcp",
        f"{HOST}/mcp?workspaceId=red",
    }
    everywhere = PLAIN.audiences("", "red")
    assert {f"{HOST}/mcp", f"{HOST}/v1/mcp?workspaceId=red", f"{HOST}/red/mcp"} <= everywhere
    assert not [one for one in everywhere if "blue" in one]


def test_a_server_below_a_path() -> None:
    below = ProtectedResource(f"{HOST}/tools/executor", ("https://login.example.com",))
    assert (below.document("/mcp", {}) or {})["resource"] == f"{HOST}/tools/executor/mcp"
    assert below.metadata_url("/mcp") == f"{HOST}/tools/executor{METADATA_PATH}/mcp"


@pytest.mark.parametrize(
    ("asked", "resource"),
    [("", ""), ("/mcp", "/mcp"), ("/team/mcp", "/mcp"), ("/team", ""), ("/team/red/mcp", "/red/mcp")],
)
def test_below_a_path_both_forms_of_the_metadata_name_the_whole_resource(asked: str, resource: str) -> None:
    """RFC 9728 puts the well-known part between host and path; a proxy that sends us only what is below the path has it
    behind the path."""
    below = ProtectedResource(f"{HOST}/team", ("https://login.example.com",))
    found = below.document(asked, {})
    assert found is not None
    assert found["resource"] == f"{HOST}/team{resource}"
    assert below.challenge("/mcp", None) == f'Bearer resource_metadata="{HOST}/team{METADATA_PATH}/mcp"'
    assert f"{HOST}/team/mcp" in below.audiences("/mcp", "red")
    assert f"{HOST}/mcp" not in below.audiences("/mcp", "red")
