"""What an `integrations.<name>` entry of kind `mcp` may say: `local` is started here, `remote` is a URL."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from integrations.fields import (
    EnvName,
    HeaderFields,
    Maybe,
    MillisecondsOrDuration,
    NonEmptyTuple,
    Text,
    TextOrSecret,
    Tuple,
    Url,
)
from integrations.shared_config import ApproveByDefault, ClientCert, Described, Egress, Health, OAuthOptions

RemoteTransport = Literal["auto", "streamable-http", "sse"]


class _Mcp(Described):
    kind: Literal["mcp"]
    enabled: bool = True
    timeout: MillisecondsOrDuration = 5.0
    approve_by_default: ApproveByDefault = "reads"
    include: Tuple[Text] = ()
    exclude: Tuple[Text] = ()
    health: Maybe[Health] = None


class McpLocal(_Mcp):
    """An MCP server that Executor starts and speaks to over stdin and stdout."""

    type: Literal["local"]
    command: NonEmptyTuple[Text]
    environment: dict[EnvName, TextOrSecret] = Field(default_factory=dict)
    cwd: Maybe[Text] = None
    start_timeout: MillisecondsOrDuration = 120.0


class McpOauth(OAuthOptions):
    """How to sign in to a remote MCP server; without `client_id` the client is registered dynamically.

    `scope` is the same as `scopes`, as one text.
    """

    scope: Maybe[Text] = None


def _switch_or_options(value: object) -> str:
    return "=options" if isinstance(value, dict | McpOauth) else "=switch"


class McpRemote(_Mcp):
    """An MCP server at a URL. `oauth: false` turns the detection of OAuth off."""

    type: Literal["remote"]
    url: Url
    headers: HeaderFields = Field(default_factory=dict)
    oauth: Annotated[
        Annotated[bool, Tag("=switch")] | Annotated[McpOauth, Tag("=options")],
        Discriminator(_switch_or_options),
    ] = True
    transport: RemoteTransport = "auto"
    egress: Egress = Egress()
    proxy: Maybe[Url] = None
    ca_bundle: Maybe[Text] = None
    client_cert: Maybe[ClientCert] = None


Mcp = Annotated[McpLocal | McpRemote, Field(discriminator="type")]
