"""What an operation does, as far as its method and path say it, in words of the index that no text contains.

Whoever looks for "add a webhook" has to find `POST /webhook_endpoints` although no word of it says "add". And
versions of one resource (`/apis/batch/v1/...`, `/apis/batch/v1beta1/...`) are one thing for a search.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from integrations.base import ToolDefinition

CREATE: Final = "+create"
GET: Final = "+get"
LIST: Final = "+list"
UPDATE: Final = "+update"
DELETE: Final = "+delete"
ACT: Final = "+act"

_PARAMETER_LAST = re.compile(r"\{[^{}]*\}/?$")
_VERSION = re.compile(r"v(\d{1,3})(?:(alpha|beta)(\d{1,3})?)?")
_STAGE = {"alpha": 0, "beta": 1, None: 2}


def actions_of(tool: ToolDefinition) -> Iterator[str]:
    """Usually one; two where a method has two customary meanings."""
    if not tool.path:
        yield from _by_risk(tool)
        return
    one = _PARAMETER_LAST.search(tool.path) is not None
    match tool.method:
        case "GET" | "HEAD" | "QUERY":
            yield GET if one else LIST
        case "POST":
            # Some APIs update by POST to the thing itself; a path that ends in a word creates one or acts.
            yield UPDATE if one else CREATE
            if not one and "{" in tool.path:
                yield ACT
        case "PUT":
            yield UPDATE
            if "{" in tool.path and not one:
                yield ACT
        case "PATCH":
            yield UPDATE
        case "DELETE":
            yield DELETE


def _by_risk(tool: ToolDefinition) -> Iterator[str]:
    """GraphQL and MCP tell no more."""
    if tool.risk == "read":
        yield GET
        yield LIST
    elif tool.risk == "destructive":
        yield DELETE


def leaf_of(tool: ToolDefinition) -> str:
    """The last segment of the path that is no parameter: what the operation is about. "" without a path."""
    return next((each for each in reversed(tool.path.split("/")) if each and "{" not in each), "")


def generation_of(tool: ToolDefinition) -> tuple[str, tuple[int, int, int]] | None:
    """Method and path without their version segment, and that version: a later one compares greater.

    Stable ones come before betas and these before alphas, as Kubernetes orders its own.
    """
    segments = tool.path.split("/")
    for place, segment in enumerate(segments):
        found = _VERSION.fullmatch(segment)
        if found is not None:
            rest = "/".join((*segments[:place], "*", *segments[place + 1 :]))
            number, stage, minor = found.groups()
            return f"{tool.method} {rest}", (_STAGE[stage], int(number), int(minor or 0))
    return None
