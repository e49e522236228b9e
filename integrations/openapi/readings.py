"""A JSON body in which values are one spelling away from their schema: `"5"` where an integer is wanted.

Whatever a schema refuses for its type is read as what it means, if that loses nothing (`integrations.lossless`) and
the schema then has nothing against it. A value that fits as it is stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from jsonschema import ValidationError

from integrations.lossless import read_as

ErrorsOf = Callable[[Any], Sequence[ValidationError]]
_ROUNDS = 3
_TRIED = 8
PathInBody = tuple[str | int, ...]


def fitting_reading(errors: ErrorsOf, value: Any) -> Any:
    """The value with every wrong type read as what it means; where that helps nothing, the value itself."""
    for _ in range(_ROUNDS):
        found = errors(value)
        if not found:
            break
        better = _better(errors, value, found)
        if better is value:
            break
        value = better
    return value


def _better(errors: ErrorsOf, value: Any, found: Sequence[ValidationError]) -> Any:
    plain = dict(_meant(one) for one in found if _is_wrong_type(one))
    plain = {place: meant for place, meant in plain.items() if meant is not None}
    if plain:
        return _replaced(value, plain)
    for branch in list(_branches(found))[:_TRIED]:
        tried = _replaced(value, branch)
        if len(errors(tried)) < len(found):
            return tried
    return value


def _branches(found: Sequence[ValidationError]) -> Iterator[dict[PathInBody, Any]]:
    """What each branch of a choice (`anyOf`, `oneOf`) would have the value read as."""
    for error in found:
        branches: dict[Any, dict[PathInBody, Any]] = {}
        for inner in error.context or ():
            if _is_wrong_type(inner):
                place, meant = _meant(inner)
                if meant is not None:
                    branches.setdefault(inner.schema_path[0], {})[place] = meant
        yield from branches.values()


def _is_wrong_type(error: ValidationError) -> bool:
    return error.validator == "type"


def _meant(error: ValidationError) -> tuple[PathInBody, Any]:
    wanted: Any = error.validator_value
    return tuple(error.absolute_path), read_as(error.instance, wanted)


def _replaced(value: Any, meant: dict[PathInBody, Any], place: PathInBody = ()) -> Any:
    """A copy in which only what stands at these places is new."""
    if place in meant:
        return meant[place]
    if isinstance(value, dict):
        return {key: _replaced(item, meant, (*place, key)) for key, item in value.items()}
    if isinstance(value, list):
        return [_replaced(item, meant, (*place, index)) for index, item in enumerate(value)]
    return value
