"""Reading a call's arguments: flat names, location containers, body, server. Pure; problems are collected.

A parameter may be given flat by its exact name, or inside `path`, `query`, `header`, `cookie`; nested wins.
A container name is read as a container only when its value is an object and no ambiguity arises; a parameter
called `path` whose value is a string stays a parameter.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from typing import Any

from integrations.base import JsonObject, Problem
from integrations.openapi.binding import Media, OperationBinding, OperationParameter, key_places
from integrations.openapi.pointer import join_pointer
from integrations.openapi.responses import chosen_type, selectable_types
from integrations.openapi.schema import shared_names
from integrations.openapi.serialize import is_undefined
from integrations.openapi.wire_names import SuppliedNames, is_supplied

MISSING: Any = type("Missing", (), {"__repr__": lambda self: "MISSING"})()
_MAX_KEYS = 40
_CONTAINERS = {
    "path": "path", "query": "query", "header": "header", "cookie": "cookie",
    "pathParams": "path", "queryParams": "query", "params": "query", "headers": "header", "cookies": "cookie",
}  # fmt: skip


@dataclass(slots=True)
class GivenArguments:
    """Arguments sorted by where they go. `pointers` says where each parameter value stood, and `originals` what it was
    before it took the form in which it is sent: both for messages. `unknown` are names that stand for nothing."""

    values: dict[tuple[str, str], Any] = field(default_factory=dict)
    originals: dict[tuple[str, str], Any] = field(default_factory=dict)
    pointers: dict[tuple[str, str], str] = field(default_factory=dict)
    body: Any = MISSING
    body_base64: Any = MISSING
    content_type: Any = MISSING
    accept: str | None = None
    server: JsonObject = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)

    def refuse(self, pointer: str, reason: str) -> None:
        self.problems.append(Problem(pointer, reason))


def read_arguments(
    binding: OperationBinding, arguments: JsonObject, supplied: SuppliedNames = frozenset()
) -> GivenArguments:
    """Sort arguments; unknown and ambiguous ones become problems. Nobody is asked for what is `supplied`."""
    given = GivenArguments()
    flat: list[tuple[str, Any]] = []
    for name, value in arguments.items():
        if not (_take_own(binding, given, name, value) or _take_container(binding, given, name, value)):
            flat.append((name, value))
    supplied |= key_places(binding)
    for name, value in flat:
        _take_flat(binding, given, name, value, supplied)
    for parameter in binding.parameters:
        key = (parameter.location, parameter.name)
        if key in given.values and _is_absent(parameter, given.values[key]):
            del given.values[key]
    _check_required(binding, given, supplied)
    return given


def _take_own(binding: OperationBinding, given: GivenArguments, name: str, value: Any) -> bool:
    """`body`, `bodyBase64`, `contentType` belong to the request body, `accept` to the answer, `server` (an object) to
    the server.
    """
    if name == "server" and isinstance(value, dict):
        given.server = value
        return True
    if _means_accept(binding, name) and (types := selectable_types(binding)):
        given.accept = chosen_type(binding, value)
        if given.accept is None and value is not None:
            given.refuse(join_pointer(name), f"has to be one of {', '.join(types)}")
        return True
    if binding.body is None:
        return False
    if name == "body":
        given.body = value
    elif name == "bodyBase64":
        given.body_base64 = value
    elif name == "contentType":
        given.content_type = value
    else:
        return False
    return True


def _means_accept(binding: OperationBinding, name: str) -> bool:
    """Also by the name of the header where the document declares that one: OpenAPI has it ignored."""
    return name == "accept" or (name.lower() == "accept" and name in binding.ignored)


def _take_container(binding: OperationBinding, given: GivenArguments, name: str, value: Any) -> bool:
    location = _CONTAINERS.get(name)
    if location is None or not isinstance(value, dict):
        return False
    if name != location and any(p.name == name for p in binding.parameters):
        return False
    known = {p.name: p for p in binding.parameters if p.location == location}
    folded = {key.lower(): p for key, p in known.items()} if location == "header" else {}
    for inner, content in value.items():
        parameter = known.get(inner) or folded.get(inner.lower())
        pointer = join_pointer(name, inner)
        if parameter is not None:
            _store(given, parameter, content, pointer)
        elif not (location == "header" and _is_ignored(binding, inner)):
            given.refuse(pointer, _not_there(binding, location, inner, known))
    return True


def _not_there(binding: OperationBinding, location: str, name: str, known: Any) -> str:
    elsewhere = next((p.location for p in binding.parameters if p.name == name), None)
    if elsewhere is not None:
        return f"is a {elsewhere} parameter: write {{{name}: ...}} without what is around it"
    return f"there is no {location} parameter of that name{_hint(name, known)}"


def _take_flat(
    binding: OperationBinding, given: GivenArguments, name: str, value: Any, supplied: SuppliedNames
) -> None:
    candidates = [p for p in binding.parameters if p.name == name]
    open_ones = [p for p in candidates if (p.location, p.name) not in given.values]
    if len(open_ones) > 1:
        needed = [p for p in open_ones if p.required]
        open_ones = needed if len(needed) == 1 else open_ones
    if len(open_ones) == 1:
        _store(given, open_ones[0], value, join_pointer(name))
    elif open_ones:
        places = ", ".join(f"`{p.location}`" for p in open_ones)
        given.refuse(
            join_pointer(name), f"the name stands for several parameters: put it inside one of {places}"
        )
    elif not candidates and not _is_ignored(binding, name):
        known = [p.name for p in binding.parameters if not is_supplied(p, supplied)]
        known += ["body"] if binding.body else []
        given.unknown.append(name)
        given.refuse(join_pointer(name), f"unknown argument{_hint(name, known)}")


def _is_absent(parameter: OperationParameter, value: Any) -> bool:
    """A parameter with `content` can say `[]` and `{}`; the styles cannot (RFC 6570 section 2.3)."""
    return value is None if parameter.media_type is not None else is_undefined(value)


def _store(given: GivenArguments, parameter: OperationParameter, value: Any, pointer: str) -> None:
    given.values[(parameter.location, parameter.name)] = value
    given.pointers[(parameter.location, parameter.name)] = pointer


def _is_ignored(binding: OperationBinding, name: str) -> bool:
    """A declared header that arguments cannot set: it is accepted and not sent, as OpenAPI 3 says."""
    return name in binding.ignored


def _hint(name: str, known: Any) -> str:
    names = list(known)
    if not names:
        return "; this tool takes no such arguments"
    close = difflib.get_close_matches(name, names, 1, 0.6)
    meant = f"; did you mean `{close[0]}`?" if close else ";"
    more = f", ... {len(names) - _MAX_KEYS} more" if len(names) > _MAX_KEYS else ""
    return f"{meant} known are {', '.join(f'`{n}`' for n in names[:_MAX_KEYS])}{more}"


def _check_required(binding: OperationBinding, given: GivenArguments, supplied: SuppliedNames) -> None:
    for parameter in binding.parameters:
        key = (parameter.location, parameter.name)
        if parameter.required and key not in given.values and not is_supplied(parameter, supplied):
            pointer = given.pointers.get(key, join_pointer(parameter.name))
            given.refuse(pointer, f"required {parameter.location} parameter `{parameter.name}` is missing")
    body = binding.body
    if body is not None and body.required and given.body is MISSING and given.body_base64 is MISSING:
        given.refuse("/body", "the request body is required")


def canonical(binding: OperationBinding, given: GivenArguments, media: Media | None) -> JsonObject:
    """The arguments in one form, however they were given: flat where the name is unique, else in containers."""
    shared = shared_names(binding)
    out: JsonObject = {}
    for parameter in binding.parameters:
        key = (parameter.location, parameter.name)
        if key not in given.values:
            continue
        if parameter.name in shared:
            out.setdefault(parameter.location, {})[parameter.name] = given.values[key]
        else:
            out[parameter.name] = given.values[key]
    if given.body is not MISSING:
        out["body"] = given.body
    if given.body_base64 is not MISSING:
        out["bodyBase64"] = given.body_base64
    if media is not None and ("body" in out or "bodyBase64" in out) and _is_chosen(binding, media):
        out["contentType"] = media.type
    if given.accept is not None:
        out["accept"] = given.accept
    if given.server:
        out["server"] = given.server
    return out


def _is_chosen(binding: OperationBinding, media: Media) -> bool:
    """Could the body have been sent as another type?"""
    declared = binding.body.media if binding.body is not None else ()
    return len(declared) > 1 or any(one.type != media.type for one in declared)
