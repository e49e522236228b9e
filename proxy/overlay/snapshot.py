"""All registrations as one process knows them, and the config that each of them is."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from proxy.config import Config, LoadedConfig, load_config
from proxy.config.diagnostic import Diagnostic
from proxy.config.source import STDIN
from proxy.overlay.entries import OverlayStore, RegisteredServer
from proxy.overlay.registration import (
    InvalidRegistration,
    RegistrationProblem,
    ServerRegistration,
    pointer_of,
)
from proxy.overlay.yaml_text import loader_text, server_sections

_NO_SERVERS: Final[Mapping[str, tuple[RegisteredServer, ...]]] = MappingProxyType({})
_NO_MARKS: Final[Mapping[str, frozenset[str]]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class OverlaySnapshot:
    """By workspace: what is registered, and which connections of the files are disconnected."""

    servers: Mapping[str, tuple[RegisteredServer, ...]] = field(default_factory=lambda: _NO_SERVERS)
    disconnected: Mapping[str, frozenset[str]] = field(default_factory=lambda: _NO_MARKS)

    @property
    def revision(self) -> str:
        """Equal for equal contents."""
        said = [
            (workspace, one.registration.integration, one.version)
            for workspace, found in sorted(self.servers.items())
            for one in found
        ]
        off = [(workspace, sorted(prefixes)) for workspace, prefixes in sorted(self.disconnected.items())]
        return hashlib.sha256(repr((said, off)).encode()).hexdigest()


async def read_snapshot(
    store: OverlayStore, workspaces: Iterable[str], *, registrations: bool
) -> OverlaySnapshot:
    """As the store is now. Without `registrations` nothing that was registered counts. Raises `StateError`."""
    servers: dict[str, tuple[RegisteredServer, ...]] = {}
    disconnected: dict[str, frozenset[str]] = {}
    for workspace in workspaces:
        if registrations and (found := await store.servers(workspace)):
            servers[workspace] = found
        if off := await store.disconnected(workspace):
            disconnected[workspace] = off
    return OverlaySnapshot(servers, disconnected)


@dataclass(frozen=True, slots=True)
class RegisteredConfig:
    """The config of one registration, and what its references stand for."""

    config: Config
    values: Mapping[str, str]


def configured(
    registration: ServerRegistration, workspace: str, *, off: bool = False, allow: Iterable[str] = ()
) -> RegisteredConfig:
    """Judged like lines of a file. Raises `InvalidRegistration`."""
    sections = server_sections(registration, workspace, off=off, allow=allow)
    loaded = load_config([STDIN_PATH], env=None, stdin=loader_text(sections), advice=False)
    if loaded.config is None:
        raise InvalidRegistration(_problems(registration, loaded))
    return RegisteredConfig(loaded.config, sections.values)


STDIN_PATH: Final = "-"
_ISSUER: Final = "give `oauth.issuer`: the authorization server that the secret is for"


def _problems(registration: ServerRegistration, loaded: LoadedConfig) -> list[RegistrationProblem]:
    errors = [one for one in loaded.diagnostics if one.severity == "error"]
    # What is wrong with the name is wrong with the connection of the same name.
    said = [one for one in errors if not one.path.startswith("connections")] or errors
    return [_problem(registration, one) for one in said]


def _problem(registration: ServerRegistration, one: Diagnostic) -> RegistrationProblem:
    pointer = pointer_of(registration.integration, one.path)
    help = _ISSUER if one.code == "E501" else one.help
    return RegistrationProblem(pointer, one.code, one.message.replace(STDIN, "the registration"), help)
