"""`executor doctor --server URL`: what a running server says of itself, as lines of `doctor`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from integrations.base import JsonObject
from proxy.commands.common import CannotRun
from proxy.commands.machine import Check, certificate
from proxy.commands.remote import Refused, Remote, inert

SKEW_SECONDS: Final = 30.0


def server_checks(remote: Remote) -> Iterator[Check]:
    """Health, readiness, its clock, what it serves, and each connection. A server that does not answer is one line."""
    try:
        date = remote.headers("/healthz").get("date", "")
    except CannotRun as error:
        yield Check("server", "bad", str(error))
        return
    yield Check("server", "ok", remote.url)
    yield _clock(date)
    for name, path in (("ready", "/readyz"), ("newest config", "/readyz?config=latest")):
        said = remote.json(path)
        ready = said.get("status") == "ready"
        yield Check(name, "ok" if ready else "bad", "yes" if ready else inert(said.get("reason", said)))
    try:
        status = remote.get("/-/status")
    except (Refused, CannotRun) as error:
        yield Check("status", "warn", f"{error}; set EXECUTOR_TOKEN to a key with the admin role")
        return
    yield from _certificate(status)
    yield from _connections(status)


def _clock(date: str) -> Check:
    try:
        skew = parsedate_to_datetime(date).timestamp() - time.time()
    except (ValueError, TypeError):
        return Check("clock", "warn", "the server does not tell its time")
    if abs(skew) > SKEW_SECONDS:
        return Check(
            "clock", "warn", f"the server's differs by {skew:+.0f} s: tokens and certificates depend on it"
        )
    return Check("clock", "ok", "the same as here")


def _certificate(status: JsonObject) -> Iterator[Check]:
    """What the server shows; nothing where it speaks plain HTTP."""
    tls = status.get("tls")
    if isinstance(tls, dict):
        until = datetime.fromisoformat(str(tls.get("expires")))
        yield certificate(inert(tls.get("certificate", "")), until, datetime.now(UTC))


def _connections(status: JsonObject) -> Iterator[Check]:
    for one in status.get("connections", []):
        good = one.get("status") == "connected"
        detail = f"{one.get('tools')} tools" if good else f"{one.get('status')}: {one.get('error', '')}"
        yield Check(inert(one.get("connection", "")), "ok" if good else "warn", inert(detail))
