"""The OpenAPI 3.1 document of the REST API, made from the table of routes and the schemas below."""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib import metadata
from typing import Final, get_args

from integrations.base import JsonObject
from integrations.fields import OWNERS
from integrations.oauth.authorization import CALLBACK_PARAMETERS
from policies.rules import Action
from proxy.executions import ELICIT_ACTIONS, OUTPUT_SCHEMA
from proxy.serving.mcp.tools import execute_schema
from proxy.serving.rest.approvals import MAX_WAIT_MS
from proxy.serving.rest.executions import RUNTIMES
from proxy.serving.rest.routes import Route
from proxy.serving.rest.server_schemas import server_schemas

_ERRORS_OF_EVERY_ROUTE: Final = (400, 401, 403, 422, 429, 503)
_ERRORS_OF_BODIES: Final = (413, 415)
_DESCRIPTIONS: Final = {
    400: "The request cannot be understood.",
    401: "No credential, or one that is unknown or expired.",
    403: "Not for this caller.",
    404: "There is nothing of this id that the caller may see.",
    409: "It does not fit what is there: decided already, over, or ambiguous.",
    410: "It has expired.",
    413: "The body is too large.",
    415: "The body is not application/json.",
    502: "The authorization server cannot be used; the message says why.",
    422: "A parameter or property has a wrong value; the message names it.",
    429: "A rate limit is used up; see Retry-After.",
    503: "The server is shutting down, or its state store does not answer; see Retry-After.",
}
_OPTIONAL: Final = frozenset({"ResumeRequest", "SignInRequest"})
_PARAMETER = re.compile(r"\{(\w+)\}")
_TEXT: Final[JsonObject] = {"type": "string"}


def _object(properties: JsonObject, required: Iterable[str] = ()) -> JsonObject:
    return {"type": "object", "properties": properties, "required": list(required)}


def _list(of: JsonObject) -> JsonObject:
    return {"type": "array", "items": of}


def _ref(name: str) -> JsonObject:
    return {"$ref": f"#/components/schemas/{name}"}


def document(table: Iterable[Route]) -> JsonObject:
    """The document. Its server is the origin it is fetched from (the view adds the path of our public address); each
    way to send a credential is a security scheme."""
    paths: JsonObject = {}
    for route in table:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Executor",
            "version": metadata.version("executor-proxy"),
            "description": "Run code, look at executions, and decide about calls that wait for approval.",
        },
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}, {"apiKey": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "apiKey": {"type": "apiKey", "in": "header", "name": "x-api-key"},
            },
            "schemas": _schemas(),
        },
    }


def _operation(route: Route) -> JsonObject:
    errors = sorted({*_ERRORS_OF_EVERY_ROUTE, *route.errors, *(_ERRORS_OF_BODIES if route.body else ())})
    answers: JsonObject = {"200": _content(route.summary, route.answer)}
    operation: JsonObject = {
        "operationId": route.name,
        "summary": route.summary,
        "parameters": _parameters(route),
        "responses": answers | {str(status): _content(_DESCRIPTIONS[status], "Error") for status in errors},
    }
    if route.body is not None:
        required = route.body not in _OPTIONAL
        operation["requestBody"] = {
            "required": required,
            "content": {"application/json": {"schema": _ref(route.body)}},
        }
    return operation


def _content(description: str, schema: str) -> JsonObject:
    return {"description": description, "content": {"application/json": {"schema": _ref(schema)}}}


def _parameters(route: Route) -> list[JsonObject]:
    found = [
        {"name": name, "in": "path", "required": True, "schema": _TEXT}
        for name in _PARAMETER.findall(route.path)
    ]
    found += [
        {"name": name, "in": "query", "required": name in route.required, "schema": dict(schema)}
        for name, schema in route.query.items()
    ]
    workspace = "Needed by callers who may enter several workspaces."
    found.append({"name": "workspaceId", "in": "query", "description": workspace, "schema": _TEXT})
    found += [
        {"name": name, "in": "header", "schema": dict(schema)} for name, schema in route.headers.items()
    ]
    return found


