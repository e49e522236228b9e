"""Equal bytes on the wire if and only if equal canonical arguments, whatever the operation and however they are given.

The alphabets are small, so that different arguments often mean the same and often nearly the same.
"""

from __future__ import annotations

import json
from itertools import combinations
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from integrations.base import InvalidArguments, JsonObject
from integrations.openapi.request import build_request
from integrations.openapi.toolset import OpenApiToolset
from tests.integrations.openapi.documents import only_tool, operation, toolset_of

TEXTS = [
    "",
    "a",
    "b",
    "1",
    "5",
    "5.0",
    "05",
    "true",
    "null",
    "a,b",
    "a.b",
    "a|b",
    "a=b",
    "a;b",
    "1;a=5",
    "%3B",
    "a&b=1",
    " a",
    "a b",
    "%41",
    "%2C",
    "A",
    "é",
    "{}",
    '{"a":1}',
    '{"a": 1}',
    '["a"]',
    "1e21",
    "a-b",
    "a/b",
    "-0",
    "0.10",
    "12345678901234567890123",
]
NAMES = [
    "a",
    "b",
    "A",
    "a[b]",
    "a[]",
    "0",
    "p",
    "q",
    "a b",
    "a ",
    " a",
    "a;b",
    "a=1",
    "%61",
    "é",
    "a.b",
    "a,b",
]
SCALARS = st.one_of(
    st.sampled_from(TEXTS),
    st.sampled_from([0, 1, 5, 5.0, -0.0, 0.1, 1e21, 10**21, 10**30]),
    st.booleans(),
    st.none(),
)
FILES = st.builds(
    lambda name, kind, data: {
        "_tag": "ToolFile",
        "mimeType": kind,
        "encoding": "base64",
        "data": data,
        **name,
    },
    st.sampled_from([{}, {"name": "f"}, {"name": 'f"'}, {"name": "f%22"}]),
    st.sampled_from(["text/plain", "application/octet-stream", "image/png", "application/json"]),
    st.sampled_from(["YQ==", "YQ", "eyJhIjoxfQ==", "/w==", "_w=="]),
)


def sorted_object(value: JsonObject) -> JsonObject:
    """The order of names means nothing: JSON objects have none."""
    return {name: value[name] for name in sorted(value)}


VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3).map(sorted_object)
    ),
    max_leaves=4,
)
TYPES = st.sampled_from(["string", "integer", "number", "boolean", "array", "object"])
LEAVES: st.SearchStrategy[JsonObject] = st.one_of(
    st.just({}),
    TYPES.map(lambda kind: {"type": kind}),
    st.lists(TYPES, min_size=2, max_size=2, unique=True).map(lambda kinds: {"type": kinds}),
    st.just({"enum": [1, "1", "a", True]}),
    st.just({"anyOf": [{"type": "integer"}, {"type": "string", "enum": ["a", "auto"]}]}),
)
SCHEMAS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        inner.map(lambda item: {"type": "array", "items": item}),
        st.tuples(st.sampled_from(NAMES), inner, inner).map(
            lambda made: {"type": "object", "properties": {made[0]: made[1]}, "additionalProperties": made[2]}
        ),
        st.tuples(inner, inner).map(lambda made: {"oneOf": list(made)}),
    ),
    max_leaves=3,
)
BY_TYPE: dict[str, list[Any]] = {
    "string": [*TEXTS, 1, 5, 5.0, True],
    "integer": [1, 5, 5.0, "5", "5.0", "1e3", 10**30],
    "boolean": [True, "true"],
    "number": [1, 5, 5.0, "5.0", 0.1, "0.10", 1e21, "1e21", 10**21, "12345678901234567890123", "-0"],
}


def fitting(schema: JsonObject) -> st.SearchStrategy[Any]:
    """Values that mostly fit, in any spelling."""
    options = schema.get("anyOf") or schema.get("oneOf")
    if options:
        return st.one_of([fitting(option) for option in options])
    if "enum" in schema:
        return st.sampled_from([1, "1", "a", True, "true", "auto", 1.0])
    kinds = schema.get("type", ["string", "number", "array", "object"])
    return st.one_of([_of_type(kind, schema) for kind in (kinds if isinstance(kinds, list) else [kinds])])


def _of_type(kind: str, schema: JsonObject) -> st.SearchStrategy[Any]:
    if kind == "array":
        return st.lists(fitting(schema.get("items", {"type": "string"})) | st.none(), max_size=3)
    if kind == "object":
        properties = schema.get("properties", {})
        rest = fitting(schema.get("additionalProperties", {"type": ["string", "number"]}))
        named = st.fixed_dictionaries({}, optional={name: fitting(one) for name, one in properties.items()})
        more = st.dictionaries(st.sampled_from(NAMES), rest | st.none(), max_size=2)
        return st.builds(lambda one, two: sorted_object({**two, **one}), named, more)
    return st.sampled_from(BY_TYPE[kind])


def mostly_fitting(schema: Any) -> st.SearchStrategy[Any]:
    return st.integers(0, 9).flatmap(lambda n: VALUES if n == 0 else fitting(schema))


STYLES = {
    "path": ["simple", "label", "matrix"],
    "header": ["simple"],
    "cookie": ["form", "cookie"],
    "query": ["form", "spaceDelimited", "pipeDelimited", "deepObject"],
}


