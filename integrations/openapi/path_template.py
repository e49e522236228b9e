"""The variables of a path, as real documents write them: `{id}`, routers' `{*path}`, `{+path}`, `{id:[0-9]+}`.

A variable that no parameter declares is text: there is no other reading. One whose parameter is declared in another
case, or with other signs between its words, is that parameter's. A parameter without a variable cannot be sent. All
three are said when the document is loaded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_VARIABLE = re.compile(r"\{([^{}]+)\}")
_BETWEEN_WORDS = re.compile(r"[-_.]")


@dataclass(frozen=True, slots=True)
class PathTemplate:
    """`path` names every variable as its parameter does; `renamed` are (as written, as declared),
    `placeless` parameters that no variable of the path stands for."""

    path: str
    undeclared: tuple[str, ...] = ()
    renamed: tuple[tuple[str, str], ...] = ()
    placeless: tuple[str, ...] = ()

    def warnings(self) -> Iterator[str]:
        for name in self.undeclared:
            yield f"no parameter declares `{{{name}}}` of the path: it is taken as text"
        for written, declared in self.renamed:
            yield f"`{{{written}}}` of the path is taken as the parameter `{declared}`"
        for name in self.placeless:
            yield f"the path has no place for its parameter `{name}`: it is left out"


def settle_template(path: str, declared: Iterable[str]) -> PathTemplate:
    """Match the variables of a path with the names of its path parameters."""
    names = set(declared)
    end = next((index for index, char in enumerate(path) if char in "?#"), len(path))
    undeclared: dict[str, None] = {}
    renamed: dict[str, str] = {}
    used: set[str] = set()

    def settled(match: re.Match[str]) -> str:
        written = match.group(1)
        bare = written.strip("+*")
        if written in names or bare in names:
            used.update((written, bare))
            return match.group()
        before_pattern = bare.partition(":")[0]
        alike = [name for name in names if _loosely(name) in (_loosely(bare), _loosely(before_pattern))]
        if len(alike) == 1:
            used.add(alike[0])
            renamed[written] = alike[0]
            kept = bare if ":" not in bare else written.lstrip("+*")
            return "{" + written.replace(kept, alike[0]) + "}"
        undeclared[bare] = None
        return match.group()

    head = _VARIABLE.sub(settled, path[:end])
    used.update(name.strip("+*") for name in _VARIABLE.findall(path[end:]))
    placeless = names - used
    return PathTemplate(
        head + path[end:], tuple(undeclared), tuple(renamed.items()), tuple(sorted(placeless))
    )


def _loosely(name: str) -> str:
    """`user_id`, `userId` and `user-id` are one name."""
    return _BETWEEN_WORDS.sub("", name).casefold()
