"""`overrides` that add what nobody reads: a method, a section or a field that OpenAPI does not have (W609).

What a patch changes or removes must be there, or the document is refused; what it adds may have any name.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from integrations import OpenApi
from integrations.shared_config import PatchOperation
from proxy.config.locations import Finding
from proxy.config.semantics.view import ConfigView
from proxy.config.suggestions import nearest_name

_DOCUMENT: Final = tuple(
    "openapi swagger $self info jsonSchemaDialect servers paths webhooks components security tags externalDocs host "
    "basePath schemes consumes produces definitions parameters responses securityDefinitions".split()
)
_PATH_ITEM: Final = tuple(
    "get put post delete options head patch trace query additionalOperations $ref summary description servers "
    "parameters".split()
)
_OPERATION: Final = tuple(
    "tags summary description externalDocs operationId parameters requestBody responses callbacks deprecated security "
    "servers consumes produces schemes".split()
)


def idle_overrides(view: ConfigView) -> Iterator[Finding]:
    """Additions whose last token is none of those that may stand there. Extensions (`x-`) may."""
    for name, integration in view.config.integrations.items():
        if not isinstance(integration, OpenApi):
            continue
        for index, operation in enumerate(integration.overrides):
            known = _allowed(operation)
            key = operation.path.rpartition("/")[2].replace("~1", "/").replace("~0", "~")
            if not known or key in known or key.startswith("x-"):
                continue
            close = nearest_name(key, known)
            # At the top a name of one's own may be a place to move things to.
            if close or known is not _DOCUMENT:
                message = f"`{operation.path}` adds what is never read: no `{key}` can stand there"
                path = ("integrations", name, "overrides", index, "path")
                yield Finding("W609", path, message, f"did you mean `{close}`?" if close else None)


def _allowed(operation: PatchOperation) -> tuple[str, ...]:
    """The names that may stand where something is added; empty where any may."""
    if operation.op not in ("add", "copy", "move"):
        return ()
    match operation.path.split("/")[1:]:
        case [_]:
            return _DOCUMENT
        case ["paths", _, _]:
            return _PATH_ITEM
        case ["paths", _, method, _] if method in _PATH_ITEM[:9]:
            return _OPERATION
    return ()
