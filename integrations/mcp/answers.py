"""What an HTTP answer to one request says when it is not the plain one: the session is unknown, or there is no message.

Pure. Servers in the field, and the gateways before them, say with any status and in any shape that they do not know a
session: JSON-RPC with or without an id, other JSON, plain text, a page. A request that was refused for that reason was
not run, so it may be sent again. An answer that says nothing leaves open whether the request was run.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from integrations.base import JsonObject
from integrations.json_text import read_json, write_json
from integrations.mcp.errors import McpError, says_session_is_unknown

_MESSAGE = b'"jsonrpc"'
_ERROR = b'"error"'
_ERROR_BYTES = 64 * 1024
_SHOWN = 200
_OPENING = ("initialize", "server/discover")
_MARKUP = re.compile(r"<(?:style|script)\b.*?</(?:style|script)>|<[^>]*>", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class AskedRequest:
    """The JSON-RPC request that an HTTP request carries."""

    id: Any
    method: str

    @property
    def opens(self) -> bool:
        """Whether it opens a session, which it therefore cannot have lost."""
        return self.method in _OPENING


def request_in(body: bytes) -> AskedRequest | None:
    """None for a notification, for an answer of ours, and for no body."""
    message = _object(body)
    if message is None or message.get("id") is None or not isinstance(message.get("method"), str):
        return None
    return AskedRequest(message["id"], message["method"])


def is_plain_result(content: bytes) -> bool:
    """Whether there is nothing to look at: most answers, however large."""
    return _MESSAGE in content and _ERROR not in content


def error_in(content: bytes) -> JsonObject | None:
    """The error object of JSON-RPC in an answer."""
    message = _object(content)
    error = message.get("error") if message is not None else None
    return error if isinstance(error, dict) and isinstance(error.get("code"), int) else None


def reason_in(error: JsonObject) -> str:
    """Everything that an error says in words."""
    return reason_of(str(error.get("message", "")), error.get("data"))


def reason_of(message: str, data: Any) -> str:
    """The message, and the data where that is text or has a message."""
    said = data.get("message") or data.get("error") if isinstance(data, dict) else data
    return f"{message}: {said}" if isinstance(said, str) and said else message


def session_is_unknown(status: int, reason: str, *, has_session: bool) -> bool:
    """404 is the specification's sign of it, for requests with a session; any status may say it in words."""
    return (has_session and status in (404, 410)) or says_session_is_unknown(reason)


def lost_session(reason: str, status: int | None = None) -> McpError:
    said = _shown(reason)
    return McpError(
        "session", f"the server no longer knows the session{f': {said}' if said else ''}", status=status
    )


def checked_message(content: bytes, asked: AskedRequest, status: int, content_type: str) -> bytes:
    """The message for the caller of `asked`, whatever the status below 400 and the media type. Raises `McpError` when
    the answer is none.
    """
    if _MESSAGE not in content:
        raise _no_message(content, asked, status, content_type)
    if _ERROR not in content or len(content) > _ERROR_BYTES:
        return content
    message = _object(content)
    if message is None or "result" in message or message.get("id") is not None or error_in(content) is None:
        return content
    return write_json({**message, "id": asked.id})


def _no_message(content: bytes, asked: AskedRequest, status: int, content_type: str) -> McpError:
    text = content[: _ERROR_BYTES // 16].decode("utf-8", "replace")
    if not asked.opens and says_session_is_unknown(text):
        return lost_session(text, status)
    said = _shown(text)
    what = f"{content_type or 'text'} ({said})" if said else "nothing"
    return McpError(
        "http",
        f"the server answered {status} with {what} instead of a message of MCP",
        sent=True,
        status=status,
    )


def _shown(text: str) -> str:
    return " ".join(_MARKUP.sub(" ", text).split())[:_SHOWN]


def _object(content: bytes) -> JsonObject | None:
    try:
        parsed = read_json(content)
    except ValueError:
        return None
    return parsed if isinstance(parsed, dict) else None
