"""The front: MCP over HTTP and stdio, health, metrics and the operations routes. The only package that
imports `mcp`, which costs 1.5 s; commands that do not serve must not import this one."""
