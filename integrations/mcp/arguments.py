"""Arguments against a tool's input schema, before anything is sent.

The schema comes from the server, so what could be turned against us is left to the server to judge: regular
expressions are not run (`pattern`, `patternProperties`: backtracking can take for ever), and a reference to another
document is never fetched. Formats are annotations. A schema that cannot be applied says nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.exceptions import best_match
from jsonschema.protocols import Validator
from jsonschema.validators import extend, validator_for
from referencing import Registry
from referencing.exceptions import Unresolvable

from integrations.base import InvalidArguments, JsonObject, Problem

_MAX_PROBLEMS = 20
_LONGEST_REASON = 240
_NO_DOCUMENTS: Registry[Any] = Registry()


class Checker:
    """The compiled input schema of one tool; made when first used."""

    __slots__ = ("_schema", "_validator")

    def __init__(self, schema: JsonObject) -> None:
        self._schema = schema
        self._validator: Validator | None = None

    def check(self, arguments: JsonObject) -> None:
        """Raises `InvalidArguments` with at most twenty problems, each with its JSON Pointer (RFC 6901)."""
        if self._validator is None:
            self._validator = _compile(self._schema)
        problems: list[Problem] = []
        try:
            for error in self._validator.iter_errors(arguments):
                problems.append(_problem(error))
                if len(problems) >= _MAX_PROBLEMS:
                    break
        except (Unresolvable, RecursionError, TypeError, ValueError, KeyError, AttributeError, OverflowError):
            # A schema that no validator can apply says nothing about the value; the server decides.
            return
        if problems:
            raise InvalidArguments(problems)


def _compile(schema: JsonObject) -> Validator:
    base = validator_for(schema, default=Draft202012Validator)
    own = {"pattern": _nothing, "patternProperties": _nothing, "additionalProperties": _additional}
    safe: Callable[..., Validator] = extend(base, own)  # type: ignore[no-untyped-call]
    return safe(schema, registry=_NO_DOCUMENTS)


def _nothing(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    return iter(())


def _additional(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    """`additionalProperties`, except beside `patternProperties`, which would decide what is additional."""
    if not isinstance(instance, dict) or not isinstance(schema, Mapping) or schema.get("patternProperties"):
        return
    known = schema.get("properties") or {}
    for name in instance:
        if name in known:
            continue
        if value is False:
            shown = ", ".join(list(known)[:12]) or "none"
            yield ValidationError(f"{str(name)[:80]!r} is not an argument here (there are: {shown})")
        elif isinstance(value, Mapping):
            yield from validator.descend(instance[name], value, path=name)


def _problem(error: ValidationError) -> Problem:
    deepest = best_match([error]) or error
    place = "".join("/" + _escaped(str(part)) for part in deepest.absolute_path)
    reason = deepest.message
    return Problem(place, reason if len(reason) <= _LONGEST_REASON else f"{reason[:120]} ... {reason[-100:]}")


def _escaped(part: str) -> str:
    return part.replace("~", "~0").replace("/", "~1")
