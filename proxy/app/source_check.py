"""What only the documents of a config show: wrong ones, probes and patterns of tools that they have not.

`executor validate` asks for it without network and without starting anything of the config: documents in files and in
the config itself are read, of all others nothing is claimed.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby

from integrations import GraphQl
from integrations.http import HttpClient
from proxy.app.health import health_problems
from proxy.app.known_tools import known_tools
from proxy.app.locking import LockProblem, lock_file, lock_state, vendored_catalogs
from proxy.app.odd_tools import odd_tools
from proxy.app.offline import local_part
from proxy.app.paths import cache_dir
from proxy.app.problems import problem_at
from proxy.config import Config, Diagnostic, LoadedConfig
from proxy.config.secrets import Resolver
from proxy.config.semantics.tools import reasons
from proxy.config.tool_report import tool_report
from proxy.connections import Connections, Opened
from proxy.connections.kinds import document_files
from proxy.connections.opening import WrongSource
from proxy.lock.file import LockFile
from proxy.lock.records import Records

# How the loader names the operation of `overrides` that does not fit.
_PATCH = re.compile(r"overrides\[\d+\]")


@dataclass(frozen=True, slots=True)
class SourceCheck:
    """`unchecked`: by connection, why nothing is claimed of patterns that may match its tools."""

    diagnostics: tuple[Diagnostic, ...]
    unchecked: Mapping[str, str]


async def check_sources(loaded: LoadedConfig, env: Mapping[str, str]) -> SourceCheck:
    """Read the local documents of a valid config, and compare the config with them."""
    config = loaded.config
    assert config is not None, "only a valid config has documents"
    wrong: list[Diagnostic] = []
    opened = Opened({}, {}, ())
    reviewed, problem = await asyncio.to_thread(_reviewed, loaded)
    wrong += problem
    vendored = vendored_catalogs(loaded, reviewed)
    async with (
        HttpClient() as http,
        Connections(http, Resolver(env), cache_dir(env), asks_vendored=False) as connections,
    ):
        for part in _local_parts(local_part(config, vendored)):
            try:
                more = await connections.open(part, loaded.directories, vendored=vendored)
            except WrongSource as error:
                wrong.append(wrong_source(loaded, error))
            else:
                opened = _both(opened, more)
        absent = {prefix: why for prefix, why in reasons(config).items() if prefix not in opened.connections}
        lock = await asyncio.to_thread(lock_state, loaded, reviewed, opened, Records(cache_dir(env)))
        report = tool_report(loaded, known_tools(opened, absent, reviewed))
        wrong += health_problems(loaded, opened)
        wrong += await asyncio.to_thread(lambda: list(odd_tools(loaded, opened, lock, cache_dir(env))))
        connections.release(opened.keys)
    return SourceCheck((*wrong, *report.diagnostics), report.unchecked)


def _reviewed(loaded: LoadedConfig) -> tuple[LockFile | None, list[Diagnostic]]:
    """A lock that is missing is E702 already, where that is judged."""
    try:
        return lock_file(loaded), []
    except LockProblem as problem:
        return None, [problem.diagnostic] if problem.diagnostic.code != "E702" else []


def _local_parts(config: Config) -> list[Config]:
    """The config cut into one for each integration, so that each wrong one is told."""
    local = config.connections
    by_integration = groupby(sorted(local), key=lambda prefix: prefix.partition(".")[0])
    return [
        config.model_copy(update={"connections": {prefix: local[prefix] for prefix in prefixes}})
        for _, prefixes in by_integration
    ]


def _both(one: Opened, other: Opened) -> Opened:
    return Opened(
        {**one.sources, **other.sources}, {**one.connections, **other.connections}, (*one.keys, *other.keys)
    )


def wrong_source(loaded: LoadedConfig, error: WrongSource) -> Diagnostic:
    """A local document that cannot be turned into tools (E206), at the key that is to blame."""
    assert loaded.config is not None
    integration = loaded.config.integrations[error.integration]
    if error.catalog:
        return problem_at(
            loaded, f"integrations.{error.integration}", "E704", f"`{error.integration}`: {error}"
        )
    patch = _PATCH.search(str(error))
    if patch:
        key = patch[0]
    elif isinstance(integration, GraphQl):
        key = "documents" if _names_an_operation(integration, str(error)) else "introspection"
    else:
        key = "spec"
    return problem_at(loaded, f"integrations.{error.integration}.{key}", "E206", f"`{key}`: {error}")


def _names_an_operation(integration: GraphQl, message: str) -> bool:
    """Whether the place in a message is in a file of `documents`: the loader reads them and the schema as one."""
    return any(f"{file.name}:" in message for file in document_files(integration.documents))
