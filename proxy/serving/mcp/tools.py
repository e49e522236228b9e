"""The two MCP tools: their schemas and the check of their arguments.

A wrong argument is a tool result with `isError` that names the field, not a protocol error: the model reads
it and can do better (MCP 2025-11-25, SEP-1303). Only an unknown tool name is -32602.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, get_args

from integrations.base import JsonObject
from integrations.conversation import ElicitAction
from integrations.json_text import JsonTooDeep, is_too_deep, write_value
from integrations.lossless import integer_from, object_from, typescript
from proxy.catalog import PAUSE_RULE
from proxy.config import ElicitationMode
from proxy.executions import ExecutionRequest

MAX_CODE_CHARACTERS: Final = 262_144
MIN_TIMEOUT_MS: Final = 100
MAX_TIMEOUT_MS: Final = 600_000
METADATA_BYTES: Final = 16_384
ACTIONS: Final[tuple[ElicitAction, ...]] = get_args(ElicitAction)
RESUME_DESCRIPTION: Final = (
    "Continue an execution that waits for a decision. Call it only with the executionId of an earlier "
    "`execute` or `resume` result whose status is waiting_for_interaction or running. accept lets the waiting calls "
    "run, decline refuses them, cancel ends the execution. Without an action it waits up to 4 minutes for "
    "somebody who decides elsewhere."
)
WAIT_DESCRIPTION: Final = (
    "Wait for a person's decision about a paused execution, up to 4 minutes, and give its next result. Call it only "
    "with the executionId of an earlier result whose status is user_approval_required, waiting_for_interaction or "
    "running; call it again while nobody has decided. You cannot decide yourself."
)
PAUSE_RULES: Final[Mapping[ElicitationMode, str]] = {
    "model": PAUSE_RULE,
    "browser": (
        "A call that needs approval pauses everything: give the user the approvalUrl, then call resume to wait for "
        "the decision."
    ),
    "native": "A call that needs approval asks the user by itself, and the code goes on with the answer.",
}
"""What the description of `execute` says about calls that need approval."""


def execute_schema(runtimes: tuple[str, ...]) -> JsonObject:
    """JSON Schema 2020-12 of the arguments of `execute`."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["code"],
        "properties": {
            "code": {
                "type": "string",
                "minLength": 1,
                "maxLength": MAX_CODE_CHARACTERS,
                "description": "JavaScript or TypeScript. Top-level await works; `return` gives the result.",
            },
            "timeoutMs": {
                "type": "integer",
                "minimum": MIN_TIMEOUT_MS,
                "maximum": MAX_TIMEOUT_MS,
                "description": "Active running time allowed, in milliseconds.",
            },
            "runtimeId": {"type": "string", "enum": list(runtimes)},
            "sessionId": {"type": "string", "maxLength": 256, "description": "Groups related executions."},
            "metadata": {"type": "object", "description": "Stored in the audit record, never interpreted."},
        },
    }


def resume_schema(*, decides: bool = True) -> JsonObject:
    """JSON Schema 2020-12 of the arguments of `resume`; where a person `decides`, it only waits."""
    execution: JsonObject = {
        "executionId": {"type": "string", "minLength": 1, "maxLength": 128},
    }
    schema: JsonObject = {"type": "object", "additionalProperties": False, "required": ["executionId"]}
    if not decides:
        return {**schema, "properties": execution}
    return {
        **schema,
        "properties": {
            **execution,
            "action": {"type": "string", "enum": list(ACTIONS)},
            "content": {
                "type": ["object", "string"],
                "description": "What the interaction asked for: an object, or a JSON string of one.",
            },
            "interactionId": {
                "type": "string",
                "maxLength": 128,
                "description": "Default: all that are waiting.",
            },
        },
    }


class BadArgument(Exception):
    """The text tells the model which field is wrong and what is expected."""


