"""`executor validate --online`: every source and every sign-in server is asked, each at most ten seconds, all at once.

Documents are fetched, MCP servers list their tools, metadata of authorization servers is read, and what they say is
compared with the config and with the lock. No tool is ever called.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from integrations.http import EgressRules, HttpClient, origin_of
from integrations.oauth.discovery import authorization_server
from integrations.oauth.errors import DiscoveryFailed
from integrations.oauth.http import OAuthHttp
from proxy.app.known_tools import tools_as_known
from proxy.app.locking import unusable_lock
from proxy.app.offers import Offers, ask_sources
from proxy.app.problems import problem_at
from proxy.config import Diagnostic, LoadedConfig
from proxy.config.connection import AuthorizationCode, ClientCredentials
from proxy.config.source import shown_path
from proxy.config.tool_report import tool_report
from proxy.lock.compare import DRIFT_KINDS, SourceDrift, compare
from proxy.lock.file import LockError, LockFile, read_lock

EACH_SECONDS: Final = 10.0
# They answer: somebody has to sign in, or a secret is not here. That is a state, and no mistake of the config.
_WAITING: Final = ("needs_auth", "needs_client_registration", "needs_secret")


@dataclass(frozen=True, slots=True)
class OnlineRow:
    """One thing that was asked: `status` is ok, changed, failed, skipped or one that waits for a person."""

    name: str
    status: str
    detail: str


@dataclass(frozen=True, slots=True)
class OnlineCheck:
    rows: tuple[OnlineRow, ...]
    diagnostics: tuple[Diagnostic, ...]
    unchecked: Mapping[str, str]


async def check_online(loaded: LoadedConfig, env: Mapping[str, str]) -> OnlineCheck:
    """Ask everything that a valid config names."""
    assert loaded.config is not None, "only a valid config has sources"
    async with asyncio.TaskGroup() as asking:
        sources = asking.create_task(ask_sources(loaded, env))
        issuers = asking.create_task(_issuers(loaded))
    offers, signs = sources.result(), issuers.result()
    lock, trouble = _lock(loaded)
    drifts = (
        {prefix: compare(lock.of(prefix), offers.tools[prefix]) for prefix in offers.tools} if lock else {}
    )
    report = tool_report(loaded, tools_as_known(offers.toolsets, {**offers.unreached, **offers.skipped}))
    rows = [*_rows(offers, drifts, lock), *(OnlineRow(name, *said) for name, (_, said) in signs.items())]
    found = [
        *trouble,
        *_unreached(loaded, offers),
        *_drifted(loaded, drifts, lock),
        *(problem_at(loaded, path, "E701", said[1]) for path, said in signs.values() if said[0] == "failed"),
        *report.diagnostics,
    ]
    return OnlineCheck(tuple(rows), tuple(found), report.unchecked)


# ---- sources ------------------------------------------------------------------------------------------------------
def _rows(offers: Offers, drifts: Mapping[str, SourceDrift], lock: LockFile | None) -> Iterator[OnlineRow]:
    for prefix, offered in offers.tools.items():
        drift = drifts.get(prefix)
        if drift:
            counts = ", ".join(f"{len(drift.names(kind))} {kind}" for kind in DRIFT_KINDS)
            yield OnlineRow(prefix, "changed", f"{counts} since the lock (executor lock)")
        else:
            same = ", as in the lock" if lock is not None else ""
            yield OnlineRow(prefix, "ok", f"{len(offered.tools)} tools{same}")
    for prefix, why in offers.unreached.items():
        word, _, detail = why.partition(": ")
        waiting = word in _WAITING
        yield OnlineRow(
            prefix, word if waiting else "failed", detail if waiting else why.removeprefix("failed: ")
        )
    for prefix, why in offers.skipped.items():
        yield OnlineRow(prefix, "skipped", why)


def _unreached(loaded: LoadedConfig, offers: Offers) -> Iterator[Diagnostic]:
    for prefix, why in offers.unreached.items():
        if why.partition(":")[0] not in _WAITING:
            said = why.removeprefix("failed: ")
            yield problem_at(
                loaded, f"connections.{prefix}", "E701", f"`{prefix}` cannot be used now: {said}"
            )


# ---- the lock -----------------------------------------------------------------------------------------------------
def _lock(loaded: LoadedConfig) -> tuple[LockFile | None, list[Diagnostic]]:
    """The lock, if the config has one or one stands beside it. A missing one that is wanted is E702 already."""
    assert loaded.config is not None
    path: Path = loaded.lock_path
    try:
        return read_lock(path), []
    except LockError as error:
        if error.missing:
            return None, []
        return None, [unusable_lock(path, error)]


def _drifted(
    loaded: LoadedConfig, drifts: Mapping[str, SourceDrift], lock: LockFile | None
) -> Iterator[Diagnostic]:
    """A warning where the lock only warns, or nothing asks for it."""
    assert loaded.config is not None
    mode = loaded.config.lock.mode if loaded.config.lock is not None else "off"
    for prefix, drift in drifts.items() if lock is not None else ():
        for name, one in drift.tools.items():
            assert lock is not None
            yield Diagnostic(
                "E703",
                "error" if mode == "enforce" else "warning",
                f"`{prefix}.{name}` differs from the lock: {one}",
                "review it: executor lock",
                path=f"connections.{prefix}",
                file=shown_path(loaded.lock_path),
                line=lock.line_of(prefix, name),
            )


# ---- sign-ins -----------------------------------------------------------------------------------------------------
Said = tuple[str, str]


async def _issuers(loaded: LoadedConfig) -> dict[str, tuple[str, Said]]:
    """By what is shown: the config path that names it, and what it says of itself."""
    places = dict(_named_issuers(loaded))
    async with HttpClient() as http, asyncio.TaskGroup() as asking:
        tasks = {
            name: (path, asking.create_task(_metadata(http, issuer)))
            for name, (path, issuer) in places.items()
        }
    return {name: (path, task.result()) for name, (path, task) in tasks.items()}


def _named_issuers(loaded: LoadedConfig) -> Iterator[tuple[str, tuple[str, str]]]:
    config = loaded.config
    assert config is not None
    for issuer in config.auth.issuers() if config.auth is not None else ():
        yield f"callers of {issuer}", ("auth.oauth", issuer)
    for prefix, connection in config.connections.items():
        auth = connection.auth
        if isinstance(auth, AuthorizationCode | ClientCredentials) and auth.issuer is not None:
            yield f"sign-in of {prefix}", (f"connections.{prefix}.auth.issuer", str(auth.issuer))


async def _metadata(http: HttpClient, issuer: str) -> Said:
    # The config names it, so a private address may be asked too.
    rules = EgressRules(origins=frozenset({origin_of(issuer)}))
    try:
        async with asyncio.timeout(EACH_SECONDS):
            found = await authorization_server(OAuthHttp(http, rules), issuer)
    except DiscoveryFailed as error:
        return "failed", str(error)
    except TimeoutError:
        return "failed", f"{issuer} does not answer within {EACH_SECONDS:.0f} s"
    return "ok", f"metadata of {found.issuer or issuer}"
