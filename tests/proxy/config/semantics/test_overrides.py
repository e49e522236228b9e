import pytest

from tests.proxy.config.texts import API, codes, only

AT = "\n    overrides:\n      - {op: %s, path: %s, from: /info, value: {}}"


def patched(op: str, path: str) -> str:
    return API.replace("openapi.json}", f"openapi.json}}{AT % (op, path)}")


@pytest.mark.parametrize(
    ("path", "help"),
    [
        ("/path", "did you mean `paths`?"),
        ("/paths/~1pets/gett", "did you mean `get`?"),
        ("/paths/~1pets/get/paramters", "did you mean `parameters`?"),
        ("/paths/~1pets/get/zzz", None),
    ],
)
@pytest.mark.parametrize("op", ["add", "copy", "move"])
def test_what_nobody_reads(op: str, path: str, help: str | None) -> None:
    found = only(patched(op, path))
    assert (found.code, found.line, found.help) == ("W609", 7, help)
    assert found.path == "integrations.api.overrides[0].path"


@pytest.mark.parametrize(
    "path",
    [
        "/paths/~1new",
        "/paths/~1pets/delete",
        "/paths/~1pets/get/x-executor-toolPath",
        "/components/headers/x-note",
        "/components/schemas/Any",
        "/b",
    ],
)
def test_what_somebody_reads(path: str) -> None:
    assert codes(patched("add", path)) == []


def test_what_is_replaced_must_be_there_anyway() -> None:
    assert codes(patched("replace", "/paths/~1pets/gett")) == []
