"""From a valid config to everything a swap puts in place, without touching what serves.

The generation itself is assembled in `proxy.app.build`, which commands without a server import alone: what is
imported here costs them another 0.2 s.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from limits.aio.storage import Storage

from integrations.fields import Listen
from proxy.app.access import EXPOSED, Access, build_access, exposure
from proxy.app.auditing import Auditing
from proxy.app.build import build_generation
from proxy.app.effects import Comparison
from proxy.app.health import health_problems
from proxy.app.locking import LockProblem, lock_file, lock_state, vendored_catalogs
from proxy.app.moved import with_moved_names
from proxy.app.options import StartOptions
from proxy.app.overlay import Overlay
from proxy.app.paths import cache_dir
from proxy.app.problems import problem_at
from proxy.app.sandboxes import Sandboxes
from proxy.app.source_check import wrong_source
from proxy.app.tls import TlsIdentity, read_identity
from proxy.app.workspace_overlay import OpenedOverlay, closed_everywhere
from proxy.audit import AuditError
from proxy.auth import IssuerPool, LocalTokenError
from proxy.config import LoadedConfig
from proxy.config.secrets import SecretMissing
from proxy.connections import Connections, Opened
from proxy.connections.opening import WrongSource
from proxy.limits import open_storage
from proxy.live import Live
from proxy.lock.records import Records
from proxy.lock.state import LockState
from proxy.reload import Effects, Rejected
from proxy.sandbox import HardeningMissing, PoolUnavailable
from proxy.workspace import Generation


@dataclass(frozen=True, slots=True)
class Built:
    """What a build made and a swap puts in place. Its connections are held until somebody releases `keys`."""

    loaded: LoadedConfig
    opened: Opened
    generation: Generation
    access: Access
    effects: Effects
    tls: TlsIdentity | None = None
    overlay: OpenedOverlay = field(default_factory=OpenedOverlay)

    @property
    def keys(self) -> tuple[str, ...]:
        return (*self.opened.keys, *self.overlay.keys)


class Builder:
    """Makes what a config asks for. `listener` says which address is bound already, if any; `counters` is where all
    replicas count, None where each counts for itself."""

    def __init__(
        self,
        options: StartOptions,
        connections: Connections,
        sandboxes: Sandboxes,
        auditing: Auditing,
        live: Live,
        listener: Callable[[], Listen | None],
        counters: Storage | None,
        issuers: IssuerPool,
        overlay: Overlay,
    ) -> None:
        self._options = options
        self._connections = connections
        self._sandboxes = sandboxes
        self._auditing = auditing
        self._live = live
        self._listener = listener
        self._storage = counters if counters is not None else open_storage()
        self._issuers = issuers
        self._overlay = overlay
        self._records = Records(cache_dir(options.env))
        self._comparison = Comparison()

    async def build(self, loaded: LoadedConfig, number: int) -> Built:
        """Make everything the config asks for, without touching what serves. Raises `Rejected`."""
        self._check_exposure(loaded)
        built = await self.around(loaded, number)
        try:
            self._prepare_audit(loaded)
            await self._prepare_sandbox(loaded)
            return replace(built, tls=await self._tls(loaded))
        except BaseException:
            self._connections.release(built.keys)
            raise

    async def around(self, loaded: LoadedConfig, number: int) -> Built:
        """All but the sandbox: a reload may be preparing another one at this moment. Raises `Rejected`."""
        config = loaded.config
        assert config is not None
        overlay = await self._overlay.open(loaded, self._connections)
        try:
            closed = closed_everywhere(config, overlay)
            reviewed = await asyncio.to_thread(lock_file, loaded)
            opened = await self._connections.open(
                config, loaded.directories, closed=closed, vendored=vendored_catalogs(loaded, reviewed)
            )
        except BaseException as error:
            self._connections.release(overlay.keys)
            if isinstance(error, WrongSource):
                refused = str(error) if error.machine else None
                raise Rejected([wrong_source(loaded, error)], error=refused) from None
            if isinstance(error, LockProblem):
                raise Rejected([error.diagnostic]) from None
            raise
        wrong = health_problems(loaded, opened)
        if wrong:
            self._connections.release((*opened.keys, *overlay.keys))
            raise Rejected(wrong)
        try:
            lock = await asyncio.to_thread(lock_state, loaded, reviewed, opened, self._records)
            return await self._assembled(loaded, opened, number, overlay, lock)
        except BaseException:
            self._connections.release((*opened.keys, *overlay.keys))
            raise

    async def _assembled(
        self,
        loaded: LoadedConfig,
        opened: Opened,
        number: int,
        overlay: OpenedOverlay,
        lock: LockState | None,
    ) -> Built:
        generation = await asyncio.to_thread(
            build_generation, loaded, opened, number, overlay.workspaces, lock
        )
        try:
            access = build_access(loaded, self._options.env, self._storage, self._issuers)
        except SecretMissing as error:
            raise Rejected([problem_at(loaded, "auth", "E402", str(error), None)]) from None
        except LocalTokenError as error:
            raise _machine(loaded, "auth", "E404", error) from None
        old = self._live.current if self._live.serving else None
        generation = await asyncio.to_thread(with_moved_names, old, generation)
        effects = await asyncio.to_thread(self._comparison.effects_of, old, generation)
        warned = replace(effects, warnings=generation.report.diagnostics)
        return Built(loaded, opened, generation, access, warned, overlay=overlay)

    def _check_exposure(self, loaded: LoadedConfig) -> None:
        """The address stays bound until a restart, so no reload may open it to strangers. Raises `Rejected`."""
        assert loaded.config is not None
        listener = self._listener()
        exposed = exposure(listener, loaded.config) if listener is not None else None
        if exposed is not None:
            raise Rejected([problem_at(loaded, "auth", "E501", f"this process is {exposed}", EXPOSED)])

    async def _tls(self, loaded: LoadedConfig) -> TlsIdentity | None:
        """The files were judged with the config; here is what changed since then. Raises `Rejected`."""
        assert loaded.config is not None
        try:
            return await asyncio.to_thread(read_identity, loaded.config.server.tls)
        except OSError as error:
            raise _machine(loaded, "server.tls", "E410", error) from None

    def _prepare_audit(self, loaded: LoadedConfig) -> None:
        assert loaded.config is not None
        try:
            self._auditing.prepare(loaded.config.audit)
        except AuditError as error:
            raise _machine(loaded, "audit.sink", "E304", error) from None

    async def _prepare_sandbox(self, loaded: LoadedConfig) -> None:
        assert loaded.config is not None
        try:
            await self._sandboxes.prepare(loaded.config.sandbox)
        except (HardeningMissing, PoolUnavailable, OSError) as error:
            raise _machine(loaded, "sandbox", "E501", error) from None


def _machine(loaded: LoadedConfig, path: str, code: str, error: Exception) -> Rejected:
    """For what this machine refuses now."""
    return Rejected([problem_at(loaded, path, code, str(error), None)], error=str(error))
