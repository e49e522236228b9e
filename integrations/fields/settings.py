"""Text that may come from the environment: `{env: NAME, default: TEXT}`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from pydantic import (
    BeforeValidator,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from integrations.fields.base import JsonSchema, of_text, problem, string_schema

T = TypeVar("T")

# A variable that is known to be set, but not to what (`validate --env-file` with bare names).
UNKNOWN = "\x00unknown"

_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
ENV_NAME_PATTERN = "^[A-Za-z_][A-Za-z0-9_]*$"


def _env_name_help(value: str) -> str:
    likely = re.sub(r"[^A-Za-z0-9]+", "_", value.strip())
    return (
        f"did you mean `{likely}`?"
        if _ENV_NAME.fullmatch(likely)
        else "letters, digits and _, no digit first"
    )


def _env_name(value: str) -> str:
    if _ENV_NAME.fullmatch(value):
        return value
    bare = re.fullmatch(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)\}?", value)
    raise problem(
        "E206",
        "not the name of an environment variable",
        f"did you mean `{bare[1]}`?" if bare else _env_name_help(value),
    )


EnvName = Annotated[
    str,
    BeforeValidator(of_text(_env_name, "the name of an environment variable")),
    string_schema(ENV_NAME_PATTERN, "API_TOKEN"),
]


def _from_environment(ref: Mapping[str, object], info: ValidationInfo, placeholder: str) -> object:
    """The text behind `{env: NAME, default: TEXT}`; the placeholder when the environment is not judged."""
    name, default = ref.get("env"), ref.get("default")
    if not isinstance(name, str) or set(ref) - {"env", "default"}:
        raise problem("E206", "expected text or {env: NAME, default: TEXT}")
    _env_name(name)
    if "default" in ref and not isinstance(default, str):
        raise problem("E206", "the default must be text", "put it in quotes")
    assert default is None or isinstance(default, str)
    environment = (info.context or {}).get("environment")
    if environment is None:
        return default if default is not None else placeholder
    found = environment.get(name)
    if found == UNKNOWN:
        return default if default is not None else placeholder
    if found:
        return found
    if default is not None:
        return default
    if found == "":
        raise problem("E403", f"environment variable {name} is empty", "set it, or give a `default`")
    raise problem("E402", f"environment variable {name} is not set", "set it, or give a `default`")


def settable(parse: Callable[[object], T], placeholder: str) -> Callable[[object, ValidationInfo], T]:
    def read(value: object, info: ValidationInfo) -> T:
        if not isinstance(value, dict):
            return parse(value)
        text = _from_environment(value, info, placeholder)
        try:
            return parse(text)
        except PydanticCustomError as error:
            # The words of the help would repeat what the environment holds.
            found = error.context or {}
            raise problem(found["code"], f"{found['message']} (from {value['env']})") from None

    return read


ENV_SCHEMA: JsonSchema = {
    "type": "object",
    "properties": {"env": {"type": "string", "pattern": ENV_NAME_PATTERN}, "default": {"type": "string"}},
    "required": ["env"],
    "additionalProperties": False,
}


def settable_schema(schema: JsonSchema) -> WithJsonSchema:
    text = {key: value for key, value in schema.items() if key != "examples"}
    return WithJsonSchema({"anyOf": [text, ENV_SCHEMA], "examples": schema.get("examples", [])})


def setting(placeholder: str) -> Setting:
    """Marks text that may also be `{env: NAME, default: TEXT}`; the placeholder stands in for an unknown."""
    return Setting(placeholder)


@dataclass(frozen=True, slots=True)
class Setting:
    """See `setting`."""

    placeholder: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        read = settable(lambda value: value, self.placeholder)
        return core_schema.with_info_before_validator_function(read, handler(source))

    def __get_pydantic_json_schema__(self, schema: Any, handler: GetJsonSchemaHandler) -> JsonSchema:
        return {"anyOf": [handler(schema["schema"]), ENV_SCHEMA]}
