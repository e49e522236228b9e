"""The variables of a path, as real documents write them: `{id}`, routers' `{*path}`, `{+path}`, `{id:[0-9]+}`.

A variable that no parameter declares is text: there is no other reading. One whose parameter is declared in another
case is that parameter's. Both are said when the document is loaded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_VARIABLE = re.compile(r"\{([^{}]+)\}")


@dataclass(frozen=True, slots=True)
class PathTemplate:
    """`path` names every variable as its parameter does; `renamed` are (as written, as declared)."""

    path: str
    undeclared: tuple[str, ...] = ()
    renamed: tuple[tuple[str, str], ...] = ()

    def warnings(self) -> Iterator[str]:
        for name in self.undeclared:
            yield f"no parameter declares `{{{name}}}` of the path: it is taken as text"
        for written, declared in self.renamed:
            yield f"`{{{written}}}` of the path is taken as the parameter `{declared}`"


def settle_template(path: str, declared: Iterable[str]) -> PathTemplate:
    """Match the variables of a path with the names of its path parameters."""
    names = set(declared)
    end = next((index for index, char in enumerate(path) if char in "?#"), len(path))
    undeclared: dict[str, None] = {}
    renamed: dict[str, str] = {}

    def settled(match: re.Match[str]) -> str:
        written = match.group(1)
        bare = written.strip("+*")
        if written in names or bare in names:
            return match.group()
        before_pattern = bare.partition(":")[0]
        alike = [name for name in names if name.casefold() in (bare.casefold(), before_pattern.casefold())]
        if len(alike) == 1:
            renamed[written] = alike[0]
            kept = bare if ":" not in bare else written.lstrip("+*")
            return "{" + written.replace(kept, alike[0]) + "}"
        undeclared[bare] = None
        return match.group()

    head = _VARIABLE.sub(settled, path[:end])
    return PathTemplate(head + path[end:], tuple(undeclared), tuple(renamed.items()))
