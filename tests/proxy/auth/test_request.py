import pytest

from proxy.auth import AuthError, AuthRequest
from proxy.auth.request import credential, named_workspace, wanted_workspace
from tests.proxy.auth.samples import bearer, request


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ((), None),
        ((bearer("k1"),), "k1"),
        ((("AUTHORIZATION", "bEaReR   k1 "),), "k1"),
        ((("X-Api-Key", " k1 "),), "k1"),
        ((bearer("k1"), ("x-api-key", "k1")), "k1"),
        ((("cookie", "token=k1"),), None),
    ],
)
def test_where_credentials_are_found(headers: tuple[tuple[str, str], ...], found: str | None) -> None:
    assert credential(request(*headers)) == found


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ((("authorization", "k1"),), 401),
        ((("authorization", "Bearer"),), 401),
        ((("authorization", "Bearer "),), 401),
        ((("authorization", ""),), 401),
        ((("authorization", "Basic dTpw"),), 401),
        ((bearer("k1"), bearer("k2")), 400),
        ((bearer("k1"), ("x-api-key", "k2")), 400),
        ((("x-api-key", "k1"), ("x-api-key", "k2")), 400),
    ],
)
def test_credentials_that_cannot_be_taken(headers: tuple[tuple[str, str], ...], status: int) -> None:
    with pytest.raises(AuthError) as caught:
        credential(request(*headers))
    assert caught.value.status == status
    assert "k1" not in caught.value.message


@pytest.mark.parametrize(
    "name", ["api_key", "apiKey", "X-API-Key", "key", "token", "access_token", "Authorization"]
)
def test_credentials_in_the_url_are_refused_also_beside_a_good_header(name: str) -> None:
    with pytest.raises(AuthError) as caught:
        credential(AuthRequest([bearer("k1")], {name: ["k1"]}))
    assert (caught.value.status, caught.value.code) == (400, -32000)
    assert f"`{name}`" in caught.value.message
    assert "x-api-key" in caught.value.message
    assert "k1" not in caught.value.message


def test_other_parameters_are_not_ours() -> None:
    assert credential(request(elicitation_mode=["browser"], workspaceId=["ws"])) is None


def test_the_workspace_is_in_path_or_query() -> None:
    assert wanted_workspace(request()) is None
    assert wanted_workspace(request(workspaceId=["ws"])) == "ws"
    assert wanted_workspace(request(workspaceId=["ws", "ws"], path="ws")) == "ws"
    assert wanted_workspace(request(path="ws")) == "ws"
    assert wanted_workspace(request(workspaceId=[""])) is None


def test_the_workspace_that_somebody_asked_for_in_vain() -> None:
    assert named_workspace(request()) is None
    assert named_workspace(request(workspaceId=["a", "b"])) == "a"
    assert named_workspace(request(workspaceId=["a"], path="b")) == "b"
    assert named_workspace(request(workspaceId=["x" * 4000])) == "x" * 128


@pytest.mark.parametrize(("query", "path"), [(["a", "b"], None), (["a"], "b")])
def test_two_workspaces_are_one_too_many(query: list[str], path: str | None) -> None:
    with pytest.raises(AuthError, match="different workspaces"):
        wanted_workspace(request(path=path, workspaceId=query))


@pytest.mark.parametrize("query", [{}, {"workspaceId": [""]}, {"workspaceid": ["ws"]}])
def test_the_anonymous_path_needs_the_parameter(query: dict[str, list[str]]) -> None:
    with pytest.raises(AuthError) as caught:
        wanted_workspace(AuthRequest([], query, anonymous_path=True))
    assert (caught.value.status, caught.value.code) == (400, -32000)
    assert "`workspaceId`" in caught.value.message
    assert "/mcp/anonymous" in caught.value.message
