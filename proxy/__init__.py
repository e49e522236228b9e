"""The server: config in, one MCP endpoint out."""
