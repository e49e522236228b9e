"""Argument values against their schemas (JSON Schema 2020-12, formats as annotations).

Parameters, form fields and XML are sent as text, so that `5`, `"5"` and `5.0` are the same value there: a value is
refused only when neither itself nor its text nor the text read as JSON fits the schema. In a JSON body a
value of the wrong type is read as what it means where that loses nothing (`readings`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from jsonschema import ValidationError

from integrations.base import Problem
from integrations.http.media import is_form, is_json, is_json_type, is_multipart, is_ndjson, is_text, is_xml
from integrations.http.toolfile import is_tool_file
from integrations.lossless import typescript
from integrations.openapi.arguments import MISSING, GivenArguments
from integrations.openapi.binding import Media
from integrations.openapi.bodies import takes_parts
from integrations.openapi.config import Validate
from integrations.openapi.lenient import LENIENT
from integrations.openapi.multipart import has_unnamed_parts
from integrations.openapi.pointer import join_pointer, mapping
from integrations.openapi.readings import fitting_reading
from integrations.openapi.schema import Closure
from integrations.openapi.serialize import scalar_text
from integrations.validator import schema_errors
from integrations.value_errors import problem_of

_MAX_PROBLEMS = 20
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")


@dataclass(frozen=True, slots=True)
class _Check:
    """The schemas that values are compared with, and how: None is JSON Schema as it is written."""

    closure: Closure
    keywords: Any

    def errors(self, schema: Any, value: Any) -> list[ValidationError]:
        return list(islice(schema_errors(self._closed(schema), value, keywords=self.keywords), _MAX_PROBLEMS))

    def problems(self, schema: Any, value: Any, pointer: str, *, optional: bool = False) -> Iterator[Problem]:
        """`optional`: whether the value as a whole may be left out."""
        root = self._closed(schema)
        return (problem_of(root, error, pointer, optional=optional) for error in self.errors(schema, value))

    def _closed(self, schema: Any) -> Any:
        defs = self.closure.defs
        return {"$defs": defs, **schema} if defs and isinstance(schema, dict) else schema


def check_values(
    closure: Closure, given: GivenArguments, media: Media | None, validate: Validate
) -> list[Problem]:
    """Problems of all parameter values and the body, at most twenty."""
    if validate == "off":
        return []
    check = _check(closure, validate)
    out: list[Problem] = []
    for parameter in closure.binding.parameters:
        key = (parameter.location, parameter.name)
        if key not in given.values:
            continue
        value = given.values[key]
        if parameter.media_type is not None and isinstance(value, str):
            # A string that is no JSON text is sent as a string, while the schema describes the parsed content.
            continue
        if parameter.allow_empty and value == "":
            continue
        schema, pointer = closure.parameters[key], given.pointers[key]
        found = _textual_problems(check, schema, value, pointer, optional=not parameter.required)
        out += [_as_given(one, given, key) for one in found]
    if media is not None and given.body is not MISSING:
        given.body, found = _read_body(check, media, given.body)
        if found and given.body is None and not _needs_body(closure):
            given.body, found = MISSING, []  # as with parameters, null is what is not given
        fitting = _fitting_type(check, given, media) if found else []
        out += [*found[: _MAX_PROBLEMS - len(fitting)], *fitting]
    return out[:_MAX_PROBLEMS]


def _needs_body(closure: Closure) -> bool:
    return closure.binding.body is not None and closure.binding.body.required


def _as_given(problem: Problem, given: GivenArguments, key: tuple[str, str]) -> Problem:
    """The problem with the value as it was given, before it took the form of its text."""
    value, original = given.values[key], given.originals.get(key)
    if original is None or problem.pointer != given.pointers[key]:
        return problem
    before, found, after = problem.reason.rpartition(typescript(value))
    return replace(problem, reason=f"{before}{typescript(original)}{after}") if found else problem


def _fitting_type(check: _Check, given: GivenArguments, media: Media) -> list[Problem]:
    """Where the body does not fit the type that is sent, the first of the others that it fits."""
    body = check.closure.binding.body
    for other in body.media if body is not None else ():
        if other.type != media.type and not _body_problems(check, other, given.body):
            if _could_hold(other, given.body):
                reason = f'the body fits another type: give contentType: "{other.type}"'
                return [Problem("/contentType", reason)]
    return []


def _could_hold(media: Media, body: Any) -> bool:
    """Whether it says something that the schema of this type has nothing against the body."""
    if isinstance(body, str):
        return body.lstrip().startswith("<") if is_xml(media.essence) else is_text(media.essence)
    checked = is_json(media.essence) or is_multipart(media.essence) or is_form(media.essence)
    return checked and isinstance(body, dict)


def body_problems(closure: Closure, media: Media, body: Any, validate: Validate) -> list[Problem]:
    """Problems of a body alone."""
    if validate == "off" or (body is None and not _needs_body(closure)):
        return []
    return _read_body(_check(closure, validate), media, body)[1]


def _read_body(check: _Check, media: Media, body: Any) -> tuple[Any, list[Problem]]:
    """The body that is sent, and what is wrong with it: in JSON a value of the wrong type is read as what it means."""
    found = _body_problems(check, media, body)
    if found and is_json(media.essence):
        schema = check.closure.body_schema(media.type)
        body = fitting_reading(lambda value: check.errors(schema, value), body)
        found = _body_problems(check, media, body)
    return body, found


def _check(closure: Closure, validate: Validate) -> _Check:
    return _Check(closure, LENIENT if validate == "lenient" else None)


def _body_problems(check: _Check, media: Media, body: Any) -> list[Problem]:
    schema = check.closure.body_schema(media.type)
    if is_json(media.essence):
        return list(check.problems(schema, body, "/body"))
    if is_multipart(media.essence) and not (isinstance(body, dict) and takes_parts(check.closure.doc, media)):
        return _parts_problems(check, media, body)
    if is_multipart(media.essence) or is_form(media.essence):
        if not isinstance(body, dict):
            return [Problem("/body", "has to be an object of form fields")]
        files = frozenset(
            join_pointer("body", name) for name, value in body.items() if _is_free(media, name, value)
        )
        return _textual_problems(check, schema, body, "/body", files)
    if is_ndjson(media.essence) and isinstance(body, list):
        return list(check.problems(schema, body, "/body"))
    if is_xml(media.essence) and isinstance(body, dict | list):
        return _textual_problems(check, schema, body, "/body")
    return []


def _parts_problems(check: _Check, media: Media, body: Any) -> list[Problem]:
    """Parts without names are compared with the schema; a form of one file takes it under any name."""
    if isinstance(body, list) and has_unnamed_parts(media):
        files = frozenset(join_pointer("body", n) for n, value in enumerate(body) if is_tool_file(value))
        return _textual_problems(check, check.closure.body_schema(media.type), body, "/body", files)
    return [] if isinstance(body, dict) else [Problem("/body", "has to be an object of form fields")]


def _is_free(media: Media, name: str, value: Any) -> bool:
    """Files are not compared, nor data for a field that is sent as JSON: its schema may describe the JSON text."""
    if isinstance(value, dict | list) and is_json_type(mapping(media.encoding.get(name)).get("contentType")):
        return True
    return is_tool_file(value) or (isinstance(value, list) and any(map(is_tool_file, value)))


def _textual_problems(
    check: _Check,
    schema: Any,
    value: Any,
    pointer: str,
    files: frozenset[str] = frozenset(),
    *,
    optional: bool = False,
) -> list[Problem]:
    """Problems of the value as given, unless its text or its typed form fits. `files` are pointers to ignore."""
    first: list[Problem] | None = None
    for reading in (value, _as_text(value), _as_typed(value)):
        found = [
            problem
            for problem in check.problems(schema, reading, pointer, optional=optional)
            if "/".join(problem.pointer.split("/")[:3]) not in files
        ]
        if not found:
            return []
        first = found if first is None else first
    return first or []


def _as_text(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _as_text(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_as_text(item) for item in value if item is not None]
    return value if value is None else scalar_text(value)


def _as_typed(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _as_typed(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_as_typed(item) for item in value if item is not None]
    if isinstance(value, str):
        if value in ("true", "false"):
            return value == "true"
        if _NUMBER.fullmatch(value) and len(value) < 400:
            return int(value) if value.lstrip("-").isdecimal() else float(value)
    return value
