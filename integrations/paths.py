"""Paths into results, as the config writes them: `data.-1.id`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any


def dig(value: Any, path: str) -> Any:
    """Follow names and positions, from the end when negative. None where there is nothing.

    A name that contains dots itself (`@odata.nextLink`) is found as a whole.
    """
    if isinstance(value, Mapping) and path in value:
        return value[path]
    for step in path.split("."):
        if isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, list) and re.fullmatch(r"-?\d{1,6}", step):
            value = value[int(step)] if -len(value) <= int(step) < len(value) else None
        else:
            return None
    return value