@st.composite
def parameters(draw: st.DrawFn, location: str, name: str) -> JsonObject:
    schema = draw(SCHEMAS)
    out: JsonObject = {"name": name, "in": location, "required": location == "path"}
    if draw(st.integers(0, 5)) == 0:
        media_type = draw(st.sampled_from(["application/json", "text/plain", "application/a+json"]))
        return {**out, "content": {media_type: {"schema": schema}}}
    out |= {
        "style": draw(st.sampled_from(STYLES[location])),
        "explode": draw(st.booleans()),
        "schema": schema,
    }
    if location in ("query", "path") and draw(st.integers(0, 4)) == 0:
        out["allowReserved"] = True
    return out


MEDIA = [
    "application/json",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "application/xml",
    "text/plain",
    "application/octet-stream",
    "image/*",
    "*/*",
    "application/x-ndjson",
]
ENCODINGS = st.dictionaries(
    st.sampled_from(NAMES),
    st.sampled_from(
        [
            {"style": "form", "explode": True},
            {"style": "deepObject", "explode": True},
            {"style": "form", "explode": False},
            {"style": "pipeDelimited"},
            {"contentType": "application/json"},
            {"contentType": "application/octet-stream"},
            {"contentType": "text/csv"},
            {"style": "form", "allowReserved": True},
        ]
    ),
    max_size=2,
)


@st.composite
def bodies(draw: st.DrawFn) -> JsonObject:
    kinds = draw(st.lists(st.sampled_from(MEDIA), min_size=1, max_size=2, unique=True))
    return {"content": {kind: {"schema": draw(SCHEMAS), "encoding": draw(ENCODINGS)} for kind in kinds}}


@st.composite
def operations(draw: st.DrawFn) -> OpenApiToolset:
    path = draw(st.sampled_from(["/x", "/x/{p}", "/x/{p}-{q}", "/x/{p}{q}", "/{+p}/x", "/x?a=1"]))
    listed = [draw(parameters("path", name)) for name in ("p", "q") if name + "}" in path]
    for location in ("query", "header", "cookie"):
        for name in draw(
            st.lists(st.sampled_from(NAMES), max_size=2 if location == "query" else 1, unique=True)
        ):
            if location == "query" or name in ("a", "b", "A"):
                listed.append(draw(parameters(location, name)))
    more: JsonObject = {"requestBody": draw(bodies())} if draw(st.booleans()) else {}
    if draw(st.integers(0, 4)) == 0:
        more["servers"] = [
            {"url": "https://{r}.example.com", "variables": {"r": {"default": "eu", "enum": ["eu", "us"]}}}
        ]
    return toolset_of(operation(path, "post", parameters=listed, **more))


@st.composite
def calls(draw: st.DrawFn, toolset: OpenApiToolset) -> JsonObject:
    binding = toolset.binding(only_tool(toolset))
    out: JsonObject = {}
    for parameter in binding.parameters:
        if parameter.required or draw(st.booleans()):
            out.setdefault(parameter.location, {})[parameter.name] = draw(mostly_fitting(parameter.schema))
    if binding.body is not None and draw(st.integers(0, 4)) > 0:
        media = draw(st.sampled_from(binding.body.media))
        fields = st.dictionaries(st.sampled_from(NAMES), VALUES | FILES, max_size=3).map(sorted_object)
        usual = fields if media.essence.startswith("multipart/") else mostly_fitting(media.schema)
        out["body"] = draw(st.one_of(usual, mostly_fitting(media.schema), FILES))
        if len(binding.body.media) > 1:
            out["contentType"] = media.type
        if draw(st.integers(0, 5)) == 0:
            out["bodyBase64"] = draw(st.sampled_from(["YQ==", "YQ", "eyJhIjoxfQ"]))
            del out["body"]
        if media.essence in ("image/*", "*/*") and draw(st.booleans()):
            out["contentType"] = draw(st.sampled_from(["image/png", "image/PNG", "text/plain"]))
    if len(binding.servers[0].variables) and draw(st.booleans()):
        out["server"] = draw(st.sampled_from([{}, {"variables": {"r": "eu"}}, {"variables": {"r": "us"}}]))
    return out


Sent = tuple[Any, ...]


def send(toolset: OpenApiToolset, arguments: JsonObject) -> tuple[Sent, str, JsonObject] | None:
    """What goes over the wire, the canonical arguments as text, and as data; None for what is refused."""
    closure = toolset.closure(only_tool(toolset))
    try:
        request, canonical = build_request(closure, arguments, None)
    except InvalidArguments:
        return None
    sent = (
        request.method,
        request.url,
        request.headers,
        tuple(text for _, text in request.cookies),
        request.body,
    )
    return sent, json.dumps(canonical, sort_keys=True), canonical


@st.composite
def sets(draw: st.DrawFn) -> tuple[OpenApiToolset, list[JsonObject]]:
    toolset = draw(operations())
    return toolset, draw(st.lists(calls(toolset), min_size=2, max_size=8))


@settings(max_examples=150, deadline=None)
@given(sets())
def test_equal_bytes_if_and_only_if_equal_canonical_arguments(
    made: tuple[OpenApiToolset, list[JsonObject]],
) -> None:
    toolset, arguments = made
    found = [(one, sent) for one in arguments if (sent := send(toolset, one)) is not None]
    for (one, left), (other, right) in combinations(found, 2):
        assert (left[0] == right[0]) == (left[1] == right[1]), (one, other, left, right)
    for one, (sent, canonical, data) in found:
        again = send(toolset, data)
        assert again is None or again[:2] == (sent, canonical), (one, data, again)
