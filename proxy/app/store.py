"""The state store that the config asks for: opened once at the start, closed last, and watched in between.

Without a `state` section it is SQLite in the state directory. A key that nobody configured is minted beside the file
(mode 0600): it protects copies of the file that were made without it, such as backups. Redis needs a configured key,
because every replica must have the same one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from integrations.base import Secret
from proxy.app.options import CannotServe, InvalidConfig
from proxy.app.paths import NoDirectory, state_dir
from proxy.config import Config
from proxy.config.redis_address import redis_form
from proxy.config.secrets import Resolver, SecretMissing
from proxy.file_modes import OpenToOthers, replaceable_by_others
from proxy.state import State, StateError
from proxy.state.keys import UnusableKey, minted_key, split_keys
from proxy.state.opening import open_state
from proxy.tasks import TaskSupervisor
from proxy.telemetry import Logger, MetricsRegistry

_log = Logger("app")
_EVERY_SECONDS: Final = 2.0

FILE_NAME = "state.db"
KEY_NAME = "state.key"
WRITABLE = "set EXECUTOR_STATE_DIR or `state.path` to a place that can be written (in a pod, an emptyDir)"

_UNKEPT: Final = (
    "until then each start compiles its documents, and takes where they send calls as it finds it"
)


def warn_of_directories(config: Config, env: Mapping[str, str]) -> None:
    """Where another user can replace the store, its key or a token, or nothing can be kept, that is no refusal, and it
    is said."""
    kept = [Path(config.state.path).absolute().parent] if config.state.path else []
    try:
        kept.append(state_dir(env))
    except NoDirectory as error:
        _log.warning("no state directory", detail=f"{error.strerror}; {_UNKEPT}")
    for detail in filter(None, map(replaceable_by_others, kept)):
        _log.warning("state directory open to others", detail=detail)


@asynccontextmanager
async def open_store(
    config: Config, env: Mapping[str, str], tasks: TaskSupervisor | None = None
) -> AsyncIterator[State]:
    """Raises `InvalidConfig` for what no later start would mend, `CannotServe` when the store itself is the reason."""
    asked = config.state
    try:
        # A store without a file needs no place for one.
        path = _file(config, env) if asked.backend == "sqlite" else Path()
        keys = store_keys(config, env)
        resolver = Resolver(env)
        url = resolver.resolve(asked.url) if asked.url is not None else None
        sentinel = asked.sentinel.password if asked.sentinel is not None else None
        form = redis_form(asked, resolver.resolve(sentinel) if sentinel is not None else None)
    except SecretMissing as error:
        raise InvalidConfig(f"state: {error}") from error
    except OSError as error:
        said = (
            error.strerror
            if isinstance(error, NoDirectory | OpenToOthers | UnusableKey)
            else f"{error}; {WRITABLE}"
        )
        raise CannotServe(f"state: {said}") from error
    if asked.backend == "redis" and url is None:
        raise InvalidConfig("state.url: Redis needs an address; write `url: {env: REDIS_URL}`")
    opening = open_state(asked.backend, path=path, url=url, keys=keys, tasks=tasks, form=form)
    try:
        store = await opening.__aenter__()
    except StateError as error:
        raise CannotServe(str(error)) from error
    try:
        yield store
    finally:
        await opening.__aexit__(None, None, None)


def store_keys(config: Config, env: Mapping[str, str]) -> tuple[Secret, ...]:
    """What the store is encrypted with, newest first; empty for a store that is not. What clients hold for us between
    two requests is sealed with the same keys. Raises `SecretMissing`, `OSError`."""
    reference = config.state.encryption_key
    if reference is not None:
        return split_keys(Resolver(env).resolve(reference))
    if config.state.backend != "sqlite":
        return ()
    return (minted_key(_file(config, env).with_name(KEY_NAME)),)


def _file(config: Config, env: Mapping[str, str]) -> Path:
    return Path(config.state.path) if config.state.path else state_dir(env) / FILE_NAME


class StoreWatch:
    """Asks the store again and again whether it takes a write; readiness and metrics say how it went.

    `trouble` is why the store cannot be used now; None while it can.
    """

    def __init__(self, check: Callable[[], Awaitable[None]], metrics: MetricsRegistry) -> None:
        self._check = check
        self._metrics = metrics
        self.trouble: str | None = None

    async def look(self) -> None:
        """Ask once. The store bounds the time it takes."""
        try:
            await self._check()
        except StateError as error:
            if self.trouble is None:
                self._metrics.count("executor_state_outages_total")
                _log.warning("not_ready", reason=f"the state store cannot be used: {error}")
            self.trouble = f"the state store cannot be used: {error}"
        else:
            if self.trouble is not None:
                _log.info("ready_again")
            self.trouble = None
        self._metrics.set("executor_state_available", self.trouble is None)

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(_EVERY_SECONDS)
