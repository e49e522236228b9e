"""What JSON Schema has against a value, in the words of whoever wrote the value: agents write TypeScript.

A sentence goes on after the name of its place ("`/body/size` has to be ..."). Values are as code writes them, every
known key is listed where one is missing or unknown, and what need not be there may be left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jsonschema import ValidationError
from jsonschema.exceptions import best_match

from integrations.base import Problem
from integrations.lossless import typescript
from integrations.schema_places import Keys, keys_at
from integrations.schema_types import render_inline_type

_UNKNOWN = ("is not known here: leave it out", "are not known here: leave them out")
LEAVE_OUT = "; leave it out if you do not need it"
_LONGEST = 240
_LONGEST_LIST = 1_000
_TYPE_BYTES = 200
_QUOTED = re.compile(r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"")
_TYPES = {
    "string": "a string",
    "number": "a number",
    "integer": "an integer",
    "boolean": "true or false",
    "object": "an object",
    "array": "an array",
    "null": "null",
}


def problem_of(root: Any, error: ValidationError, pointer: str = "", *, optional: bool = False) -> Problem:
    """`root`: the schema that the value was compared with. `optional`: of the value as a whole, at `pointer`."""
    deepest = best_match([error]) or error
    path = list(deepest.absolute_path)
    reason = _sentence(root, deepest, path)
    is_value = deepest.validator not in _ABOUT_KEYS
    if is_value and (optional if not path else _may_be_left_out(root, path)):
        reason += LEAVE_OUT
    return Problem(pointer + "".join(f"/{_escaped(str(step))}" for step in path), reason)


def unknown_keys(names: Sequence[str]) -> str:
    """The sentence about keys that a schema does not have; `problem_of` adds those that it has."""
    shown = ", ".join(f"`{name[:80]}`" for name in names[:8])
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return f"{shown}{more} {_UNKNOWN[0] if len(names) == 1 else _UNKNOWN[1]}"


def _sentence(root: Any, error: ValidationError, path: Sequence[str | int]) -> str:
    keyword = str(error.validator)
    if keyword in _ABOUT_KEYS:
        return _about_keys(keyword, error, keys_at(root, path))
    if keyword in ("anyOf", "oneOf"):
        return _about_choices(root, error)
    describe = _SENTENCES.get(keyword)
    said = describe(error.validator_value, error.instance) if describe is not None else _own_words(error)
    return said if len(said) <= _LONGEST else f"{said[:120]} ... {said[-100:]}"


def _about_keys(keyword: str, error: ValidationError, keys: Keys) -> str:
    if keyword in ("required", "dependentRequired"):
        said = f"`{_named_in(error.message)[0]}` is missing"
    elif not error.message.endswith(_UNKNOWN):
        names = _named_in(error.message)
        if keys.known and all(name in keys.known for name in names):
            return _closed_out(names, error)
        said = unknown_keys(names)
    else:
        said = error.message
    return f"{said}; {_known(keys)}"


def _closed_out(names: Sequence[str], error: ValidationError) -> str:
    """Of keys that one part of an `allOf` declares and another, which is closed, does not."""
    part = error.schema if isinstance(error.schema, Mapping) else {}
    has = ", ".join(f"`{name}`" for name in part.get("properties", {})) or "no key"
    shown = ", ".join(f"`{name[:80]}`" for name in names[:8])
    return (
        f"the schema contradicts itself about {shown}: one part declares it, another part allows only {has}"
    )


def _known(keys: Keys) -> str:
    """Every key, with `?` after those that may be missing, as in a type."""
    if not keys.known:
        return "no key is known here"
    shown: list[str] = []
    room = _LONGEST_LIST
    for name in keys.known:
        shown.append(f"`{name}`" if name in keys.required else f"`{name}?`")
        room -= len(shown[-1]) + 2
        if room < 0:
            break
    more = f", ... {len(keys.known) - len(shown)} more" if len(shown) < len(keys.known) else ""
    return f"known are {', '.join(shown)}{more}"


def _about_choices(root: Any, error: ValidationError) -> str:
    if "valid under each of" in error.message:
        return f"fits more than one of the choices: {typescript(error.instance)}"
    schema = {str(error.validator): error.validator_value}
    if isinstance(root, dict) and "$defs" in root:
        schema["$defs"] = root["$defs"]
    shown, given = render_inline_type(schema, _TYPE_BYTES), typescript(error.instance)
    if "unknown" in shown:
        return f"fits none of the choices that are possible here: {given}"
    return f"has to be {shown}, not {given}"


def _may_be_left_out(root: Any, path: Sequence[str | int]) -> bool:
    name = path[-1]
    if not isinstance(name, str):
        return False
    return keys_at(root, path[:-1]).may_be_left_out(name)


def _types(wanted: Any, value: Any) -> str:
    names = wanted if isinstance(wanted, list) else [wanted]
    shown = " or ".join(_TYPES.get(str(name), str(name)) for name in names)
    return f"has to be {shown}, not {typescript(value)}"


def _has_to(what: str) -> Callable[[Any, Any], str]:
    return lambda wanted, value: f"has to {what.format(typescript(wanted, 400))}, not {typescript(value)}"


def _sized(what: str) -> Callable[[Any, Any], str]:
    def describe(wanted: Any, value: Any) -> str:
        return f"has to have {what.format(wanted)}, not {len(value)}: {typescript(value)}"

    return describe


def _regular(pattern: Any) -> str:
    """As it is written in code; some documents write it so themselves."""
    return pattern if len(pattern) > 2 and pattern[0] == "/" and "/" in pattern[1:] else f"/{pattern}/"


def _own_words(error: ValidationError) -> str:
    """A keyword without a sentence of ours."""
    spelled = repr(error.instance)
    return error.message.replace(spelled, typescript(error.instance)) if len(spelled) > 1 else error.message


def _named_in(message: str) -> list[str]:
    return [(one[1] or one[2] or "") for one in _QUOTED.finditer(message)] or [""]


def _escaped(part: str) -> str:
    return part.replace("~", "~0").replace("/", "~1")


_ABOUT_KEYS = frozenset({"required", "dependentRequired", "additionalProperties", "unevaluatedProperties"})
_SENTENCES: dict[str, Callable[[Any, Any], str]] = {
    "type": _types,
    "enum": _has_to("be one of {}"),
    "const": _has_to("be {}"),
    "minimum": _has_to("be at least {}"),
    "maximum": _has_to("be at most {}"),
    "exclusiveMinimum": _has_to("be more than {}"),
    "exclusiveMaximum": _has_to("be less than {}"),
    "multipleOf": _has_to("be a multiple of {}"),
    "pattern": lambda wanted, value: f"has to match {_regular(wanted)}, unlike {typescript(value)}",
    "minLength": _sized("at least {} characters"),
    "maxLength": _sized("at most {} characters"),
    "minItems": _sized("at least {} items"),
    "maxItems": _sized("at most {} items"),
    "minProperties": _sized("at least {} keys"),
    "maxProperties": _sized("at most {} keys"),
    "uniqueItems": lambda _, value: f"has to have each item once only, unlike {typescript(value)}",
    "not": lambda _, value: f"is what may not be given here: {typescript(value)}",
}
