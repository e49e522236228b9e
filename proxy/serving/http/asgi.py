"""The few pieces of ASGI that the MCP paths need: a request value, a reply that knows its state, a bounded body."""

from __future__ import annotations

import re
import secrets
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl

import anyio

from integrations.base import JsonObject
from integrations.json_text import MAX_DEPTH, JsonTooDeep, is_too_deep, read_json
from proxy.principal import Principal
from proxy.serving.http.errors import RefusalKind, RequestRefusal
from proxy.serving.http.held import STATE_KEY, HeldConnection

AsgiScope = MutableMapping[str, Any]
AsgiMessage = MutableMapping[str, Any]
AsgiReceive = Callable[[], Awaitable[AsgiMessage]]
AsgiSend = Callable[[AsgiMessage], Awaitable[None]]
AsgiApp = Callable[[AsgiScope, AsgiReceive, AsgiSend], Awaitable[None]]

BASE_KEY: Final = "executor.base"
"""Where a scope has the path of our public address, which stands before every path that we link to."""

_MAX_QUERY_FIELDS = 64
_READ_AWAY_SECONDS = 5.0
_ENDS_BYTES = 16 * 1024
NEAR: Final = "127.0.0.1"
"""The address of whoever comes through a unix socket."""
_CALLER_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_LISTS = frozenset({"x-forwarded-for"})
# Headers that mean something different when a proxy reads the first copy and we read the last.
_SINGLE = frozenset(
    {"authorization", "content-length", "content-type", "host", "mcp-session-id", "origin", "x-api-key"}
)


OUTCOME_KEY = "executor.outcome"
"""Where the scope of a request holds its `RequestOutcome`."""


