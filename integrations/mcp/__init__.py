"""Upstream MCP servers: local ones over stdio, remote ones over streamable HTTP or SSE, both protocol eras."""

from integrations.mcp.exchange import OnProgress
from integrations.mcp.headers import credential_headers
from integrations.mcp.link import Elicitation, ElicitationAnswer, OnElicit, Shared
from integrations.mcp.servers import ChildSlots, Limits, LocalServer, RemoteServer, Server
from integrations.mcp.toolset import McpToolset
from integrations.mcp.upstream import McpUpstream

__all__ = [
    "ChildSlots",
    "Elicitation",
    "ElicitationAnswer",
    "Limits",
    "LocalServer",
    "McpToolset",
    "McpUpstream",
    "OnElicit",
    "OnProgress",
    "RemoteServer",
    "Server",
    "Shared",
    "credential_headers",
]
