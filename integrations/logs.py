"""How these packages log: an event, and fields beside it that the server's formatter writes out.

`proxy.telemetry` reads the fields from the record; nothing of it is imported here.
"""

from __future__ import annotations

from typing import Any


def with_fields(**fields: Any) -> dict[str, Any]:
    """The `extra` of a line of the standard `logging`."""
    return {"event_fields": fields}