def _execute_request() -> JsonObject:
    """The arguments of `execute` as they are read: null is the same as nothing, and a text may hold a number or an
    object, because models write such."""
    schema = execute_schema(RUNTIMES)
    own = schema["properties"]
    return {
        **schema,
        "properties": {
            **own,
            "timeoutMs": {
                **own["timeoutMs"],
                "type": ["integer", "string", "null"],
                "pattern": r"^[0-9]+(\.0+)?$",
            },
            "runtimeId": {"enum": [*own["runtimeId"]["enum"], "", None]},
            "sessionId": {**own["sessionId"], "type": ["string", "null"]},
            "metadata": {**own["metadata"], "type": ["object", "string", "null"]},
        },
    }


def _schemas() -> JsonObject:
    return {
        "Error": _object(
            {"error": _object({"code": _TEXT, "message": _TEXT}, ("code", "message"))}, ("error",)
        ),
        "ExecuteRequest": _execute_request(),
        "ExecutionResult": OUTPUT_SCHEMA,
        **_decision_schemas(),
        **_execution_schemas(),
        **_catalog_schemas(),
        **_sign_in_schemas(),
        **server_schemas(),
    }


def _decision_schemas() -> JsonObject:
    interaction = OUTPUT_SCHEMA["properties"]["interaction"]
    decision: JsonObject = {
        "action": {"type": "string", "enum": list(ELICIT_ACTIONS)},
        "content": {
            "type": ["object", "string", "null"],
            "description": "What a form asked for, as an object or a JSON text of one; {outcome} for unknown outcomes.",
        },
        "interactionId": {
            "type": ["string", "null"],
            "minLength": 1,
            "maxLength": 128,
            "description": "Default: everything that waits.",
        },
    }
    waits: JsonObject = {"action": {"enum": [*ELICIT_ACTIONS, None]}}
    wait = {"type": "integer", "minimum": 0, "maximum": MAX_WAIT_MS, "default": 0}
    actions = {"type": "object", "additionalProperties": {"type": "string", "enum": list(ELICIT_ACTIONS)}}
    refused = _object({"code": _TEXT, "message": _TEXT}, ("code", "message"))
    approval = {
        "executionId": _TEXT,
        "workspaceId": _TEXT,
        "accountId": _TEXT,
        "sessionId": _TEXT,
        "createdAt": _TEXT,
        "mayApprove": {"type": "boolean", "description": "Whether your approval would count."},
        "interaction": _ref("Interaction"),
    }
    return {
        "Interaction": interaction,
        "ResumeRequest": _object({**decision, **waits, "waitMs": wait}) | {"additionalProperties": False},
        "DecideRequest": _object(decision, ("action",)) | {"additionalProperties": False},
        "Decided": _object(
            {
                "executionId": _TEXT,
                "status": _TEXT,
                "decided": actions,
                "refused": {"type": "object", "additionalProperties": refused},
            },
            ("executionId", "status", "decided"),
        ),
        "Approval": _object(approval, [name for name in approval if name != "sessionId"]),
        "ApprovalList": _object({"items": _list(_ref("Approval"))}, ("items",)),
    }


_NOT_ALWAYS = ("sessionId", "result", "code", "askedAtLine", "metadata")
"""In lists, and where nothing of the kind is known."""


def _execution_schemas() -> JsonObject:
    execution = {
        "executionId": _TEXT,
        "status": OUTPUT_SCHEMA["properties"]["status"],
        "workspaceId": _TEXT,
        "accountId": _TEXT,
        "sessionId": _TEXT,
        "mode": _TEXT,
        "createdAt": _TEXT,
        "expiresAt": _TEXT,
        "codeSha256": _TEXT,
        "code": _TEXT,
        "askedAtLine": {"type": "object", "additionalProperties": {"type": "integer"}},
        "metadata": {"type": "object"},
        "interactions": _list(_ref("Interaction")),
        "decided": {"type": "object", "additionalProperties": _TEXT},
        "calls": OUTPUT_SCHEMA["properties"]["calls"],
        "result": _ref("ExecutionResult"),
    }
    required = [name for name in execution if name not in _NOT_ALWAYS]
    page = {"items": _list(_ref("Execution")), "nextCursor": _TEXT}
    return {
        "Execution": _object(execution, required),
        "ExecutionPage": _object(page, ("items",)),
        "Canceled": _object({"executionId": _TEXT, "status": _TEXT}, ("executionId", "status")),
    }


