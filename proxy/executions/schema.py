"""The JSON Schema (2020-12) of `structuredContent`, declared as the tools' `outputSchema`."""

from __future__ import annotations

from typing import Any, Final

STATUSES: Final = (
    "completed",
    "failed",
    "timeout",
    "canceled",
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
    },
    ["name", "message"],
)
_CALL: Final = _object(
    {"path": _TEXT, "ok": {"type": "boolean"}, "code": _TEXT, "ms": {"type": "number"}}, ["path", "ok", "ms"]
)
OUTPUT_SCHEMA: Final[dict[str, Any]] = _object(
    {
        "taskId": _TEXT,
        "executionId": _TEXT,
        "status": {"type": "string", "enum": list(STATUSES)},
        "runtimeId": _TEXT,
        "exitCode": {"type": "integer"},
        "result": {"description": "What the code returned; absent when it returned nothing."},
        "error": _ERROR,
        "logs": {"type": "array", "items": _object({"level": _TEXT, "text": _TEXT}, ["level", "text"])},
        "emitted": {"type": "array", "items": _object({"type": _TEXT}, ["type"])},
        "calls": {"type": "array", "items": _CALL},
        "durationMs": {"type": "number"},
        "workspaceId": _TEXT,
        "accountId": _TEXT,
        "sessionId": _TEXT,
        "catalogRevision": _TEXT,
        "recovery": {"type": "string", "enum": ["re_execute"]},
    },
    ["taskId", "executionId", "status", "logs", "emitted", "calls", "durationMs", "workspaceId", "accountId"],
)
