"""What every integration kind has in common: tool definitions, credentials, results and errors.

Errors (all are `IntegrationError`):

    IntegrationError
    |-- SourceError         the document or server could not be turned into tools (place and remedy in the text)
    |-- InvalidArguments    a call's arguments do not fit; nothing was sent (`problems`: JSON Pointer + reason)
    `-- UnknownTool         no tool of that name in this toolset

An upstream that answers badly, slowly or not at all is a `Failure` and no exception: agent code branches on it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, Protocol, runtime_checkable

JsonObject = dict[str, Any]
Risk = Literal["read", "write", "destructive"]
_EMPTY: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class ToolDefinition:
    """One callable operation. Cheap: schemas are produced by `Toolset.schemas`, lazily.

    `name` is unique in its toolset and address-safe: identifiers joined by dots. `title` and `description` are the
    upstream's own prose, not sanitised. `keywords` is extra text for the search index (parameter names, tags).
    `method`, `path` and `operation_id` are set by OpenAPI only, `origin` by the other kinds.
    `runs_code`: it takes a program, so that what it does there cannot be told from its name.
    """

    name: str
    title: str
    description: str
    risk: Risk
    idempotent: bool
    deprecated: bool = False
    keywords: str = ""
    method: str = ""
    path: str = ""
    operation_id: str | None = None
    origin: str = ""
    runs_code: bool = False

    @property
    def stands_for(self) -> str:
        """What of the upstream the name stands for: `GET /pets/{id}`, `tools/call 查询天气`, `query field user`."""
        return self.origin or f"{self.method} {self.path}".strip() or self.name


@dataclass(frozen=True, slots=True)
class ToolSchemas:
    """JSON Schema 2020-12, self-contained (`#/$defs` only). `output` is None when the source declares nothing.

    `errors` has a property per status (`404`, `5XX`, `default`) with the schema of `error.details.body`.
    """

    input: JsonObject
    output: JsonObject | None
    errors: JsonObject | None = None


class Secret:
    """A string that never prints itself. `reveal()` is called where the request is assembled, nowhere else."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)


@dataclass(frozen=True, slots=True)
class CredentialPart:
    """One secret and where it goes. `bearer` and `basic` fill the Authorization header (RFC 6750, RFC 7617)."""

    kind: Literal["bearer", "basic", "header", "query", "cookie"]
    value: Secret
    name: str = ""
    username: Secret | None = None
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class SchemeCredential:
    """What a connection binds to one named OpenAPI security scheme: a `value`/token, or user name and password."""

    value: Secret | None = None
    username: Secret | None = None
    password: Secret | None = None


@dataclass(frozen=True, slots=True)
class Credential:
    """Resolved secrets of one connection; lives only as long as one upstream call."""

    parts: tuple[CredentialPart, ...] = ()
    schemes: Mapping[str, SchemeCredential] = field(default_factory=lambda: _EMPTY)

    def secrets(self) -> list[str]:
        """Every secret string in it, for redaction."""
        held: list[Secret | None] = [part.value for part in self.parts]
        for scheme in self.schemes.values():
            held += (scheme.value, scheme.password)
        return [secret.reveal() for secret in held if secret is not None and secret.reveal()]


@dataclass(frozen=True, slots=True)
class HttpInfo:
    """Status and the response headers agents may see (never Set-Cookie)."""

    status: int
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Success:
    """`data` is plain JSON; binary bodies are `ToolFile` objects (see `tool_file`). `note` is a sentence
    that the caller should know beside the data, `extensions` what a GraphQL server says beside it (section 7.1).
    """

    data: Any
    http: HttpInfo | None = None
    note: str | None = None
    extensions: Any = None

    def as_json(self) -> JsonObject:
        out: JsonObject = {"ok": True, "data": self.data}
        if self.http is not None:
            out["http"] = {"status": self.http.status, "headers": dict(self.http.headers)}
        if self.extensions is not None:
            out["extensions"] = self.extensions
        if self.note is not None:
            out["note"] = self.note
        return out


@dataclass(frozen=True, slots=True)
class Failure:
    """An expected failure. `code` is one of the error codes of inner calls in docs/execute.md. `challenge`: the
    `WWW-Authenticate` of a refusal, which nobody is shown."""

    code: str
    message: str
    retryable: bool = False
    status: int | None = None
    details: Mapping[str, Any] = field(default_factory=lambda: _EMPTY)
    challenge: str = ""

    def as_json(self) -> JsonObject:
        error: JsonObject = {"code": self.code, "message": self.message, "retryable": self.retryable}
        if self.status is not None:
            error["status"] = self.status
        if self.details:
            error["details"] = dict(self.details)
        return {"ok": False, "error": error}


