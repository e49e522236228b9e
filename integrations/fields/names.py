"""Names of integrations and connections."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator

from integrations.fields.base import of_text, problem, string_schema

# These would hide the system tools of the same name (`tools.search` and so on).
_SYSTEM_TOOLS = ("catalog", "describe", "discover", "executor", "search")
# Patterns and addresses may begin with `tools.`: `tools.*` would be every tool, not those of an integration `tools`.
_PREFIX = "tools"
RESERVED = frozenset({*_SYSTEM_TOOLS, _PREFIX})
OWNERS = ("org", "user")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_NAME_PATTERN = r"^[A-Za-z_][A-Za-z0-9_]{0,63}$"


def as_identifier(text: str) -> str:
    """The nearest valid name."""
    made = re.sub(r"[^A-Za-z0-9_]", "_", text)[:64]
    return f"_{made}"[:64] if made[:1].isdigit() else made


def _check_identifier(part: str, whole: str) -> None:
    if _NAME.fullmatch(part):
        return
    if not part:
        raise problem(
            "E206", "a name is empty", "names are letters, digits and _, and do not start with a digit"
        )
    if len(part) > 64:
        raise problem("E206", f"`{part[:20]}...` is longer than 64 characters")
    fixed = whole.replace(part, as_identifier(part))
    raise problem("E206", f"`{part}` is not an identifier (letters, digits, _)", f"did you mean `{fixed}`?")


def _name(value: str) -> str:
    _check_identifier(value, value)
    return value


def _integration_name(value: str) -> str:
    _check_identifier(value, value)
    _check_reserved(value)
    return value


def _check_reserved(name: str) -> None:
    if name == _PREFIX:
        help = "addresses begin with `tools.`, so `tools.*` is every tool: call it something else, such as `tools_api`"
        raise problem("E206", f"`{name}` is reserved", help)
    if name in RESERVED:
        help = f"these names are system tools: {', '.join(_SYSTEM_TOOLS)}"
        raise problem("E206", f"`{name}` is reserved", help)


def _connection_key(value: str) -> str:
    parts = value.split(".")
    if len(parts) != 3:
        likely = {1: f"{parts[0]}.org.main", 2: f"{parts[0]}.org.{parts[-1]}"}.get(len(parts))
        raise problem(
            "E206",
            f"expected <integration>.<owner>.<connection>, found {len(parts)} part{'s' * (len(parts) != 1)}",
            f"did you mean `{likely}`?" if likely else None,
        )
    for part in (parts[0], parts[2]):
        _check_identifier(part, value)
    _check_reserved(parts[0])
    if parts[1] not in OWNERS:
        raise problem(
            "E206",
            f"the owner must be org or user, not `{parts[1]}`",
            f"did you mean `{parts[0]}.org.{parts[2]}`?",
        )
    return value


Name = Annotated[str, BeforeValidator(of_text(_name, "a name")), string_schema(_NAME_PATTERN, "main")]
IntegrationName = Annotated[
    str, BeforeValidator(of_text(_integration_name, "a name")), string_schema(_NAME_PATTERN, "github")
]
ConnectionKey = Annotated[
    str,
    BeforeValidator(of_text(_connection_key, "a connection key")),
    string_schema(r"^[A-Za-z_]\w{0,63}\.(org|user)\.[A-Za-z_]\w{0,63}$", "github.org.main"),
]
