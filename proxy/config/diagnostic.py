"""What is wrong with a config file, as a value: a stable code, a message, a place and the source line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Related:
    """A second place that explains a diagnostic, such as the first of two equal keys."""

    message: str
    file: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding about the config.

    Lines and columns are 1-based and count code points; `end_column` is the column after the last marked one.
    `path` is the config path (`integrations.api.spec`), empty for a whole file. `excerpt` is the source text
    from `line` to `end_line` without the line end; secrets in it are masked before it gets here.
    """

    code: str
    severity: Severity
    message: str
    help: str | None = None
    path: str = ""
    file: str = ""
    line: int = 1
    column: int = 1
    end_line: int = 1
    end_column: int = 1
    related: tuple[Related, ...] = ()
    excerpt: str = ""
