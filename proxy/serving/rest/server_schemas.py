"""The schemas of the workspace API: what it takes and answers about MCP servers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from integrations.base import JsonObject
from proxy.overlay.registration import LONGEST_NAME, USUAL_TIMEOUT_MS
from proxy.overlay.statuses import EXPLAINED_STATUSES, PLAIN_STATUSES

_TEXT: Final[JsonObject] = {"type": "string"}
_FILLED: Final[JsonObject] = {"type": "string", "minLength": 1}


def server_schemas() -> JsonObject:
    texts: JsonObject = {"type": "object", "additionalProperties": _TEXT}
    status = {"$ref": "#/components/schemas/ServerStatus"}
    return {
        "ServerStatus": {
            "oneOf": [
                *(_closed({"status": {"const": word}}, ("status",)) for word in PLAIN_STATUSES),
                *(
                    _closed({"status": {"const": word}, "error": _TEXT}, ("status", "error"))
                    for word in EXPLAINED_STATUSES
                ),
            ]
        },
        "ServerStatuses": {"type": "object", "additionalProperties": status},
        "Connected": {"oneOf": [{"const": True}, status]},
        "True": {"const": True},
        "Success": _closed({"success": {"const": True}}, ("success",)),
        "ServerRegistration": _closed(
            {
                "name": {"type": "string", "minLength": 1, "maxLength": LONGEST_NAME},
                "config": {"oneOf": [_local(texts), _remote(texts)]},
            },
            ("name", "config"),
        ),
        "ServerSignIn": _closed({"authorizationUrl": _TEXT}, ("authorizationUrl",)),
        "ServerSignInCallback": _closed({"code": _FILLED, "state": _FILLED, "iss": _FILLED}, ("code",)),
        "ExportedServers": _exported(),
    }


def _closed(properties: JsonObject, required: Iterable[str]) -> JsonObject:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def _shared(kind: str) -> JsonObject:
    timeout = {
        "type": "integer",
        "minimum": 1,
        "default": USUAL_TIMEOUT_MS,
        "description": "For requests to the server, in milliseconds.",
    }
    return {"type": {"const": kind}, "enabled": {"type": "boolean", "default": True}, "timeout": timeout}


def _local(texts: JsonObject) -> JsonObject:
    command = {
        "type": "array",
        "items": _TEXT,
        "minItems": 1,
        "description": "The program and its arguments.",
    }
    return _closed({**_shared("local"), "command": command, "environment": texts}, ("type", "command"))


def _remote(texts: JsonObject) -> JsonObject:
    issuer = {**_FILLED, "description": "The authorization server; needed with `clientSecret`."}
    keys = {"clientId": _FILLED, "clientSecret": _FILLED, "scope": _FILLED, "issuer": issuer}
    oauth = {"oneOf": [{"type": "boolean"}, _closed(keys, ())]}
    return _closed({**_shared("remote"), "url": _FILLED, "headers": texts, "oauth": oauth}, ("type", "url"))


def _exported() -> JsonObject:
    server = _closed(
        {
            "name": _TEXT,
            "integration": _TEXT,
            "registeredBy": _TEXT,
            "registeredAtMs": {"type": "integer"},
            "notServed": {**_TEXT, "description": "Why it is left out, such as a file that names it too."},
        },
        ("name", "integration", "registeredBy", "registeredAtMs"),
    )
    names: JsonObject = {"type": "array", "items": _TEXT, "description": "Variables that `yaml` refers to."}
    servers: JsonObject = {"type": "array", "items": server}
    return _closed({"yaml": _TEXT, "variables": names, "servers": servers}, ("yaml", "variables", "servers"))
