"""Arguments against a tool's input schema, before anything is sent.

The schema comes from the server: `integrations.validator` sees to it that checking ends soon and fetches nothing, and
what a schema cannot judge is left to the server.
"""

from __future__ import annotations

from jsonschema import ValidationError
from jsonschema.exceptions import best_match

from integrations.base import InvalidArguments, JsonObject, Problem
from integrations.validator import schema_errors

_MAX_PROBLEMS = 20
_LONGEST_REASON = 240


def check_arguments(schema: JsonObject, arguments: JsonObject) -> None:
    """Raises `InvalidArguments` with at most twenty problems, each with its JSON Pointer (RFC 6901)."""
    problems: list[Problem] = []
    for error in schema_errors(schema, arguments):
        problems.append(_problem(error))
        if len(problems) >= _MAX_PROBLEMS:
            break
    if problems:
        raise InvalidArguments(problems)


def _problem(error: ValidationError) -> Problem:
    deepest = best_match([error]) or error
    place = "".join("/" + _escaped(str(part)) for part in deepest.absolute_path)
    reason = deepest.message
    return Problem(place, reason if len(reason) <= _LONGEST_REASON else f"{reason[:120]} ... {reason[-100:]}")


def _escaped(part: str) -> str:
    return part.replace("~", "~0").replace("/", "~1")
