"""What is wrong with a config file, as a value: a stable code, a message, a place and the source line.

`CODES` lists every code. A code is never reused for something else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True)
class Related:
    """A second place that explains a diagnostic, such as the first of two equal keys."""

    message: str
    file: str
    line: int
    column: int
    end_line: int
    end_column: int


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

    def __post_init__(self) -> None:
        # Whoever knows only where it begins gives no end: it ends there, never before.
        if self.end_line < self.line:
            object.__setattr__(self, "end_line", self.line)
            object.__setattr__(self, "end_column", self.column)


CODES: Mapping[str, str] = MappingProxyType(
    {
        "E101": "YAML syntax",
        "E102": "tab indentation",
        "E103": "duplicate key or id",
        "E104": "several documents in one file",
        "E105": "empty, or only comments",
        "E106": "tag or merge key",
        "E107": "undefined alias",
        "E108": "alias expansion over 200,000 nodes",
        "E109": "nesting over 64",
        "E110": "not UTF-8, or a control character",
        "E111": "wrong top level, or an encrypted file",
        "E112": "mapping key is not a plain string, or template braces",
        "E114": "alias refers to itself",
        "E115": "merge conflict marker",
        "E201": "unknown key",
        "E202": "missing required key",
        "E203": "wrong type",
        "E204": "not one of the allowed values",
        "E205": "number out of range",
        "E206": "malformed value",
        "E207": "YAML 1.1 boolean word",
        "E209": "exactly one of several keys, or not both",
        "E210": "section without a value",
        "E301": "a name refers to nothing",
        "E302": "one section needs another",
        "E303": "pattern can never match",
        "E304": "referenced file does not exist",
        "E401": "secret written in plain text",
        "E402": "environment variable not set",
        "E403": "environment variable empty",
        "E404": "secret file missing or empty",
        "E405": "NAME and NAME_FILE both set",
        "E406": "${X} in a secret field is taken literally",
        "E407": "secret that begins with what does not belong to it",
        "E408": "encryption key too short",
        "E409": "key that cannot sign or verify",
        "E410": "certificate or key that cannot serve TLS",
        "E501": "unsafe exposure",
        "E502": "credentials over plain http",
        "E701": "an upstream or an authorization server does not answer",
        "E702": "the lock file is missing",
        "E703": "a definition differs from the lock",
        "E704": "a vendored catalog is missing, or not the one that the lock names",
        "W601": "rule can never apply",
        "W603": "looks like a template",
        "W604": "a rule approves every tool",
        "W605": "anonymous makes auth pointless",
        "W606": "expired key",
        "W607": "nobody may approve",
        "W608": "a role names nobody",
        "W609": "pattern matches no tool",
        "W610": "no matched tool has the argument of a condition",
        "W611": "integration without a connection",
        "W612": "rate limit counts nobody",
        "W613": "certificate that the other side refuses today",
        "W614": "no rule mentions the writes of an integration",
        "W615": "connection that nobody uses",
        "W616": "odd texts for the model that nobody has reviewed",
        "W617": "secret that is an ordinary word",
        "W620": "config in a directory below is not read",
    }
)
