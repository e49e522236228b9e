"""The files behind a config: which ones belong to it, who watches them, and what is said when they are wrong."""

from __future__ import annotations

from pathlib import Path

from integrations.openapi.config import OpenApi
from proxy.app.options import StartOptions
from proxy.config import Config, Diagnostic
from proxy.config.report import Summary, render
from proxy.config.watch import Watcher


def references(config: Config) -> list[Path]:
    """Files whose content belongs to the config: they are watched, and a change is a reload."""
    return [
        Path(one.spec.file)
        for one in config.integrations.values()
        if isinstance(one, OpenApi) and one.spec.file
    ]


def watcher_of(options: StartOptions, config: Config) -> Watcher:
    """Watches unless the command line or the config says not to; opened with `async with`."""
    reload = config.server.reload
    return Watcher(
        options.paths,
        poll_interval_seconds=reload.poll_interval,
        settle_seconds=reload.settle,
        watch=options.watch and reload.watch,
    )


def rendered(diagnostics: tuple[Diagnostic, ...]) -> str:
    """The errors as text without colour, as `executor validate` prints them."""
    errors = [one for one in diagnostics if one.severity == "error"]
    return render("text", errors, Summary(len({one.file for one in errors}), 0, 0, 0, 0), color=False)
