"""Arguments that stand in the wrong place: fields of the body beside it, as most code writes them first."""

from __future__ import annotations

from integrations.base import Problem
from integrations.openapi.arguments import MISSING, GivenArguments
from integrations.openapi.binding import OperationBinding
from integrations.openapi.doc import Doc
from integrations.openapi.multipart import raw_properties
from integrations.openapi.pointer import join_pointer

_SHOWN = 12


def say_what_belongs_in_the_body(doc: Doc, binding: OperationBinding, given: GivenArguments) -> None:
    """One problem instead of one for each name, and instead of the body's being missing."""
    if not given.unknown or binding.body is None:
        return
    fields = {name for media in binding.body.media for name in raw_properties(doc, media.schema)}
    names = [name for name in given.unknown if name in fields]
    if not names:
        return
    pointers = {join_pointer(name) for name in names} | ({"/body"} if given.body is MISSING else set())
    others = [one for one in given.problems if one.pointer not in pointers]
    shown = ", ".join(f"{name}: ..." for name in names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
    verb = "belongs" if len(names) == 1 else "belong"
    listed = ", ".join(f"`{name}`" for name in names[:_SHOWN])
    reason = f"{listed} {verb} in the request body: write {{body: {{{shown}}}}}"
    given.problems[:] = [Problem(join_pointer(names[0]), reason), *others]
