"""Health probes that the config gets wrong, as far as the files alone tell: a document that is fetched may change."""

from __future__ import annotations

from integrations import Integration
from policies import KnownTools, parse_pattern
from proxy.config import Diagnostic, LoadedConfig
from proxy.config.nodes import find
from proxy.config.semantics.tools import has_local_source
from proxy.connections import Opened

_LISTED = "see `executor tools list`"


def health_problems(loaded: LoadedConfig, opened: Opened) -> list[Diagnostic]:
    """Tools that do not only read, or do not exist (E206). For tools of documents that belong to the config."""
    assert loaded.config is not None
    found = []
    for name, one in loaded.config.integrations.items():
        wrong = _wrong(name, one, opened) if one.health is not None and has_local_source(one) else None
        if wrong is not None and _stands_in_the_files(loaded, name):
            found.append(_diagnostic(loaded, f"integrations.{name}.health.tool", *wrong))
    return found


def _wrong(name: str, integration: Integration, opened: Opened) -> tuple[str, str] | None:
    """What is wrong, and the remedy."""
    tool = integration.health.tool if integration.health is not None else ""
    for prefix, source in opened.sources.items():
        if prefix.partition(".")[0] != name or source.toolset is None:
            continue
        definition = next((one for one in source.toolset.tools if one.name == tool), None)
        if definition is None:
            near = KnownTools({prefix: [one.name for one in source.toolset.tools]}, {})
            meant = near.suggestion(parse_pattern(f"{prefix}.{tool}"))
            help = f"did you mean `{meant.removeprefix(f'{prefix}.')}`?" if meant else _LISTED
            return f"`tool`: `{name}` has no tool `{tool}`", help
        if definition.risk != "read":
            return f"`tool`: a probe must only read, and `{tool}` does not", _LISTED
        return None
    return None


def _stands_in_the_files(loaded: LoadedConfig, name: str) -> bool:
    """A probe that a preset brought along is no mistake of the file: its report says what is wrong."""
    path = ("integrations", name, "health")
    return loaded.view is not None and find(loaded.view.root, path).depth == len(path)


def _diagnostic(loaded: LoadedConfig, path: str, words: str, help: str) -> Diagnostic:
    place = loaded.location(path)
    return Diagnostic(
        "E206", "error", words, help, path=path, file=place.file, line=place.line, column=place.column
    )
