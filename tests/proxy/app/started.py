"""A whole application for tests: config applied, sandbox warm, nothing listens."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from proxy.app.application import Application, open_application
from proxy.app.options import StartOptions
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
