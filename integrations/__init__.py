"""How to speak to an upstream. One self-contained folder per kind; nothing here knows the proxy.

What ships is this list: an entry under `integrations:` is one of these kinds.
"""

from typing import Annotated

from pydantic import Field

from integrations.graphql.config import GraphQl
from integrations.mcp.config import Mcp, McpLocal, McpRemote
from integrations.openapi.config import OpenApi

Integration = Annotated[OpenApi | GraphQl | Mcp, Field(discriminator="kind")]

__all__ = ["GraphQl", "Integration", "Mcp", "McpLocal", "McpRemote", "OpenApi"]
