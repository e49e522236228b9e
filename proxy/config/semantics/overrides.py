"""`overrides` that add what nobody reads: a method, a section or a field that OpenAPI does not have (W609).

What a patch changes or removes must be there, or the document is refused; what it adds may have any name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from integrations import OpenApi
from integrations.openapi.trim import READ_EXTENSIONS
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
    """Additions whose last token is none of those that may stand there, and extensions (`x-`) that nothing reads."""
    for name, integration in view.config.integrations.items():
        if not isinstance(integration, OpenApi):
            continue
        for index, operation in enumerate(integration.overrides):
            why = _misplaced(operation)
            if _is_idle_extension(operation, integration.overrides):
                why = _Idle("extensions of this name are not read", "remove it")
            if why is not None:
                message = f"`{operation.path}` adds what is never read: {why.reason}"
                yield Finding("W609", ("integrations", name, "overrides", index, "path"), message, why.help)


@dataclass(frozen=True, slots=True)
class _Idle:
    reason: str
    help: str | None


def _misplaced(operation: PatchOperation) -> _Idle | None:
    known = _allowed(operation)
    key = _last(operation)
    if not known or key in known or key.startswith("x-"):
        return None
    close = nearest_name(key, known)
    # At the top a name of one's own may be a place to move things to.
    if close is None and known is _DOCUMENT:
        return None
    return _Idle(f"no `{key}` can stand there", f"did you mean `{close}`?" if close else None)


def _last(operation: PatchOperation) -> str:
    return operation.path.rpartition("/")[2].replace("~1", "/").replace("~0", "~")


def _is_idle_extension(operation: PatchOperation, others: Sequence[PatchOperation]) -> bool:
    """Whether nothing reads the extension that is added: neither the compiler, nor another operation, nor a reference.

    Below `paths`, `components` and `definitions` the names are the document's own (a header `x-request-id`).
    """
    key = _last(operation)
    if operation.op not in ("add", "copy", "move") or not key.startswith("x-") or key in READ_EXTENSIONS:
        return False
    if operation.path.count("/") > 1 and not _allowed(operation):
        return False
    place = operation.path
    return not any(
        (one.from_ or "").startswith(place) or f"#{place}" in str(one.value)
        for one in others
        if one is not operation
    )


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
