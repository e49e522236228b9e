"""Health probes that the config gets wrong, as far as the files alone tell: a document that is fetched may change."""

from __future__ import annotations

from integrations import GraphQl, Integration, OpenApi
from integrations.graphql.config import IntrospectionFile
from proxy.config import Diagnostic, LoadedConfig
from proxy.config.nodes import find
from proxy.connections import Opened


def health_problems(loaded: LoadedConfig, opened: Opened) -> list[Diagnostic]:
    """Tools that do not only read, or do not exist (E206). For tools of documents that belong to the config."""
    assert loaded.config is not None
    found = []
    for name, one in loaded.config.integrations.items():
        words = _wrong(name, one, opened) if one.health is not None and _is_local(one) else None
        if words is not None and _stands_in_the_files(loaded, name):
            found.append(_diagnostic(loaded, f"integrations.{name}.health.tool", words))
    return found


def _is_local(integration: Integration) -> bool:
    if isinstance(integration, OpenApi):
        return integration.spec.url is None
    return isinstance(integration, GraphQl) and isinstance(integration.introspection, IntrospectionFile)


def _wrong(name: str, integration: Integration, opened: Opened) -> str | None:
    tool = integration.health.tool if integration.health is not None else ""
    for prefix, source in opened.sources.items():
        if prefix.partition(".")[0] != name or source.toolset is None:
            continue
        definition = next((one for one in source.toolset.tools if one.name == tool), None)
        if definition is None:
            return f"`tool`: `{name}` has no tool `{tool}`"
        return None if definition.risk == "read" else f"`tool`: a probe must only read, and `{tool}` does not"
    return None


def _stands_in_the_files(loaded: LoadedConfig, name: str) -> bool:
    """A probe that a preset brought along is no mistake of the file: its report says what is wrong."""
    path = ("integrations", name, "health")
    return loaded.view is not None and find(loaded.view.root, path).depth == len(path)


def _diagnostic(loaded: LoadedConfig, path: str, words: str) -> Diagnostic:
    place = loaded.location(path)
    help = "see `executor tools list`"
    return Diagnostic(
        "E206", "error", words, help, path=path, file=place.file, line=place.line, column=place.column
    )
