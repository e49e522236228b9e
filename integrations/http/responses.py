"""HTTP responses to results: how the body is read, and the error message when the status is no success."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from integrations.base import Failure, HttpInfo, JsonObject, Result, Success
from integrations.http import HttpResponse
from integrations.http.charsets import decode_text, says_utf8
from integrations.http.disposition import file_name
from integrations.http.media import is_form, is_json, is_json_sequence, is_ndjson, is_text, is_xml
from integrations.http.retry_after import (
    is_used_up,
    milliseconds_in_body,
    milliseconds_to_reset,
    milliseconds_to_wait,
)
from integrations.http.toolfile import tool_file
from integrations.json_text import MAX_DEPTH, JsonTooDeep, read_json, write_json, write_value

RETRYABLE = frozenset({408, 425, 429, 502, 503, 504})
# What code or a model acts on. The rest costs context, and may hold what nobody should see.
_NOTABLE_HEADERS = frozenset(
    """
    link location etag last-modified retry-after content-disposition deprecation sunset
    x-next-page x-page x-per-page x-total x-total-count x-total-pages
    """.split()
)
_NOTABLE_PREFIXES = ("ratelimit", "x-ratelimit", "x-rate-limit")
_MAX_HEADERS = 64
_NO_JSON = object()
_MAX_CHALLENGE = 4096
_MAX_DETAIL_BYTES = 16 * 1024
_HTML_TAGS = re.compile(r"<(script|style).*?</\1>|<[^>]*>", re.IGNORECASE | re.DOTALL)
_MESSAGE_KEYS = (
    "message",
    "Message",
    "detail",
    "error_description",
    "title",
    "error",
    "errorMessage",
    "msg",
    "reason",
    "errors",
)


def interpret(response: HttpResponse, method: str, *, structured: bool = False) -> Result:
    """The result agents see. 401 and 403 mean that the upstream rejected the connection's credential.

    `structured`: the document declares data, and not text or bytes, for this status and type of body.
    """
    info = HttpInfo(response.status, notable_headers(response))
    if 200 <= response.status < 300:
        try:
            return Success(read_body(response, method, structured=structured), info)
        except JsonTooDeep:
            return too_deep(response.status)
    return _failure(response, method, structured)


def too_deep(status: int) -> Failure:
    """A success with JSON beyond the depth limit."""
    message = (
        f"HTTP {status}: the answer is JSON nested more than {MAX_DEPTH} levels deep, and cannot be passed on; the "
        "call was sent and may have taken effect"
    )
    return Failure("upstream_response_too_deep", message, status=status, details={"sent": True})


def notable_headers(response: HttpResponse) -> dict[str, str]:
    """The headers that matter to a caller: paging, places, versions, files, waits and rate limits.

    Lower case, repeated ones joined by a comma.
    """
    out: dict[str, str] = {}
    for name, value in response.headers[:_MAX_HEADERS]:
        key = name.lower()
        if key in _NOTABLE_HEADERS or key.startswith(_NOTABLE_PREFIXES):
            out[key] = f"{out[key]}, {value}" if key in out else value
    return out


def read_body(response: HttpResponse, method: str, *, structured: bool = False) -> Any:
    """JSON parsed (unparsable JSON stays text), NDJSON, SSE and JSON sequences as lists, text as text, the rest as
    `ToolFile`. What is declared as data is data where it is JSON, whatever its type is called. Raises `JsonTooDeep`.
    """
    body = response.body
    if not body or response.status in (204, 205) or method == "HEAD":
        return [] if response.truncated else None
    declared = response.header("content-type")
    essence = declared.split(";")[0].strip().lower()
    if is_ndjson(essence):
        return _read_stream(response, essence, declared)
    if is_json(essence):
        return parse_json(body, declared)
    if structured and essence and not is_xml(essence) and (data := _data(body, declared)) is not None:
        return data
    if is_text(essence) or is_form(essence):
        return decode_text(body, declared)
    if not essence:
        return _sniff(response)
    # Parameters are part of the type: without its boundary nobody can read a multipart body.
    return tool_file(body, declared.strip(), file_name(response.header("content-disposition")))


def _read_stream(response: HttpResponse, essence: str, declared: str) -> list[Any]:
    text = decode_text(response.body, declared)
    if essence == "text/event-stream":
        return _events(text, response.truncated)
    if is_json_sequence(essence):
        return _sequence(text, response.truncated)
    return _lines(text, response.truncated)


def _data(body: bytes, declared: str) -> Any:
    """The object or list that the body is as JSON, else None."""
    if body.lstrip()[:1] not in (b"{", b"[") and says_utf8(body, declared):
        return None
    found = parse_json(body, declared)
    return found if isinstance(found, dict | list) else None


def _sniff(response: HttpResponse) -> Any:
    """No declared type: JSON if it is JSON, else text if it is UTF-8 without NUL, else bytes."""
    data = _json_or(response.body, _NO_JSON)
    if data is not _NO_JSON:
        return data
    name = file_name(response.header("content-disposition"))
    try:
        text = response.body.decode("utf-8")
    except UnicodeDecodeError:
        return tool_file(response.body, "application/octet-stream", name)
    return text if "\x00" not in text else tool_file(response.body, "application/octet-stream", name)


def parse_json(body: bytes, declared: str) -> Any:
    """RFC 8259 JSON in UTF-8 or its declared charset. Integers of any size are kept exactly. Raises `JsonTooDeep`."""
    utf8 = says_utf8(body, declared)
    found = _json_or(body.removeprefix(b"\xef\xbb\xbf") if utf8 else decode_text(body, declared), _NO_JSON)
    return decode_text(body, declared) if found is _NO_JSON else found


def _json_or(text: bytes | str, otherwise: Any) -> Any:
    """The value of this JSON, or `otherwise` where it is none. Raises `JsonTooDeep`."""
    try:
        return read_json(text)
    except JsonTooDeep:
        raise
    except ValueError:
        return otherwise


def _lines(text: str, truncated: bool) -> list[Any]:
    lines = [line for line in text.splitlines() if line.strip()]
    if truncated and lines and not text.endswith("\n"):
        lines.pop()
    return [_json_or(line, line) for line in lines]


def _sequence(text: str, truncated: bool) -> list[Any]:
    """RFC 7464: each text between record separators. A number or word without the line feed after it may be cut."""
    texts = [each for each in text.split("\x1e") if each.strip()]
    if truncated and texts and not texts[-1].endswith("\n"):
        texts.pop()
    return [_json_or(each, each.strip()) for each in texts]


def _events(text: str, truncated: bool) -> list[JsonObject]:
    """Server-sent events (WHATWG HTML 9.2): blocks of `event`, `id` and `data` lines; JSON data is parsed. What was
    cut off by a limit is no event.
    """
    out: list[JsonObject] = []
    blocks = re.split(r"\r\n\r\n|\n\n|\r\r", text)
    for block in blocks[:-1] if truncated else blocks:
        event: JsonObject = {}
        data: list[str] = []
        for line in block.splitlines():
            field, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if field == "data":
                data.append(value)
            elif field in ("event", "id") and value:
                event[field] = value
        if data:
            joined = "\n".join(data)
            event["data"] = _json_or(joined, joined)
            out.append(event)
    return out


def _failure(response: HttpResponse, method: str, structured: bool) -> Failure:
    status = response.status
    content = _error_body(response, method, structured)
    message = error_message(content)
    details: JsonObject = {}
    if headers := notable_headers(response):
        details["headers"] = headers
    if content is not None:
        details["body"] = _bounded(content)
    details |= wait_asked(response, content)
    # GitHub answers 403 where its rate limit is used up: nothing is wrong with the credential.
    limited = status == 403 and is_used_up(response.header)
    code = "connection_rejected" if status in (401, 403) and not limited else "upstream_http_error"
    said = message or "no further explanation"
    return Failure(
        code,
        f"HTTP {status}: {said}",
        limited or status in RETRYABLE,
        status,
        details,
        challenge_of(response),
    )


def challenge_of(response: HttpResponse) -> str:
    """The `WWW-Authenticate` of a refusal (RFC 9110 section 11.6.1), bounded."""
    if response.status not in (401, 403):
        return ""
    found = [value for name, value in response.headers if name.lower() == "www-authenticate"]
    return ", ".join(found)[:_MAX_CHALLENGE]


def _error_body(response: HttpResponse, method: str, structured: bool) -> Any:
    """The body; as text where it is JSON beyond the depth limit."""
    try:
        content = read_body(response, method, structured=structured)
        write_value(content)
    except JsonTooDeep:
        return decode_text(response.body, response.header("content-type"))
    return content


def wait_asked(response: HttpResponse, content: Any) -> JsonObject:
    """`{"retryAfterMs": 3000}` when the response, or its body's `content`, says when to come back."""
    wait = milliseconds_to_wait(response.header)
    if wait is None:
        wait = milliseconds_in_body(content)
    if wait is None and (response.status == 429 or is_used_up(response.header)):
        wait = milliseconds_to_reset(response.header)
    return {} if wait is None else {"retryAfterMs": wait}


