"""The style, the script and the icon: files of this package, served under names that change with their content."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Final

from quart import Response

PATH: Final = "/pages/"
_FOLDER: Final = Path(__file__).parent / "static"
_TYPES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "page.css": "text/css; charset=utf-8",
        "page.js": "text/javascript; charset=utf-8",
        "icon.svg": "image/svg+xml",
    }
)


@cache
def _content(name: str) -> bytes:
    return (_FOLDER / name).read_bytes()


def asset_url(name: str) -> str:
    """Where a page finds it. The query makes browsers ask again when the file has changed."""
    return f"{PATH}{name}?v={hashlib.sha256(_content(name)).hexdigest()[:12]}"


def asset(name: str) -> Response | None:
    """The file as an answer, or None when there is none of this name. Nothing in it is about anybody."""
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
