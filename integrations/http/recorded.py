"""Answers that were kept, so that a document can be read again without its server.

Kept are a digest of each request, which may hold keys in its query, and the answer that it led to in the end: redirects
are followed by whoever asked, and their targets, which may be signed, are not kept.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from integrations.http.client import HttpClient, HttpResponse, _Call
from integrations.http.errors import Unreachable
from integrations.http.redirects import redirected
from integrations.http.transport import TransportOptions

_CONDITIONAL = frozenset({"if-none-match", "if-modified-since"})


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """`url` is where it was found, without its query."""

    status: int
    url: str
    media_type: str
    body: bytes

    def as_json(self) -> dict[str, Any]:
        head: dict[str, Any] = {"status": self.status, "url": self.url, "type": self.media_type}
        try:
            return {**head, "text": self.body.decode("utf-8")}
        except UnicodeDecodeError:
            return {**head, "base64": base64.b64encode(self.body).decode()}

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> KeptAnswer:
        """Raises `ValueError`, `KeyError`, `TypeError` for what `as_json` does not write."""
        body = base64.b64decode(kept["base64"]) if "base64" in kept else str(kept["text"]).encode()
        return cls(int(kept["status"]), str(kept["url"]), str(kept["type"]), body)


@dataclass(slots=True)
class _Asked:
    """What one owner was answered, and where its redirects lead: from the target to the first request."""

    answers: dict[str, KeptAnswer] = field(default_factory=dict)
    led_from: dict[str, str] = field(default_factory=dict)


class RecordingClient(HttpClient):
    """Asks like any client, always for the whole answer, and keeps it for the owner of the connection."""

    def __init__(self) -> None:
        super().__init__()
        self._asked: dict[str, _Asked] = {}

    async def __aenter__(self) -> RecordingClient:
        return self

    def kept(self, owner: str) -> Mapping[str, KeptAnswer]:
        """Answers by the digest of their request."""
        return self._asked.get(owner, _Asked()).answers

    async def _send(self, call: _Call, transport: TransportOptions, owner: str = "") -> HttpResponse:
        call.headers[:] = [one for one in call.headers if one[0].lower() not in _CONDITIONAL]
        response = await super()._send(call, transport, owner)
        asked = self._asked.setdefault(owner, _Asked())
        key = request_key(call.method, call.url, call.body)
        first = asked.led_from.pop(key, key)
        target = redirected(response)
        if target is not None:
            asked.led_from[request_key(call.method, target, call.body)] = first
        else:
            found = response.url.split("?")[0]
            media_type = response.header("content-type")
            asked.answers[first] = KeptAnswer(response.status, found, media_type, response.body)
        return response


class KeptClient(HttpClient):
    """Answers what was kept, and sends nothing. Raises `Unreachable` for anything else."""

    def __init__(self, answers: Mapping[str, KeptAnswer]) -> None:
        super().__init__()
        self._answers = answers

    async def _send(self, call: _Call, transport: TransportOptions, owner: str = "") -> HttpResponse:
        kept = self._answers.get(request_key(call.method, call.url, call.body))
        if kept is None:
            raise Unreachable(f"{call.url.split('?')[0]} is not in the vendored catalog")
        return HttpResponse(kept.status, [("content-type", kept.media_type)], kept.body, kept.url)


def request_key(method: str, url: str, body: bytes | None) -> str:
    """The digest that stands for a request; who asks, and with which credential, does not count."""
    return hashlib.sha256(b"\0".join((method.encode(), url.encode(), body or b""))).hexdigest()
