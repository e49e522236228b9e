"""From what connections offer to the sources of a lock: one for an integration, and one for each connection that
offers something else."""

from __future__ import annotations

from collections.abc import Mapping

from proxy.lock.definition import Offered
from proxy.lock.file import LockedSource, LockFile


def locked(now: Offered) -> LockedSource:
    return LockedSource(now.kind, now.title, now.servers, dict(now.tools))


def assigned(
    lock: LockFile, integration: str, offers: Mapping[str, Offered], unreached: frozenset[str]
) -> dict[str, LockedSource]:
    """The sources of an integration by key, from what its connections offer (by prefix). What an unreached connection
    had keeps what was reviewed of it.
    """
    before = lock.belonging_to(integration)
    sources = {prefix: locked(offers[prefix]) for prefix in sorted(offers)}
    first = min((*offers, *unreached), default="")
    shared = sources.get(first) or before.get(integration) or next(iter(sources.values()), None)
    out = {integration: shared} if shared is not None else {}
    out |= {prefix: one for prefix, one in sources.items() if one != shared}
    kept = {prefix: before.get(prefix) or before.get(integration) for prefix in sorted(unreached)}
    return out | {prefix: one for prefix, one in kept.items() if one is not None and one != shared}
