"""Arguments in one canonical form, and their digest: what journals, approvals and audit refer to.

Canonical JSON here is UTF-8 without blanks, object keys sorted by code point. It differs from RFC 8785 only in the
order of keys outside the Basic Multilingual Plane and in how exotic floats are written; both are stable here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from integrations.json_text import SORT_KEYS, write_json


class NotCanonical(ValueError):
    """A value without a canonical form: nested too deep."""


def canonical(arguments: Mapping[str, Any]) -> bytes:
    """The one form of equal arguments. Raises `NotCanonical`."""
    try:
        return write_json(arguments, option=SORT_KEYS)
    except ValueError as error:
        raise NotCanonical(str(error)) from error


def digest(canonical_arguments: bytes) -> str:
    """sha256 in hex of what `canonical` returned."""
    return hashlib.sha256(canonical_arguments).hexdigest()