def read_execute(
    arguments: Mapping[str, Any], runtimes: tuple[str, ...], session_id: str | None
) -> ExecutionRequest:
    """Raises `BadArgument`."""
    _only(arguments, execute_schema(runtimes))
    runtime = _text(arguments, "runtimeId") or runtimes[0]
    if runtime not in runtimes:
        raise BadArgument(f"`runtimeId` must be one of {', '.join(runtimes)}, not `{runtime[:64]}`.")
    given = arguments.get("metadata")
    metadata = object_from(given) if given is not None else {}
    if metadata is None:
        raise BadArgument(_wrong("metadata", "an object", arguments["metadata"]))
    try:
        size = len(write_value(metadata))
    except JsonTooDeep as why:
        raise BadArgument(f"`metadata` must not be {why}.") from None
    if size > METADATA_BYTES:
        raise BadArgument(
            f"`metadata` must not be larger than {METADATA_BYTES} bytes; audit records hold it."
        )
    return ExecutionRequest(
        code=_code(arguments),
        timeout_ms=_timeout(arguments),
        runtime_id=runtime,
        session_id=_text(arguments, "sessionId", 256) or session_id,
        metadata=metadata,
    )


@dataclass(frozen=True, slots=True)
class ResumeArguments:
    """The arguments of `resume`. `action` None: wait."""

    execution_id: str
    action: str | None
    content: JsonObject | None
    interaction_id: str | None


def read_resume(arguments: Mapping[str, Any]) -> ResumeArguments:
    """Takes a decision in every mode: whether it counts is not a matter of form. Raises `BadArgument`."""
    _only(arguments, resume_schema())
    execution = _text(arguments, "executionId", 128)
    if not execution:
        raise BadArgument("`executionId` is required: the id from the result of the execution that waits.")
    action = _text(arguments, "action")
    if action is not None and action not in ACTIONS:
        raise BadArgument("`action` must be accept, decline or cancel; leave it out to wait.")
    interaction = _text(arguments, "interactionId", 128)
    return ResumeArguments(execution, action, _content(arguments.get("content")), interaction)


def _only(arguments: Mapping[str, Any], schema: JsonObject) -> None:
    unknown = sorted(set(arguments) - set(schema["properties"]))
    if unknown:
        known = ", ".join(schema["properties"])
        raise BadArgument(f"unknown property `{unknown[0][:64]}`; the properties are {known}.")


def _text(arguments: Mapping[str, Any], name: str, limit: int = 1024) -> str | None:
    value = arguments.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise BadArgument(_wrong(name, "a string", value))
    if len(value) > limit:
        raise BadArgument(f"`{name}` must have at most {limit} characters.")
    return value


def _code(arguments: Mapping[str, Any]) -> str:
    code = arguments.get("code")
    if code is None:
        raise BadArgument("`code` is required: the JavaScript or TypeScript to run.")
    if not isinstance(code, str):
        raise BadArgument(f"`code` must be a string, not {typescript(code)}.")
    length = len(code.strip())
    if length == 0:
        raise BadArgument("`code` must not be empty.")
    if length > MAX_CODE_CHARACTERS:
        raise BadArgument(f"`code` has {length:,} characters; at most {MAX_CODE_CHARACTERS:,} are allowed.")
    return code


def _timeout(arguments: Mapping[str, Any]) -> int | None:
    value = arguments.get("timeoutMs")
    if value is None:
        return None
    # JSON Schema 2020-12 counts 5.0 as an integer, and models write "5000".
    milliseconds = integer_from(value)
    if milliseconds is None or not MIN_TIMEOUT_MS <= milliseconds <= MAX_TIMEOUT_MS:
        raise BadArgument(_wrong("timeoutMs", f"an integer from {MIN_TIMEOUT_MS} to {MAX_TIMEOUT_MS}", value))
    return milliseconds


def _wrong(name: str, what: str, value: Any) -> str:
    return f"`{name}` must be {what}, not {typescript(value)}; leave it out if you do not need it."


def _content(value: Any) -> JsonObject | None:
    content = object_from(value) if value is not None else None
    if content is None and value is not None:
        what = "an object, or a string that holds a JSON object"
        raise BadArgument(_wrong("content", what, value))
    if is_too_deep(content):
        raise BadArgument(f"`content` must not be {JsonTooDeep()}.")
    return content
