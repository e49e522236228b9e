from __future__ import annotations

from typing import Any

import pytest

from integrations.base import SourceError
from integrations.openapi.patch import apply_patch

GOOD: list[tuple[dict[str, Any], list[dict[str, Any]], dict[str, Any]]] = [
    ({"a": 1}, [{"op": "add", "path": "/b", "value": 2}], {"a": 1, "b": 2}),
    ({"a": [1, 3]}, [{"op": "add", "path": "/a/1", "value": 2}], {"a": [1, 2, 3]}),
    ({"a": [1]}, [{"op": "add", "path": "/a/-", "value": 2}], {"a": [1, 2]}),
    ({"a": 1, "b": 2}, [{"op": "remove", "path": "/a"}], {"b": 2}),
    ({"a": [1, 2]}, [{"op": "remove", "path": "/a/0"}], {"a": [2]}),
    ({"a": [1]}, [{"op": "replace", "path": "/a/0", "value": 9}], {"a": [9]}),
    ({"a/b": 1}, [{"op": "replace", "path": "/a~1b", "value": 2}], {"a/b": 2}),
    ({"a": {"x": 1}}, [{"op": "move", "from": "/a/x", "path": "/y"}], {"a": {}, "y": 1}),
    ({"a": {"x": 1}}, [{"op": "copy", "from": "/a", "path": "/b"}], {"a": {"x": 1}, "b": {"x": 1}}),
    ({"a": [1.0]}, [{"op": "test", "path": "/a", "value": [1]}], {"a": [1.0]}),
    ({"a": 1}, [{"op": "replace", "path": "", "value": {"z": 1}}], {"z": 1}),
]


@pytest.mark.parametrize(("document", "patch", "result"), GOOD)
def test_operations(document: dict[str, Any], patch: list[dict[str, Any]], result: dict[str, Any]) -> None:
    assert apply_patch(document, patch) == result


BAD: list[dict[str, Any]] = [
    {"op": "remove", "path": "/nope"}, {"op": "replace", "path": "/nope", "value": 1}, {"op": "add", "path": "/a"},
    {"op": "test", "path": "/a", "value": True}, {"op": "add", "path": "a", "value": 1}, {"op": "nope", "path": "/a"},
    {"op": "add", "path": "/l/01", "value": 1}, {"op": "add", "path": "/l/9", "value": 1}, {"path": "/a"},
    {"op": "move", "from": "/a", "path": "/a/b"}, {"op": "add", "path": "/a/b", "value": 1},
    {"op": "replace", "path": "", "value": 1}, {"op": "test", "path": "/l", "value": {"a": 1}},
]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/paths/~1pet/get", "there is no '/pet' (did you mean `/pets`?)"),
        ("/path/~1pets", "there is no 'path' (did you mean `paths`?)"),
        ("/paths/~1pets/delete", "there is no 'delete'"),
        ("/paths/~1pets/get/tags/7", "there is no '7'"),
    ],
)
def test_what_was_probably_meant(path: str, said: str) -> None:
    document = {"paths": {"/pets": {"get": {"tags": ["a"]}}}}
    with pytest.raises(SourceError) as caught:
        apply_patch(document, [{"op": "remove", "path": path}])
    assert str(caught.value).endswith(said)


@pytest.mark.parametrize("operation", BAD)
def test_errors_name_the_operation(operation: dict[str, Any]) -> None:
    with pytest.raises(SourceError, match="overrides"):
        apply_patch({"a": 1, "l": [1]}, [{"op": "test", "path": "/a", "value": 1}, operation])
