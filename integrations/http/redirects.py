"""Where a redirect leads (RFC 9110 section 15.4), and what the next request is then."""

from __future__ import annotations

from urllib.parse import quote, urljoin

from integrations.http import HttpResponse

REDIRECTS = frozenset({301, 302, 303, 307, 308})


def redirected(response: HttpResponse) -> str | None:
    """The absolute target of a redirect, percent-encoded where it has to be; None when it is none."""
    location = response.header("location")
    if response.status not in REDIRECTS or not location:
        return None
    encoded = quote(location, safe="!#$%&'()*+,/:;=?@[]~")
    return urljoin(response.url, encoded).split("#", 1)[0]


def method_after(status: int, method: str) -> str:
    """303 always, and 301/302 after POST, turn into GET; 307 and 308 repeat the request as it was."""
    if status == 303 and method != "HEAD":
        return "GET"
    return "GET" if status in (301, 302) and method == "POST" else method
