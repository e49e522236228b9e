"""What a run says to upstreams that talk while they are called."""

from __future__ import annotations

from functools import partial

import orjson

from integrations.conversation import Elicitation, ElicitationAnswer, Reply
from proxy.calls import Settlement, Talk
from proxy.executions.job import Job
from proxy.sandbox import ToolCall


def talk_of(job: Job, call: ToolCall, reply: Reply | None) -> Talk:
    """The other end of one call: progress goes to the observer, questions in the middle of a call to nobody."""
    step = partial(job.observer.call_progress, call.seq, call.path)
    return Talk(step, job.execution_id, _nobody, reply)


async def _nobody(question: Elicitation) -> ElicitationAnswer | None:
    return None


def not_shown(path: str) -> Settlement:
    """The upstream asks what people cannot be shown as it is."""
    message = (
        f"The MCP server behind `{path}` asks for input in a form that cannot be shown; it was not answered."
    )
    error = {"code": "mcp_tool_error", "message": message, "retryable": False}
    return Settlement(orjson.dumps({"ok": False, "error": error}), False, "mcp_tool_error")
