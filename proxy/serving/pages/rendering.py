"""From a template to a response: escaping, and the headers of every page. And the files of the pages (style, script,
icon), served under URLs that change with their content. Templates and files of the console stand beside its pages."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from quart import Response

from integrations.schema_types.text import visible
from proxy.serving.http.asgi import HttpRequest

# The referrer policy is `same-origin` and not `no-referrer`: with the latter browsers send `Origin: null` with our own
# forms (Fetch, "append a request Origin header"), and the origin check would refuse them. Neither tells other sites
# where a link was followed.
HEADERS: Final[Mapping[str, str]] = {
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'"
    ),
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
FILES_PATH: Final = "/pages/"
_FOLDERS: Final = (Path(__file__).parent, Path(__file__).parent.parent / "console")
_TYPES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "page.css": "text/css; charset=utf-8",
        "page.js": "text/javascript; charset=utf-8",
        "console.css": "text/css; charset=utf-8",
        "console.js": "text/javascript; charset=utf-8",
        "icon.svg": "image/svg+xml",
    }
)


def inert(text: object) -> str:
    """`text` with its invisible characters written out, except line breaks. The templates escape it on top of that."""
    return "\n".join(visible(line) for line in str(text).split("\n"))


def address(text: object) -> Markup:
    """A tool's address, inert, that may wrap after its dots."""
    return Markup(".<wbr>").join(inert(text).split("."))


@cache
def _content(name: str) -> bytes:
    files = (folder / "static" / name for folder in _FOLDERS)
    return next(file for file in files if file.is_file()).read_bytes()


def asset_url(name: str) -> str:
    """The URL of a file. Its query changes with the content, so that browsers fetch a changed file again."""
    return f"{FILES_PATH}{name}?v={hashlib.sha256(_content(name)).hexdigest()[:12]}"


def asset(name: str) -> Response | None:
    """The file as a response, or None when there is none of this name. Anybody may have it."""
    kind = _TYPES.get(name)
    if kind is None:
        return None
    headers = {
        "cache-control": "public, max-age=31536000, immutable",
        "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
        "cross-origin-resource-policy": "same-origin",
        "x-content-type-options": "nosniff",
    }
    return Response(_content(name), 200, headers, content_type=kind)


@cache
def _templates() -> Environment:
    made = Environment(
        loader=FileSystemLoader([folder / "templates" for folder in _FOLDERS]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["inert"] = inert
    made.filters["address"] = address
    made.globals["asset"] = asset_url
    return made


def page(
    request: HttpRequest,
    status: int,
    template: str,
    headers: Mapping[str, str] | None = None,
    **values: Any,
) -> Response:
    """One page from a template of this package. Every value is escaped; an unknown name is an error. Templates write
    `base` before each path of ours."""
    html = _templates().get_template(template).render(values, base=request.base)
    return Response(html, status, {**HEADERS, **(headers or {})}, content_type="text/html; charset=utf-8")


def redirect(request: HttpRequest, place: str, headers: Mapping[str, str] | None = None) -> Response:
    """To a path of ours, with GET (303 See Other, RFC 9110 section 15.4.4)."""
    location = f"{request.base}{place}"
    return Response(b"", 303, {**HEADERS, "location": location, **(headers or {})}, content_type="text/plain")


def plain(status: int, text: str, headers: Mapping[str, str] | None = None) -> Response:
    """A short text for our own script."""
    return Response(text, status, {**HEADERS, **(headers or {})}, content_type="text/plain; charset=utf-8")