@dataclass(slots=True)
class RequestOutcome:
    """What became known about a request while it was served, for the log: its id, who asked, and why it was refused.
    `status` is set where the refusal is not that of the HTTP answer."""

    request_id: str = ""
    principal: Principal | None = None
    reason: str = ""
    status: int | None = None


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One HTTP request without its body. Header names are lower case; `query` keeps the first of equal names, and
    those with different values are `ambiguous`. `held` is the connection that it came on; `base` stands before the
    paths that we link to (no slash at its end); whoever learns something about the request writes it into `outcome`.
    `is_tls` is about the connection to us."""

    method: str
    path: str
    headers: Mapping[str, str]
    repeated: frozenset[str]
    query: Mapping[str, str]
    peer_ip: str
    request_id: str
    held: HeldConnection | None = None
    base: str = ""
    outcome: RequestOutcome = field(default_factory=RequestOutcome)
    is_tls: bool = False
    is_http_1_0: bool = False
    ambiguous: frozenset[str] = frozenset()

    @classmethod
    def of(cls, scope: AsgiScope) -> HttpRequest:
        headers, repeated = _fold(scope["headers"])
        given = headers.get("x-request-id", "")
        # A unix socket has no address: who may open it is decided by its mode, so it counts as this machine.
        client = scope.get("client") or (NEAR, 0)
        query, ambiguous = _query(scope.get("query_string", b""))
        outcome: RequestOutcome = scope.setdefault(OUTCOME_KEY, RequestOutcome())
        if not outcome.request_id:
            # Whoever reads the request again finds the same id.
            own = given if _CALLER_REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
            outcome.request_id = own
        return cls(
            method=scope["method"],
            path=scope["path"],
            headers=headers,
            repeated=repeated,
            query=query,
            peer_ip=client[0] or NEAR,
            held=scope.get("state", {}).get(STATE_KEY),
            base=scope.get(BASE_KEY, ""),
            outcome=outcome,
            request_id=outcome.request_id,
            is_tls=scope.get("scheme") == "https",
            is_http_1_0=scope.get("http_version") == "1.0",
            ambiguous=ambiguous,
        )

    def refuse_repeated(self) -> None:
        """Raises `RequestRefusal` when a header that may occur once occurs twice (request smuggling, T35), or a query
        parameter has two values: whoever stands before us may have looked at the other one."""
        for name in sorted(self.repeated & _SINGLE):
            kind: RefusalKind = "bad_origin" if name == "origin" else "bad_request"
            raise RequestRefusal(kind, f"The header {name} is given more than once.")
        # A name like `match[]` is that of a list, as Prometheus asks for one.
        for name in sorted(name for name in self.ambiguous if not name.endswith("[]")):
            message = f"The query parameter `{name[:64]}` is given more than once, with different values."
            raise RequestRefusal("bad_request", message)


def _fold(raw: Iterable[tuple[bytes, bytes]]) -> tuple[dict[str, str], frozenset[str]]:
    headers: dict[str, str] = {}
    repeated: set[str] = set()
    for raw_name, raw_value in raw:
        name = raw_name.decode("latin-1").lower()
        value = raw_value.decode("latin-1").strip()
        if name in headers:
            repeated.add(name)
            # A proxy may add a line of its own instead of going on with the one it got: both are one list.
            value = f"{headers[name]}, {value}" if name in _LISTS else value
        headers[name] = value
    return headers, frozenset(repeated)


def _query(raw: bytes) -> tuple[dict[str, str], frozenset[str]]:
    """The first `_MAX_QUERY_FIELDS`, because nobody who means well sends more; and the names with several values."""
    values: dict[str, str] = {}
    ambiguous: set[str] = set()
    fields = raw.decode("latin-1").split("&")[:_MAX_QUERY_FIELDS] if raw else []
    for name, value in parse_qsl("&".join(fields), keep_blank_values=True):
        if values.setdefault(name, value) != value:
            ambiguous.add(name)
    return values, frozenset(ambiguous)


class HttpReply:
    """Where the answer goes. Adds the common headers once and remembers what was sent."""

    def __init__(self, send: AsgiSend) -> None:
        self._send = send
        self.common: list[tuple[bytes, bytes]] = []
        self.status = 0
        self.gone = False
        self.ended = False

    @property
    def started(self) -> bool:
        return self.status != 0

    def always(self, name: str, value: str) -> None:
        """Put this header on whatever is answered."""
        self.common.append((name.encode("latin-1"), value.encode("latin-1")))

    async def start(self, status: int, headers: Mapping[str, str]) -> None:
        self.status = status
        own = [(name.encode("latin-1"), _header_value(value)) for name, value in headers.items()]
        if not self.gone:
            await self._send({"type": "http.response.start", "status": status, "headers": own + self.common})

    async def body(self, data: bytes, *, more: bool = False) -> None:
        if not self.gone and not self.ended:
            self.ended = not more
            await self._send({"type": "http.response.body", "body": data, "more_body": more})

    async def json(
        self, status: int, body: bytes, headers: Mapping[str, str] | None = None, *, more: bool = False
    ) -> None:
        """One complete answer; `more` leaves it open for a last `body(b"")`. Without a body (202, 204) no
        content type is claimed."""
        own = dict(headers or {})
        own["content-length"] = str(len(body))
        if body:
            own.setdefault("content-type", "application/json")
        await self.start(status, own)
        await self.body(body, more=more)


def _header_value(value: str) -> bytes:
    """What cannot stand in a header (RFC 9110 section 5.5) is replaced: an error must not fail on its own text."""
    return "".join(c if " " <= c <= "\x7e" or c == "\t" else "?" for c in value).encode("latin-1")


class HttpReceiver:
    """The receiving side of one request; `complete` once the body has arrived whole or the client has left."""

    def __init__(self, receive: AsgiReceive) -> None:
        self._receive = receive
        self.complete = False

    async def __call__(self) -> AsgiMessage:
        message = await self._receive()
        self.complete = message["type"] == "http.disconnect" or not message.get("more_body", False)
        return message


class BodyTooLarge(RequestRefusal):
    """413. `read` is what had been read of the body by then."""

    def __init__(self, limit: int, read: bytes = b"") -> None:
        message = f"The request body is larger than {limit} bytes."
        super().__init__("too_large", message, headers={"connection": "close"})
        self.read = read


async def read_body(request: HttpRequest, receive: AsgiReceive, limit: int) -> bytes:
    """The whole body, at most `limit` bytes. Raises `BodyTooLarge` before reading more than that."""
    declared = request.headers.get("content-length", "0")
    if declared.isdecimal() and int(declared) > limit:
        raise BodyTooLarge(limit)
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise RequestRefusal("bad_request", "The client left before the body was complete.")
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > limit:
            raise BodyTooLarge(limit, b"".join(chunks))
        if not message.get("more_body", False):
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)


async def read_away(inbox: HttpReceiver, read: bytes = b"") -> tuple[bytes, bytes]:
    """Read what a refused client still sends, for a while: Hypercorn resets a connection whose answer ends before its
    request, and a client that sends its whole body before it reads would never see the error.

    The first and the last bytes of the body, of which `read` was read before; no last ones when it did not end.
    """
    start, end = read[:_ENDS_BYTES], read[-_ENDS_BYTES:]
    with anyio.move_on_after(_READ_AWAY_SECONDS):
        while not inbox.complete:
            chunk = (await inbox()).get("body", b"")
            start += chunk[: _ENDS_BYTES - len(start)]
            end = (end + chunk)[-_ENDS_BYTES:]
    return start, end if inbox.complete else b""


def read_object(raw: bytes) -> JsonObject:
    """The JSON object of a body; an empty body is an empty object. Raises `RequestRefusal`."""
    if not raw.strip():
        return {}
    try:
        value = read_json(raw)
    except JsonTooDeep as deep:
        raise RequestRefusal("bad_request", f"The JSON of the body is {deep}.") from None
    except ValueError as error:
        raise RequestRefusal("bad_request", f"The body is not JSON: {error}.") from None
    if not isinstance(value, dict):
        raise RequestRefusal("bad_request", "The body must be a JSON object.")
    if is_too_deep(value, MAX_DEPTH + 2):  # what a body holds is bounded, not what is around it
        raise RequestRefusal("bad_request", f"The JSON of the body is {JsonTooDeep()}.")
    return value
