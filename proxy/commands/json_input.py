"""JSON objects given on the command line: as text, as `@FILE`, or as `-` for standard input."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from integrations.json_text import read_json
from proxy.commands.common import CannotRun


def read_object(given: str) -> dict[str, Any]:
    """Raises `CannotRun` when it is not a JSON object."""

    try:
        text = (
            sys.stdin.read()
            if given == "-"
            else Path(given[1:]).read_text()
            if given.startswith("@")
            else given
        )
        value = read_json(text)
    except OSError as error:
        raise CannotRun(f"{given}: {error.strerror}") from None
    except ValueError as error:
        raise CannotRun(f"arguments are not JSON: {error}") from None
    if not isinstance(value, dict):
        raise CannotRun("arguments must be a JSON object, for example '{\"id\": 1}'")
    return value
