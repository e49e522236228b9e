"""Bytes of a document to plain Python data. JSON through the one reader, YAML 1.2 through an event builder.

Limits: 64 MiB of source, as many levels of nesting as any value has (`MAX_DEPTH`), 2 million YAML nodes. YAML
aliases share the node they name and are counted as often as they are used, so that an alias bomb (T28) ends as an
error and not as memory; chains of aliases count with all levels they add up to.
"""

from __future__ import annotations

import re
from json import JSONDecodeError
from typing import Any

from integrations.base import JsonObject, SourceError
from integrations.json_text import JsonTooDeep, is_too_deep, read_bounded
from integrations.sources import MAX_SOURCE_BYTES, gc_paused

_QUOTED = re.compile(rb'[\[{][\s\[{]*"')


def parse_source(source: bytes, name: str) -> JsonObject:
    """One document. Raises `SourceError` naming `name` when it is too large, unreadable or no mapping."""
    if len(source) > MAX_SOURCE_BYTES:
        raise SourceError(f"{name}: {len(source)} bytes are more than the {MAX_SOURCE_BYTES} allowed")
    with gc_paused():
        tree = _parse(source, name)
    if not isinstance(tree, dict):
        raise SourceError(f"{name}: the document is not a mapping")
    return tree


def _parse(source: bytes, name: str) -> Any:
    text = source.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text[:1] in (b"{", b"["):
        try:
            return read_bounded(text)
        except JsonTooDeep as error:
            raise SourceError(f"{name}: {error}") from None
        except ValueError as error:
            problem = _no_json(error, name)
    else:
        problem = f"{name}: not YAML"
    from integrations.openapi.yaml_events import YamlLimit, YamlProblem, parse_yaml

    try:
        tree = parse_yaml(source)
    except YamlProblem as error:
        # JSON was meant where the first name is quoted, unless YAML reads it and only cannot use it.
        is_json = _QUOTED.match(text) is not None and not isinstance(error, YamlLimit)
        raise SourceError(problem if is_json else f"{name}:{error}") from None
    if is_too_deep(tree):
        raise SourceError(f"{name}: {JsonTooDeep()}, aliases written out")
    return tree


def _no_json(error: ValueError, name: str) -> str:
    if isinstance(error, JSONDecodeError):
        return f"{name}:{error.lineno}:{error.colno}: not JSON: {error.msg}"
    return f"{name}: not JSON: {error}"


def version_of(document: JsonObject, name: str) -> str:
    """`2.0`, `3.0`, `3.1` or `3.2`. Raises `SourceError` for anything else."""
    declared = str(document.get("openapi") or document.get("swagger") or "")
    major_minor = ".".join(declared.split(".")[:2])
    if declared in ("2", "2.0", "2.0.0"):
        return "2.0"
    if major_minor in ("3.0", "3.1", "3.2"):
        return major_minor
    if not declared:
        raise SourceError(f"{name}: neither `openapi` nor `swagger` is set: this is no OpenAPI document")
    raise SourceError(f"{name}: OpenAPI version {declared!r} is not supported (2.0, 3.0, 3.1 and 3.2 are)")
