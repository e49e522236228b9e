"""The JSON Schema (2020-12) of `structuredContent`, declared as the tools' `outputSchema`."""

from __future__ import annotations

from typing import Any, Final, get_args

from integrations.conversation import ElicitationKind
from policies.rules import Approver

STATUSES: Final = (
    "completed",
    "failed",
    "timeout",
    "canceled",
    "running",
    "waiting_for_interaction",
    "user_approval_required",
    "execution_not_found",
    "execution_expired",
    "execution_forbidden",
    "execution_already_settled",
)


def _object(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required}


_TEXT: Final = {"type": "string"}
_ERROR: Final = _object(
    {
        "name": _TEXT,
        "message": _TEXT,
        "stack": _TEXT,
        "line": {"type": "integer"},
        "column": {"type": "integer"},
        "fields": {"type": "object", "description": "What the code put into the error: `code`, `cause`."},
    },
    ["name", "message"],
)
_CALL: Final = _object(
    {"path": _TEXT, "ok": {"type": "boolean"}, "code": _TEXT, "ms": {"type": "number"}}, ["path", "ok", "ms"]
)
_INTERACTION: Final = _object(
    {
        "id": _TEXT,
        "kind": {"type": "string", "enum": ["approval", "outcome_unknown", *get_args(ElicitationKind)]},
        "message": _TEXT,
        "address": _TEXT,
        "args": {"type": "string", "description": "Canonical JSON, made visible; long values are folded."},
        "argsDigest": _TEXT,
        "argsBytes": {"type": "integer"},
        "rule": _object({"id": _TEXT, "pattern": _TEXT, "source": _TEXT, "reason": _TEXT}, ["id", "source"]),
        "approver": {"type": "string", "enum": list(get_args(Approver))},
        "calls": {"type": "integer"},
        "requestedSchema": {"type": "object"},
        "note": _TEXT,
        "url": _TEXT,
        "expiresAt": _TEXT,
    },
    ["id", "kind", "message", "address", "argsDigest", "expiresAt"],
)
OUTPUT_SCHEMA: Final[dict[str, Any]] = _object(
    {
        "taskId": _TEXT,
        "executionId": _TEXT,
        "status": {"type": "string", "enum": list(STATUSES)},
        "runtimeId": _TEXT,
        "exitCode": {"type": "integer"},
        "result": {"description": "What the code returned; absent when it returned nothing."},
        "error": {"type": "string", "description": "Name and message of what went wrong."},
        "errorDetails": _ERROR,
        "logs": {"type": "array", "items": _object({"level": _TEXT, "text": _TEXT}, ["level", "text"])},
        "emitted": {"type": "array", "items": _object({"type": _TEXT}, ["type"])},
        "calls": {"type": "array", "items": _CALL},
        "durationMs": {"type": "number"},
        "workspaceId": _TEXT,
        "accountId": _TEXT,
        "sessionId": _TEXT,
        "catalogRevision": _TEXT,
        "recovery": {"type": "string", "enum": ["re_execute"]},
        "note": _TEXT,
        "interaction": _INTERACTION,
        "interactions": {"type": "array", "items": _INTERACTION},
        "expiresAt": _TEXT,
        "approvalUrl": _TEXT,
    },
    ["taskId", "executionId", "status", "logs", "emitted", "calls", "durationMs", "workspaceId", "accountId"],
)
