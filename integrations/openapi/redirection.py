"""Redirects that lead to another tool: they are answered, not followed, because nobody judged that call."""

from __future__ import annotations

from urllib.parse import urlsplit

from integrations.base import Failure
from integrations.http import HttpResponse, origin_of
from integrations.http.responses import notable_headers
from integrations.openapi.request import OutgoingRequest
from integrations.openapi.toolset import OpenApiToolset


def another_tool(toolset: OpenApiToolset, request: OutgoingRequest, target: str, method: str) -> str | None:
    """The operation that a redirect inside of the call's origin leads to; None when it is the same or none at all.

    A method that the document does not declare for a path of its own is taken for any operation of that path.
    """
    if origin_of(target) != request.origin:
        return None
    servers = [request.server, *(server.expand({}) for server in request.binding.servers)]
    template = toolset.paths.find(urlsplit(target).path, [urlsplit(url).path for url in servers])
    if template is None:
        return None
    names = toolset.paths.methods(template)
    if template == request.binding.path:
        return None if method == request.method else names.get(method)
    return names.get(method) or next(iter(names.values()))


def not_followed(response: HttpResponse, target: str, tool: str, toolset: OpenApiToolset) -> Failure:
    """What the caller is told: where it leads, and what to do."""
    offered = toolset.offers(tool)
    remedy = "call that tool instead" if offered else "that operation is not offered as a tool"
    message = (
        f"HTTP {response.status}: redirects to {target}, which is the operation `{tool}` with rules of its own. "
        f"The redirect was not followed: {remedy}."
    )
    details = {"location": target, "operation": tool, "headers": notable_headers(response)}
    return Failure("upstream_http_error", message, False, response.status, details)
