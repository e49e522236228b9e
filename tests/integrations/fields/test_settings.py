from typing import Annotated, Literal

import pytest
from pydantic import TypeAdapter, ValidationError

from integrations.fields import EnvName, Url, setting
from integrations.fields.settings import UNKNOWN

URL: TypeAdapter[str] = TypeAdapter(Url)


def read(value: object, environment: dict[str, str] | None) -> str:
    return URL.validate_python(value, context={"environment": environment})


def code(value: object, environment: dict[str, str] | None = None) -> str:
    with pytest.raises(ValidationError) as caught:
        read(value, environment)
    found: str = caught.value.errors()[0].get("ctx", {})["code"]
    return found


REF = {"env": "A"}
WITH_DEFAULT = {"env": "A", "default": "https://d.example.com"}


def test_variable_then_default() -> None:
    assert read(WITH_DEFAULT, {"A": "https://a.example.com"}) == "https://a.example.com"
    assert read(WITH_DEFAULT, {}) == "https://d.example.com"
    assert read(WITH_DEFAULT, {"A": ""}) == "https://d.example.com"
    assert read("https://x.example.com", {}) == "https://x.example.com"


def test_an_unknown_environment_is_not_judged() -> None:
    assert read(WITH_DEFAULT, None) == "https://d.example.com"
    assert read(REF, None) == "https://unset.invalid"
    assert read(REF, {"A": UNKNOWN}) == "https://unset.invalid"


def test_what_is_not_there_is_an_error() -> None:
    assert code(REF, {}) == "E402"
    assert code(REF, {"A": ""}) == "E403"


@pytest.mark.parametrize(
    "value", [{}, {"env": 5}, {"env": "A B"}, {"env": "A", "x": 1}, {"env": "A", "default": None}]
)
def test_malformed_references(value: object) -> None:
    assert code(value) == "E206"


def test_values_of_the_environment_are_not_repeated() -> None:
    with pytest.raises(ValidationError) as caught:
        read(REF, {"A": "https://bob:hunter2@example.com"})
    assert "hunter2" not in str(caught.value.errors(include_input=False))


@pytest.mark.parametrize(
    ("value", "help"),
    [
        ("$A", "did you mean `A`?"),
        ("${A_B}", "did you mean `A_B`?"),
        ("MY-TOKEN", "did you mean `MY_TOKEN`?"),
        ("1", "letters"),
    ],
)
def test_names_of_variables(value: str, help: str) -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(EnvName).validate_python(value)
    assert caught.value.errors()[0].get("ctx", {})["help"].startswith(help)


def test_words_may_be_settings_too() -> None:
    adapter: TypeAdapter[str] = TypeAdapter(Annotated[Literal["info", "debug"], setting("info")])
    assert adapter.validate_python({"env": "L", "default": "debug"}) == "debug"
    assert adapter.validate_python({"env": "L"}) == "info"
    assert {"enum": ["info", "debug"], "type": "string"} in adapter.json_schema()["anyOf"]
