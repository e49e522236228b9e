"""Which operation of a document a path belongs to: a redirect must not lead from one tool to another unasked.

Paths are compared generously (decoded, without case, empty and dot segments), because servers read them so; of several
templates that fit, the one with the earliest literal segments is meant (OpenAPI, "Path Templating Matching").
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from urllib.parse import unquote

_VARIABLE = re.compile(r"\{[^{}]+\}")
_SPANNING = re.compile(r"\{(?:[+*][^{}]*|[^{}]*[+*])\}")


class PathTable:
    """The path templates of a document and what each method of them is called."""

    def __init__(self, operations: Iterable[tuple[str, str, str]]) -> None:
        """`operations` are template, method and name."""
        self._names: dict[str, dict[str, str]] = {}
        for template, method, name in operations:
            self._names.setdefault(template, {})[method.upper()] = name
        self._patterns = [(_pattern(template), template) for template in self._names]

    def find(self, path: str, bases: Iterable[str]) -> str | None:
        """The template of a path below one of these base paths; None when it belongs to no operation."""
        segments = _segments(path)
        for base in sorted({tuple(_segments(base)) for base in bases}, key=len, reverse=True):
            if tuple(segments[: len(base)]) == base:
                fitting = [
                    (tuple("{" not in one for one in _raw_segments(template)), template)
                    for pattern, template in self._patterns
                    if pattern.fullmatch("/".join(segments[len(base) :]))
                ]
                if fitting:
                    return max(fitting)[1]
        return None

    def methods(self, template: str) -> Mapping[str, str]:
        """Method to name."""
        return self._names[template]


def _raw_segments(template: str) -> list[str]:
    return [segment for segment in re.split(r"[?#]", template)[0].split("/") if segment]


def _pattern(template: str) -> re.Pattern[str]:
    return re.compile("/".join(map(_segment, _raw_segments(template))), re.DOTALL)


def _segment(segment: str) -> str:
    anything = ".+" if _SPANNING.search(segment) else "[^/]+"
    return anything.join(re.escape(unquote(text).casefold()) for text in _VARIABLE.split(segment))


def _segments(path: str) -> list[str]:
    out: list[str] = []
    for segment in path.split("/"):
        plain = unquote(segment).casefold()
        if plain == "..":
            out = out[:-1]
        elif plain not in ("", "."):
            out.append(plain)
    return out