def _bounded(content: Any) -> Any:
    encoded = write_json(content)
    if len(encoded) <= _MAX_DETAIL_BYTES:
        return content
    return encoded[:_MAX_DETAIL_BYTES].decode("utf-8", "ignore") + " ... (cut)"


def error_message(content: Any, depth: int = 0) -> str:
    """The best sentence in an error body: `message`, `detail` (RFC 9457), `title`, `error`, the first of `errors`."""
    if isinstance(content, str):
        plain = " ".join(_HTML_TAGS.sub(" ", content).split())
        return plain[:300]
    if depth > 4:
        return ""
    if isinstance(content, list):
        return next((text for item in content[:5] if (text := error_message(item, depth + 1))), "")
    if isinstance(content, dict) and content.get("_tag") != "ToolFile":
        for key in _MESSAGE_KEYS:
            if key in content and (text := error_message(content[key], depth + 1)):
                return text
        return "; ".join(_field_messages(content, only_lists=depth == 0))[:300]
    return ""


def _field_messages(content: JsonObject, only_lists: bool) -> Iterator[str]:
    """Validation errors by field: `{"name": ["is too short"]}`."""
    for name, value in list(content.items())[:5]:
        first = value[0] if isinstance(value, list) and value else value
        if isinstance(first, str) and (first is not value or not only_lists):
            yield f"{name}: {first}"
