"""The end of running executions: time to finish, then they are left to other processes, or cancelled clearly."""

from __future__ import annotations

import asyncio

from proxy.executions import Executions

# For calls that are under way and must not be sent twice.
_GRACE_SECONDS = 5.0


async def finish_executions(executions: Executions, seconds: float, at_once: asyncio.Event) -> None:
    """Wait for running executions, at most `seconds` or until `at_once`; then hand over what is left."""
    idle = asyncio.ensure_future(executions.idle())  # noqa: TID251 - awaited and cancelled right here
    hurry = asyncio.ensure_future(at_once.wait())  # noqa: TID251 - as above
    try:
        await asyncio.wait([idle, hurry], timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        idle.cancel()
        hurry.cancel()
    await executions.hand_over(0.0 if at_once.is_set() else _GRACE_SECONDS)
