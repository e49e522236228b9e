"""A whole application for tests: config applied, sandbox warm, nothing listens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from proxy.app.application import Application, open_application
from proxy.app.options import StartOptions
from proxy.executions import Silent
from tests.proxy.support import written

MEMORY = "state: {backend: memory}\n"


@asynccontextmanager
async def application_of(
    folder: Path, text: str, env: Mapping[str, str], secrets: Mapping[str, str] | None = None
) -> AsyncIterator[Application]:
    """Files are not watched: tests ask for reloads."""
    options = StartOptions((written(folder, text),), {**env, **(secrets or {})}, watch=False)
    async with open_application(options) as application:
        yield application


class Begun(Silent):
    """Says when the code has made its first call."""

    def __init__(self) -> None:
        self.event = asyncio.Event()

    def call_started(self, seq: int, path: str) -> None:
        self.event.set()
