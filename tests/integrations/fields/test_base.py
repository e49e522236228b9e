import pytest
from pydantic import ValidationError

from integrations.fields import Maybe, Model, NonEmptyTuple, Tuple, problem


class Thing(Model):
    name: Maybe[str] = None
    tags: Tuple[str] = ()
    some: NonEmptyTuple[int] = (1,)


def errors(**data: object) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        Thing.model_validate(data)
    return [error["type"] for error in caught.value.errors()]


def test_lists_become_tuples() -> None:
    assert Thing.model_validate({"tags": ["a", "b"]}).tags == ("a", "b")
    assert errors(tags="ab") == ["tuple_type"]
    assert errors(tags=[1]) == ["string_type"]
    assert errors(some=[]) == ["too_short"]


def test_not_given_is_not_null() -> None:
    assert Thing().name is None
    assert errors(name=None) == ["config"]


def test_unknown_keys_and_coercion_are_refused() -> None:
    assert errors(other=1) == ["extra_forbidden"]
    assert errors(some=["1", 2]) == ["int_type"]


def test_null_is_not_in_the_schema() -> None:
    assert Thing.model_json_schema()["properties"]["name"]["type"] == "string"


def test_a_problem_carries_code_words_and_remedy() -> None:
    error = problem("E206", "wrong {brace}", "do this", at="key")
    assert error.message() == "wrong {brace}"
    assert error.context == {"message": "wrong {brace}", "code": "E206", "help": "do this", "at": "key"}


def test_inputs_are_not_repeated_in_errors() -> None:
    with pytest.raises(ValidationError) as caught:
        Thing.model_validate({"name": 5, "tags": "hunter2"})
    assert "hunter2" not in str(caught.value)
