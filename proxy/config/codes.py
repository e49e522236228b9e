"""Every diagnostic code and what it means. Codes are stable: a code is never reused for something else."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

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
        "E501": "unsafe exposure",
        "E502": "credentials over plain http",
        "W601": "rule can never apply",
        "W603": "looks like a template",
        "W604": "a rule approves every tool",
        "W605": "anonymous makes auth pointless",
        "W606": "expired key",
        "W607": "nobody may approve",
        "W690": "not supported yet",
    }
)
