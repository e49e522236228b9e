"""A request to the REST API, and its response. Values only: nothing here knows Quart or sockets.

ApiProblem    the request is answered with an error: {error: {code, message}}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from integrations.base import JsonObject
from proxy.principal import Principal
from proxy.serving.http.errors import FAULTS, Fault, RequestRefusal

_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


class ApiProblem(RequestRefusal):
    """A refusal with a word of this API: `code` is for programs, `message` a sentence for people. `headers` go on the
    answer, `details` into its error."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        headers: Mapping[str, str] | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        fault = Fault(status, FAULTS["bad_request"].code)
        super().__init__("bad_request", message, headers=headers, fault=fault)
        self.kind = code
        self.details = dict(details or {})


def not_found() -> ApiProblem:
    """Unknown and foreign ids look the same (T14)."""
    return ApiProblem(404, "not_found", "There is nothing of this id that you may see.")


def invalid_argument(message: str) -> ApiProblem:
    """A value that cannot be used; `message` names it."""
    return ApiProblem(422, "invalid_argument", message)


@dataclass(frozen=True, slots=True)
class ApiResponse:
    """A JSON body with its status."""

    body: Any
    status: int = 200


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """Who asks, with which parameters. `body` is empty when none was sent; `idempotency_key` is the header's value."""

    principal: Principal
    query: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    path: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    body: JsonObject = field(default_factory=dict)
    idempotency_key: str | None = None

    def check_query(self, *names: str) -> None:
        """Raises `ApiProblem` for a query parameter not among `names`: a mistyped filter must not widen an answer."""
        unknown = sorted(self.query.keys() - {*names, "workspaceId"})
        if unknown:
            known = ", ".join((*names, "workspaceId"))
            raise invalid_argument(f"Unknown query parameter `{unknown[0][:64]}`; there are: {known}.")

    def integer(self, name: str, default: int, least: int, most: int) -> int:
        """A whole number from the query. Raises `ApiProblem`."""
        text = self.query.get(name, str(default))
        if not (text.isascii() and text.isdigit() and len(text) < 10 and least <= int(text) <= most):
            raise invalid_argument(f"`{name}` must be a whole number from {least} to {most}.")
        return int(text)

    def boolean(self, name: str) -> bool:
        """`true` or `false` (the default) from the query. Raises `ApiProblem`."""
        text = self.query.get(name, "false")
        if text not in ("true", "false"):
            raise invalid_argument(f"`{name}` must be true or false.")
        return text == "true"

    def one_of(self, name: str, among: tuple[str, ...]) -> str | None:
        """A value from the query that must be `among` these; None when it is not given. Raises `ApiProblem`."""
        text = self.query.get(name)
        if text is not None and text not in among:
            raise invalid_argument(f"`{name}` must be one of {', '.join(among)}.")
        return text
