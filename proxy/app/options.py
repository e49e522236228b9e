"""What a start was asked for, which files belong to its config, and the errors of a start that cannot serve."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from integrations import GraphQl, Integration, OpenApi
from integrations.base import SourceError
from proxy.config import Config, Diagnostic
from proxy.config.report import Summary, render
from proxy.config.watch import Watcher
from proxy.connections.kinds import document_files
from proxy.lock.vendored import FOLDER as CATALOGS
from proxy.tasks import TaskSupervisor


@dataclass(frozen=True, slots=True)
class StartOptions:
    """The command line and the environment, nothing from the config.

    `listen` overrides `server.listen`; `watch` off leaves SIGHUP and `POST /-/reload`. `env` is the process's.
    `last_good` is what to begin with while the files are invalid.
    `protocol_on_stdout`: stdout belongs to JSON-RPC, so audit lines that the config wants there go to stderr.
    """

    paths: tuple[Path, ...]
    env: Mapping[str, str]
    listen: str | None = None
    watch: bool = True
    workspace: str | None = None
    protocol_on_stdout: bool = False
    last_good: Path | None = None


class InvalidConfig(Exception):
    """The config cannot be served; the diagnostics were printed. Exit code 78."""


class CannotServe(OSError):
    """The config is right, but something it names is not usable now; a later start may succeed. Exit code 2."""


def references(config: Config) -> list[Path]:
    """Files whose content belongs to the config: they are watched, and a change is a reload. Blocks."""
    found = [path for one in config.integrations.values() for path in _files_of(one)]
    if config.lock is not None and config.lock.mode != "off":
        lock = Path(config.lock.file)
        found += [lock, *sorted((lock.parent / CATALOGS).glob("*.json"))]
    tls = config.server.tls
    return [*found, *(Path(held.file) for held in (tls.files().values() if tls is not None else ()))]


def _files_of(integration: Integration) -> Iterator[Path]:
    """Its documents. A new file that fits a pattern of `documents` is found by the next reload."""
    if isinstance(integration, OpenApi) and integration.spec.file:
        yield Path(integration.spec.file)
    if isinstance(integration, GraphQl):
        if not isinstance(integration.introspection, str):
            yield Path(integration.introspection.file)
        # Patterns that cannot be followed now are an error of the build, which says so.
        with suppress(SourceError):
            yield from document_files(integration.documents)


def watcher_of(options: StartOptions, config: Config, tasks: TaskSupervisor) -> Watcher:
    """Watches unless the command line or the config says not to; opened with `async with`."""
    reload = config.server.reload
    return Watcher(
        options.paths,
        poll_interval_seconds=reload.poll_interval,
        settle_seconds=reload.settle,
        watch=options.watch and reload.watch,
        tasks=tasks,
    )


def rendered(diagnostics: tuple[Diagnostic, ...]) -> str:
    """The errors as text without colour, as `executor validate` prints them."""
    errors = [one for one in diagnostics if one.severity == "error"]
    return render("text", errors, Summary(len({one.file for one in errors}), 0, 0, 0, 0), color=False)
