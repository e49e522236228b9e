import pytest

from proxy.catalog.actions import actions_of, generation_of
from tests.proxy.catalog.samples import tool


@pytest.mark.parametrize(
    ("method", "path", "actions"),
    [
        ("GET", "/hooks", ["+list"]),
        ("GET", "/hooks/{id}", ["+get"]),
        ("POST", "/hooks", ["+create"]),
        ("POST", "/hooks/{id}", ["+update"]),
        ("POST", "/hooks/{id}/pings", ["+create", "+act"]),
        ("PUT", "/repos/{r}/star", ["+update", "+act"]),
        ("PATCH", "/hooks/{id}", ["+update"]),
        ("DELETE", "/hooks/{id}", ["+delete"]),
        ("OPTIONS", "/hooks", []),
    ],
)
def test_method_and_path_say_what_is_done(method: str, path: str, actions: list[str]) -> None:
    assert list(actions_of(tool("x", method=method, path=path))) == actions


def test_other_kinds_say_it_by_their_risk() -> None:
    assert list(actions_of(tool("query.x"))) == ["+get", "+list"]
    assert list(actions_of(tool("mutation.x", risk="write"))) == []
    assert list(actions_of(tool("remove", risk="destructive"))) == ["+delete"]


def test_stable_versions_are_newer_than_betas_of_any_number() -> None:
    def version(path: str) -> tuple[int, int, int]:
        found = generation_of(tool("x", method="GET", path=path))
        assert found is not None
        assert found[0] == "GET /a/*/b"
        return found[1]

    assert version("/a/v1/b") > version("/a/v2beta1/b") > version("/a/v1beta2/b") > version("/a/v9alpha1/b")
    assert version("/a/v2/b") > version("/a/v1/b")
    assert generation_of(tool("x", method="GET", path="/a/video/b")) is None
