"""What every field type is made of: the model base, the error, lists and optional values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    Strict,
    StringConstraints,
    WithJsonSchema,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

T = TypeVar("T")
JsonSchema = dict[str, Any]


class Model(BaseModel):
    """Base of every config model: frozen, no unknown keys, no coercion (`"5"` is not 5)."""

    model_config = ConfigDict(
        frozen=True,
        strict=True,
        extra="forbid",
        defer_build=True,
        populate_by_name=False,
        hide_input_in_errors=True,
    )


def problem(code: str, message: str, help: str | None = None, at: str | None = None) -> PydanticCustomError:
    """An error that already knows its diagnostic code, its words and its remedy.

    `at` is the key it is about, for a validator of a whole mapping. (Tags of unions start with `=`, which no
    key does, so that they cannot be taken for keys.)
    """
    return PydanticCustomError(
        "config", "{message}", {"message": message, "code": code, "help": help, "at": at}
    )


class _Given:
    """Marks `X | None` where None means "not given" and an explicit null in the file is E210."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(_refuse_null, handler(source))

    def __get_pydantic_json_schema__(self, schema: Any, handler: GetJsonSchemaHandler) -> JsonSchema:
        shown = dict(handler(schema))
        kept = [one for one in shown.pop("anyOf", []) if one != {"type": "null"}]
        return {**kept[0], **shown} if len(kept) == 1 else {"anyOf": kept, **shown}


def _refuse_null(value: object) -> object:
    if value is None:
        raise problem("E210", "no value", "give it a value or remove the key")
    return value


Maybe = Annotated[T | None, _Given()]

# A list in the file, a tuple in the model. Only the outer type is lenient (strict tuples refuse lists).
Tuple = Annotated[tuple[T, ...], Strict(False)]
NonEmptyTuple = Annotated[tuple[T, ...], Strict(False), Field(min_length=1)]
Text = Annotated[str, StringConstraints(min_length=1)]


def string_schema(pattern: str, *examples: str, **more: Any) -> WithJsonSchema:
    schema: JsonSchema = {"type": "string", "pattern": pattern, **more}
    if examples:
        schema["examples"] = list(examples)
    return WithJsonSchema(schema)


def of_text(check: Callable[[str], str], expected: str) -> Callable[[object], str]:
    """A check of strings, for keys and values alike; anything but a string is E206 too."""

    def read(value: object) -> str:
        if not isinstance(value, str):
            raise problem("E206", f"expected {expected}")
        return check(value)

    return read
