"""From a template to an answer: escaping, and the headers that every page carries."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from quart import Response

from integrations.schema_types.text import visible
from proxy.serving.pages.rendering import asset_url

# `same-origin` and not `no-referrer`: with the latter browsers send `Origin: null` with our own forms (Fetch, "append a
# request Origin header"), and the check of the origin would refuse them. Other sites learn nothing either way.
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


def inert(text: object) -> str:
    """Text in which nothing is invisible; its own line breaks stay. Escaping comes on top of it."""
    return "\n".join(visible(line) for line in str(text).split("\n"))


def address(text: object) -> Markup:
    """A tool's address, inert, that may break after its dots."""
    return Markup(".<wbr>").join(inert(text).split("."))


@cache
def _templates() -> Environment:
    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["inert"] = inert
    made.filters["address"] = address
    made.globals["asset"] = asset_url
    return made


def page(status: int, template: str, headers: Mapping[str, str] | None = None, **values: Any) -> Response:
    """One page from a template of this package. Every value is escaped; an unknown name is an error."""
    html = _templates().get_template(template).render(values)
    return Response(html, status, {**HEADERS, **(headers or {})}, content_type="text/html; charset=utf-8")


def redirect(place: str, headers: Mapping[str, str] | None = None) -> Response:
    """To a path of ours, with GET (303 See Other, RFC 9110 section 15.4.4)."""
    return Response(b"", 303, {**HEADERS, "location": place, **(headers or {})}, content_type="text/plain")


def plain(status: int, text: str, headers: Mapping[str, str] | None = None) -> Response:
    """A word for our own script."""
    return Response(text, status, {**HEADERS, **(headers or {})}, content_type="text/plain; charset=utf-8")
