"""The union of everything an entry under `integrations:` may be: a new kind gets its line here."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from integrations.graphql.config import GraphQl
from integrations.mcp.config import Mcp, McpLocal, McpRemote
from integrations.openapi.config import OpenApi

Integration = Annotated[OpenApi | GraphQl | Mcp, Field(discriminator="kind")]

__all__ = ["GraphQl", "Integration", "Mcp", "McpLocal", "McpRemote", "OpenApi"]
