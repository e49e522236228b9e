"""One call of the REST API, and what it is answered with. Values only: nothing here knows Quart or sockets.

Problem    the call is answered with an error: {error: {code, message}}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

import orjson

from proxy.principal import Principal
from proxy.serving.errors import Refusal

JsonObject = dict[str, Any]
_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


class Problem(Exception):
    """`code` is a word for programs, `message` a sentence for people. `headers` go on the answer."""

    def __init__(
        self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})

    @classmethod
    def of(cls, refusal: Refusal) -> Problem:
        """The same refusal in the words of this API."""
        forbidden = refusal.kind == "unauthorized" and refusal.fault.status == 403
        code = "forbidden" if forbidden else refusal.kind
        return cls(refusal.fault.status, code, refusal.message, refusal.headers)


def not_found() -> Problem:
    """Unknown and foreign ids look the same (T14)."""
    return Problem(404, "not_found", "There is nothing of this id that you may see.")


def wrong(message: str) -> Problem:
    """A value that cannot be used; the text names it."""
    return Problem(422, "invalid_argument", message)


@dataclass(frozen=True, slots=True)
class Answer:
    """A JSON body with its status."""

    body: Any
    status: int = 200


@dataclass(frozen=True, slots=True)
class Call:
    """Who calls, with which parameters. `body` is empty when none was sent; `key` is `Idempotency-Key`."""

    principal: Principal
    query: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    path: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    body: JsonObject = field(default_factory=dict)
    key: str | None = None

    def only(self, *names: str) -> None:
        """Raises `Problem` for query parameters that mean nothing here: a typo must not widen an answer."""
        unknown = sorted(self.query.keys() - {*names, "workspaceId"})
        if unknown:
            known = ", ".join((*names, "workspaceId"))
            raise wrong(f"Unknown query parameter `{unknown[0][:64]}`; there are: {known}.")

    def number(self, name: str, default: int, least: int, most: int) -> int:
        """A whole number of the query. Raises `Problem`."""
        text = self.query.get(name, str(default))
        if not (text.isascii() and text.isdigit() and len(text) < 10 and least <= int(text) <= most):
            raise wrong(f"`{name}` must be a whole number from {least} to {most}.")
        return int(text)

    def flag(self, name: str) -> bool:
        """`true` or `false` (the default) of the query. Raises `Problem`."""
        text = self.query.get(name, "false")
        if text not in ("true", "false"):
            raise wrong(f"`{name}` must be true or false.")
        return text == "true"

    def chosen(self, name: str, among: tuple[str, ...]) -> str | None:
        """One of a few words of the query, None without one. Raises `Problem`."""
        text = self.query.get(name)
        if text is not None and text not in among:
            raise wrong(f"`{name}` must be one of {', '.join(among)}.")
        return text


def read_object(raw: bytes) -> JsonObject:
    """A JSON object; nothing at all is an empty one. Raises `Problem`."""
    if not raw.strip():
        return {}
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise Problem(400, "bad_request", f"The body is not JSON: {error}.") from None
    if not isinstance(value, dict):
        raise Problem(400, "bad_request", "The body must be a JSON object.")
    return value