def _catalog_schemas() -> JsonObject:
    number: JsonObject = {"type": "integer"}
    tool = _object({"path": _TEXT, "name": _TEXT, "description": _TEXT}, ("path",))
    page = {
        "items": _list(tool),
        "total": number,
        "hasMore": {"type": "boolean"},
        "nextOffset": {"type": ["integer", "null"]},
    }
    connection = {
        "connection": _TEXT,
        "integration": _TEXT,
        "kind": _TEXT,
        "status": _TEXT,
        "toolCount": number,
    }
    explanation = {
        "tool": _TEXT,
        "action": {"type": "string", "enum": list(get_args(Action))},
        "rule": {"type": ["string", "null"]},
        "default": {"type": ["string", "null"]},
        "reason": {"type": ["string", "null"]},
        "approver": {"type": ["string", "null"]},
        "conditional": {"type": "boolean"},
    }
    return {
        "ToolPage": _object({**page, "note": _TEXT, "notReady": _list({"type": "object"})}, page),
        "Tool": {"type": "object", "properties": {"path": _TEXT}},
        "ConnectionList": _object({"items": _list(_object(connection, connection))}, ("items",)),
        "Explanation": _object(explanation, explanation),
    }


def _device_schemas() -> JsonObject:
    number: JsonObject = {"type": "integer"}
    begun = {
        "verificationUri": _TEXT,
        "userCode": _TEXT,
        "state": _TEXT,
        "intervalMs": number,
        "expiresAtMs": number,
    }
    standing = {"connection": _TEXT, "status": {"type": "string", "enum": ["pending", "connected"]}}
    return {
        "BegunDeviceSignIn": _object({**begun, "verificationUriComplete": _TEXT}, begun),
        "DeviceSignInQuestion": _object({"state": _TEXT}, ("state",)) | {"additionalProperties": False},
        "DeviceSignInStanding": _object({**standing, "intervalMs": number, "reason": _TEXT}, standing),
    }


def _sign_in_schemas() -> JsonObject:
    number: JsonObject = {"type": "integer"}
    state = {
        "connection": _TEXT,
        "title": _TEXT,
        "owner": {"type": "string", "enum": list(OWNERS)},
        "maySignIn": {"type": "boolean"},
        "status": _TEXT,
    }
    begun = {
        "authorizationUrl": _TEXT,
        "state": _TEXT,
        "redirectUri": _TEXT,
        "expiresAtMs": {"type": "integer"},
    }
    callback: JsonObject = dict.fromkeys(CALLBACK_PARAMETERS, _TEXT)
    return {
        "SignInList": _object(
            {
                "items": _list(
                    _object({**state, "expiresAt": number, "reason": _TEXT, "redirectPort": number}, state)
                )
            },
            ("items",),
        ),
        "SignInRequest": _object(
            {
                "redirectUri": {
                    "type": "string",
                    "description": "`/oauth/callback` on a loopback address; default: this server's own.",
                }
            }
        )
        | {"additionalProperties": False},
        "BegunSignIn": _object(begun, begun),
        "SignInCallback": _object(callback, ("state",)) | {"additionalProperties": False},
        **_device_schemas(),
        "SignedIn": _object({"connection": _TEXT, "status": _TEXT}, ("connection", "status")),
        "SignedOut": _object(
            {"connection": _TEXT, "signedOut": {"type": "boolean"}}, ("connection", "signedOut")
        ),
    }