Result = Success | Failure


@dataclass(frozen=True, slots=True)
class PreparedCall:
    """A call whose arguments were validated and whose request is complete but for the credential.

    `arguments` is the canonical form that policies judge and people approve: exactly what will be sent.
    `summary` is one line for people (`PATCH https://api.example.com/repos/o/r`). `plan` is private to the kind.
    `key_header`: the call may be repeated when every attempt sends the same `idempotency_key` in this header.
    `tenant`: for whom it is sent; calls of different tenants never share a connection to the upstream.
    """

    tool: ToolDefinition
    arguments: JsonObject
    summary: str
    plan: Any
    key_header: str | None = None
    idempotency_key: str | None = None
    tenant: str = ""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with the arguments: a JSON Pointer (RFC 6901) into them, and why."""

    pointer: str
    reason: str


class IntegrationError(Exception):
    """Root of this tree."""


class SourceError(IntegrationError):
    """The document or server could not be turned into tools."""


class UnknownTool(IntegrationError):
    """No tool of that name."""


class InvalidArguments(IntegrationError):
    """Arguments that do not fit; nothing was sent. `code` is what agent code sees (docs/execute.md)."""

    def __init__(self, problems: Sequence[Problem], code: str = "invalid_tool_arguments") -> None:
        super().__init__("; ".join(f"{p.pointer or '/'}: {p.reason}" for p in problems))
        self.problems = tuple(problems)
        self.code = code


class Toolset(Protocol):
    """What one integration offers: immutable, in source order, shared by its connections.

    `digest` identifies source plus options: equal digests may share one toolset and one search index.
    `warnings` are sentences about operations that were left out (file, pointer, reason).
    """

    @property
    def digest(self) -> str: ...

    @property
    def tools(self) -> Sequence[ToolDefinition]: ...

    @property
    def warnings(self) -> Sequence[str]: ...

    def schemas(self, tool: str) -> ToolSchemas:
        """Schemas of one tool, made on demand. Raises `UnknownTool`."""
        ...


@runtime_checkable
class Outlining(Protocol):
    """A toolset whose schemas can be large: rendering within a budget needs only parts of them."""

    def outline(self, tool: str) -> ToolSchemas:
        """Like `Toolset.schemas`, but `$defs` is a read-only mapping whose members are made when they are looked
        up. For rendering and validating; serialisers need `schemas`.
        """
        ...


@runtime_checkable
class Titled(Protocol):
    """A toolset whose source has a name for people. Upstream prose, not sanitised."""

    @property
    def title(self) -> str: ...


def outline_of(toolset: Toolset, tool: str) -> ToolSchemas:
    """The cheapest form of a tool's schemas that can be rendered. Raises `UnknownTool`."""
    return toolset.outline(tool) if isinstance(toolset, Outlining) else toolset.schemas(tool)


@runtime_checkable
class Filtered(Protocol):
    """A toolset that `include` and `exclude` left a part of: `offered` are all names, in source order."""

    @property
    def offered(self) -> Sequence[str]: ...


def offered_by(toolset: Toolset) -> Sequence[str]:
    """The names of all tools that a source offers, also of those that the config leaves out."""
    return toolset.offered if isinstance(toolset, Filtered) else [tool.name for tool in toolset.tools]


@runtime_checkable
class Annotating(Protocol):
    """A toolset whose source says of each tool what it does (`readOnlyHint` and so on), and may be wrong or lie."""

    def annotations(self, tool: str) -> Mapping[str, Any]:
        """Raises `UnknownTool`."""
        ...


@runtime_checkable
class Addressing(Protocol):
    """A toolset whose source says itself where calls go."""

    @property
    def servers(self) -> Sequence[str]:
        """Of the source as a whole, as it writes them."""
        ...

    def servers_of(self, tool: str) -> Sequence[str]:
        """Of one tool: those of the source unless it names others. Raises `UnknownTool`."""
        ...


class Upstream(Protocol):
    """One open connection to an upstream. Opened by `proxy.connections`, which also closes it."""

    @property
    def toolset(self) -> Toolset: ...

    def prepare(self, tool: str, arguments: JsonObject) -> PreparedCall:
        """Pure: validate and build. Raises `UnknownTool`, `InvalidArguments`."""
        ...

    async def invoke(self, call: PreparedCall, credential: Credential, timeout_seconds: float) -> Result:
        """Send once (plus safe retries inside the deadline). Never raises for what an upstream does."""
        ...

    async def aclose(self) -> None: ...
