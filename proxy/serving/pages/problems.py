"""Why a page is not shown, in words for a person. One class: whatever goes wrong becomes a page with a status."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Problem(Exception):
    """`title` is the heading, `text` says what to do. `headers` go on the answer."""

    status: int
    title: str
    text: str
    headers: Mapping[str, str] = field(default_factory=dict)


def not_found() -> Problem:
    """The same for what never was, what is forgotten, and what belongs to others (T14)."""
    return Problem(
        404,
        "Nothing here for you",
        "There is no execution of this id that you may see. It may be over and forgotten, belong to another account or "
        "workspace, or the link may be incomplete.",
    )


def foreign_request() -> Problem:
    return Problem(
        403,
        "This did not come from our page",
        "The request was not sent by a page of this server, so nothing was done. Open the page again and use its "
        "buttons.",
    )


def stale_form() -> Problem:
    return Problem(
        403,
        "This form is no longer good",
        "It belongs to another sign-in, so nothing was done. Open the page again and decide there.",
    )


def unreadable_form(text: str, status: int = 400) -> Problem:
    return Problem(status, "This form cannot be read", text)


def too_many(seconds: float) -> Problem:
    whole = max(1, math.ceil(seconds))
    return Problem(429, "Too many requests", f"Try again in {whole} seconds.", {"retry-after": str(whole)})


def unavailable(text: str) -> Problem:
    return Problem(503, "Not available at the moment", text, {"retry-after": "5"})
