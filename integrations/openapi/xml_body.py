"""Objects to XML by the XML Object of OpenAPI 3: `name`, `attribute`, `wrapped`, `prefix`, `namespace`, and
`nodeType` of OpenAPI 3.2."""

from __future__ import annotations

import re
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from integrations.base import JsonObject
from integrations.openapi.doc import Doc
from integrations.openapi.serialize import scalar_text

_NAME = re.compile(r"[A-Za-z_][\w.\-]*(:[A-Za-z_][\w.\-]*)?")


def to_xml(doc: Doc, schema: Any, value: Any) -> bytes:
    """One XML document. The root is named by the schema's `xml.name`, its component name, or `root`."""
    name = "root"
    if isinstance(schema, dict) and isinstance(schema.get("$ref"), str):
        name = schema["$ref"].rsplit("/", 1)[-1]
    return ('<?xml version="1.0" encoding="UTF-8"?>' + _element(doc, name, schema, value)).encode()


def _element(doc: Doc, name: str, schema: Any, value: Any) -> str:
    known = _object(doc.deref(schema))
    hints = _object(known.get("xml"))
    tag = _tag(hints, name)
    opening = tag + _namespace(hints)
    if isinstance(value, list):
        return _list(doc, tag, known, value)
    if not isinstance(value, dict):
        return f"<{opening}>{escape(scalar_text(value))}</{tag}>"
    properties = _object(known.get("properties"))
    inner: list[str] = []
    owners: dict[str, str] = {}
    for key, declared in properties.items():
        for sent in _tags(doc, key, _object(doc.deref(declared)), {}):
            owners.setdefault(sent, key)
    for key, item in value.items():
        if item is None:
            continue
        part = _object(doc.deref(properties.get(key, {})))
        part_hints = _object(part.get("xml"))
        kind = _node_type(part_hints)
        for sent in _tags(doc, key, part, item):
            if owners.get(sent, key) != key:
                raise ValueError(
                    f"`{key}` would be sent as <{sent}>, which belongs to `{owners[sent]}`: give it there"
                )
        if kind == "attribute":
            opening += f" {_tag(part_hints, key)}={quoteattr(scalar_text(item))}"
        elif kind == "text":
            inner.append(escape(scalar_text(item)))
        elif kind == "cdata":
            inner.append(_cdata(scalar_text(item)))
        else:
            inner.append(_element(doc, key, part, item))
    text = "".join(inner)
    return text if _node_type(hints) == "none" else f"<{opening}>{text}</{tag}>"


def _tags(doc: Doc, key: str, part: JsonObject, item: Any) -> list[str]:
    """The names that a member is sent under, attributes with `@`; those of its members where it is no element."""
    hints = _object(part.get("xml"))
    kind = _node_type(hints)
    if kind in ("text", "cdata"):
        return []
    if kind != "none" or not isinstance(item, dict):
        return [f"@{_tag(hints, key)}" if kind == "attribute" else _tag(hints, key)]
    inner = _object(part.get("properties"))
    known = {name: _object(doc.deref(inner.get(name, {}))) for name in item}
    return [tag for name, one in known.items() for tag in _tags(doc, name, one, None)]


def _node_type(hints: JsonObject) -> str:
    """`nodeType` of OpenAPI 3.2, else `attribute` of the versions before."""
    declared = hints.get("nodeType")
    return str(declared) if declared else "attribute" if hints.get("attribute") is True else "element"


def _cdata(text: str) -> str:
    """The end mark cannot stand inside: it is divided between two sections."""
    return f"<![CDATA[{text.replace(']]>', ']]]]><![CDATA[>')}]]>"


def _list(doc: Doc, tag: str, schema: JsonObject, value: list[Any]) -> str:
    """Items are named by their own `xml.name`, else by the list; `wrapped` puts the list's element around them."""
    items = _object(doc.deref(schema.get("items", {})))
    hints = _object(schema.get("xml"))
    inner = "".join(_element(doc, tag, items, item) for item in value)
    wrapped = hints.get("wrapped") is True or hints.get("nodeType") == "element"
    return f"<{tag}{_namespace(hints)}>{inner}</{tag}>" if wrapped else inner


def _tag(hints: JsonObject, name: str) -> str:
    chosen = str(hints.get("name") or name)
    prefix = hints.get("prefix")
    tag = f"{prefix}:{chosen}" if prefix else chosen
    if not _NAME.fullmatch(tag):
        raise ValueError(f"{tag!r} is no XML name")
    return tag


def _namespace(hints: JsonObject) -> str:
    if not hints.get("namespace"):
        return ""
    prefix = f":{hints['prefix']}" if hints.get("prefix") else ""
    return f" xmlns{prefix}={quoteattr(str(hints['namespace']))}"


def _object(value: Any) -> JsonObject:
    return value if isinstance(value, dict) else {}
