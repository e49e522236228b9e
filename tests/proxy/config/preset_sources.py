"""Documents for presets whose vendor puts none into a package: made from what the vendor's own client says."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from integrations.base import JsonObject

_OPERATION = re.compile(
    r"var (\w+) = \(options\) => \(options\??\.client \?\? client\)\.(\w+)\(\{(.*?)\n\}\);", re.S
)
# The document's own tag of this operation (getsentry/sentry-api-schema at 00372db5bad09f82db8e45818e4f7c6cab4b2d91);
# the client does not know tags.
_SENTRY_TAGS = {"listYourOrganizations": "Users"}


def _document(operations: list[tuple[str, str, str, str | None]]) -> JsonObject:
    """From (method, path, operationId, tag)."""
    paths: JsonObject = {}
    for method, path, identifier, tag in operations:
        tags = {"tags": [tag]} if tag else {}
        variables = [
            {"name": name, "in": "path", "required": True, "schema": {}}
            for name in re.findall(r"\{(\w+)\}", path)
        ]
        body: JsonObject = {"operationId": identifier, "parameters": variables, "responses": {}, **tags}
        paths.setdefault(path, {})[method] = body
    return {"openapi": "3.0.3", "info": {"title": "", "version": ""}, "paths": paths}


def sentry(client: str) -> JsonObject:
    """From the JavaScript of npm's `@sentry/api`: its functions are named like the operations."""
    found: list[tuple[str, str, str, str | None]] = []
    for name, method, options in _OPERATION.findall(client):
        url = re.search(r'url: "([^"]+)"', options)
        assert url is not None, name
        found.append((method, url[1], name, _SENTRY_TAGS.get(name)))
    return _document(found)


def gitlab() -> tuple[JsonObject, list[str]]:
    """A document of the operations that were looked up, and all of the real document's tags."""
    facts = yaml.safe_load(Path(__file__).with_name("gitlab.yaml").read_text())
    operations = [(one["method"], one["path"], one["id"], one["tag"]) for one in facts["operations"]]
    return _document(operations), facts["tags"]


def members(types: str, name: str) -> dict[str, str]:
    """The members of one TypeScript type of npm's `@linear/sdk`, and how their types are written."""
    found = re.search(rf"^type {name} = (?:\w+ & )*\{{\n(.*?)^\}};", types, re.S | re.M)
    assert found is not None, name
    return dict(re.findall(r"^  (\w+)\??: (.+);$", found[1], re.M))
