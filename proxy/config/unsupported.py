"""What the language already has and this version does not do yet: one line each, deleted when it is built.

Every line is a warning (W690) that says what happens instead. `refuses_to_serve` marks what would be unsafe
to ignore: `executor serve` and `executor mcp` then stop with the same words, while `validate` only warns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from proxy.config.locations import Finding
from proxy.config.nodes import Path, show_path
from proxy.config.semantics.view import ConfigView

CODE = "W690"


def _anything(value: object) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Gap:
    """Config that asks for something missing. `wanted` gets the value at `path` (`*` is any key)."""

    path: str
    instead: str
    wanted: Callable[[object], bool] = _anything
    refuses_to_serve: bool = False


def _is(*words: str) -> Callable[[object], bool]:
    return lambda value: value in words


def _enforces(value: object) -> bool:
    return isinstance(value, dict) and value.get("mode", "enforce") == "enforce"


GAPS: tuple[Gap, ...] = (
    Gap("lock", "tools would not be compared with the lock file", _enforces, refuses_to_serve=True),
    Gap("lock.mode", "tools are not compared with the lock file", _is("warn")),
)


def unsupported(view: ConfigView) -> Iterator[Finding]:
    """A warning for every gap that the files ask for; defaults ask for nothing."""
    for gap, path, value in gaps_in(view.data):
        end = "; `executor serve` refuses to start with it" if gap.refuses_to_serve else ""
        message = f"`{_name(path, gap, value)}` is not supported yet: {gap.instead}{end}"
        yield Finding(CODE, path, message, None, "value" if gap.path.endswith((".kind", ".mode")) else "key")


def refusals(view_data: Mapping[str, Any]) -> list[Path]:
    """The paths that a server must not ignore."""
    return [path for gap, path, _ in gaps_in(view_data) if gap.refuses_to_serve]


def gaps_in(data: Mapping[str, Any]) -> Iterator[tuple[Gap, Path, Any]]:
    for gap in GAPS:
        for path, value in _reach(data, gap.path.split("."), ()):
            if gap.wanted(value):
                yield gap, path, value


def _reach(value: Any, steps: list[str], path: Path) -> Iterator[tuple[Path, Any]]:
    """Every value at a gap's path."""
    if not steps:
        yield path, value
    elif isinstance(value, dict):
        names = list(value) if steps[0] == "*" else [steps[0]] if steps[0] in value else []
        for name in names:
            yield from _reach(value[name], steps[1:], (*path, name))
    elif isinstance(value, list) and steps[0] == "*":
        for index, item in enumerate(value):
            yield from _reach(item, steps[1:], (*path, index))


def _name(path: Path, gap: Gap, value: object) -> str:
    """The key, with its value where only this value is missing."""
    key = show_path(path) if "*" not in gap.path else str(path[-1])
    return f"{key}: {value}" if isinstance(value, str) and gap.wanted is not _anything else key
