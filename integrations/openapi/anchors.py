"""References of JSON Schema 2020-12 that are no pointers: `$anchor`, `$id`, and the document's own `$self`.

A reference inside a schema with `$id` starts from that schema (JSON Schema Core 8.2.1), and `#name` is the `$anchor` of
that name in the same schema resource (8.2.2). All become pointers from the root of the document, in place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urldefrag, urljoin

from integrations.base import JsonObject
from integrations.openapi.pointer import join_pointer, split_fragment, walk

# Bytes without which a source needs none of this.
_MARKS = (b"$anchor", b"$dynamicAnchor", b"$id", b"$self")
_ANCHORS = ("$anchor", "$dynamicAnchor")
_DATA = frozenset({"default", "enum", "const", "example", "examples"})
# What `bundle` makes of a reference to another file whose fragment is no pointer.
_OTHER_FILE = re.compile(r"#/x-files/([0-9]+)([^/0-9].*)")


def may_have_anchors(source: bytes) -> bool:
    return any(mark in source for mark in _MARKS)


@dataclass(slots=True)
class _Resources:
    """Where each schema resource starts, by its URI, and where the anchors of each are. "" is the document itself."""

    starts: dict[str, str] = field(default_factory=dict)
    anchors: dict[tuple[str, str], str] = field(default_factory=dict)


def settle_references(document: JsonObject) -> None:
    """Rewrite every reference that names a resource or an anchor of this document."""
    known = _Resources()
    own = document.get("$self")
    main = urldefrag(own).url if isinstance(own, str) else ""
    known.starts[main] = known.starts[""] = ""
    for node, pointer, uri in _schemas(document, main):
        known.starts.setdefault(uri, pointer)
        for key in _ANCHORS:
            if isinstance(node.get(key), str):
                known.anchors.setdefault((uri, node[key]), pointer)
    for node, _, uri in _schemas(document, main):
        reference = node.get("$ref")
        if isinstance(reference, str):
            settled = _settled(reference, uri, known)
            # Many a document writes `#/components/...` inside a schema with `$id`, and means itself.
            if settled == reference or _exists(document, settled) or not _exists(document, reference):
                node["$ref"] = settled


def _exists(document: JsonObject, reference: str) -> bool:
    try:
        walk(document, split_fragment(reference.removeprefix("#")))
    except LookupError:
        return False
    return reference.startswith("#")


def _schemas(document: JsonObject, main: str) -> Iterator[tuple[JsonObject, str, str]]:
    """Every mapping that may be a schema, with its pointer and the URI of the resource that it belongs to."""
    stack: list[tuple[Any, str, str]] = [(document, "", main)]
    while stack:
        node, pointer, uri = stack.pop()
        if isinstance(node, list):
            inner = [(item, f"{pointer}/{index}", uri) for index, item in enumerate(node)]
            stack += [one for one in inner if isinstance(one[0], dict | list)]
            continue
        own = node.get("$id")
        if isinstance(own, str) and pointer:
            uri = urldefrag(urljoin(uri, own)).url
        yield node, pointer, uri
        for key, value in node.items():
            if isinstance(value, dict | list) and key not in _DATA:
                base = _file_uri(key) if pointer == "/x-files" else uri
                stack.append((value, pointer + join_pointer(key), base))


def _file_uri(number: str) -> str:
    return f"x-files:{number}"


def _settled(reference: str, uri: str, known: _Resources) -> str:
    other = _OTHER_FILE.fullmatch(reference)
    if other is not None:
        name, fragment = _file_uri(other.group(1)), other.group(2)
    else:
        name, _, fragment = reference.partition("#")
        if not name and (not fragment or fragment.startswith("/")) and not known.starts.get(uri):
            return reference
        if reference.startswith("#/x-files/"):
            return reference
        name = urldefrag(urljoin(uri, name)).url if name else uri
    if fragment and not fragment.startswith("/"):
        place = known.anchors.get((name, fragment))
        return reference if place is None else f"#{place}"
    start = known.starts.get(name)
    return reference if start is None else f"#{start}{fragment}"
