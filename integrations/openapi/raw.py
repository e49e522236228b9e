"""Reading parts of documents in which anything may stand anywhere."""

from __future__ import annotations

from typing import Any

from integrations.base import JsonObject


def mapping(value: Any) -> JsonObject:
    """The value, or an empty mapping in place of anything else."""
    return value if isinstance(value, dict) else {}


def strings(value: Any) -> list[str]:
    """The strings of a list; nothing of anything else."""
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
