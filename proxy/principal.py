"""Who calls. Made once per request by `proxy.auth`; everything below only reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Literal

from policies import Caller

PrincipalKind = Literal["key", "user", "anonymous", "local"]
DEFAULT_WORKSPACE: Final = "default"
"""The one workspace of a config without `workspaces`."""
_EMPTY: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated caller inside one workspace.

    `account_id` names the owner of sessions and executions: `key:ci_bot`, `user:sub`, `local` or `anonymous`.
    """

    workspace_id: str
    account_id: str
    kind: PrincipalKind
    groups: frozenset[str] = frozenset()
    scopes: frozenset[str] = frozenset()
    claims: Mapping[str, Any] = field(default_factory=lambda: _EMPTY)

    @property
    def account(self) -> str:
        """What shares are counted by: an account of one workspace. Callers without a name share one."""
        return f"{self.workspace_id}/{self.account_id}"

    def caller(self) -> Caller:
        """The same person as policies see them: one word each."""
        name = self.account_id.partition(":")[2] or self.account_id
        return Caller(
            key=name if self.kind == "key" else None,
            user=name if self.kind in ("user", "local") else None,
            groups=self.groups,
            anonymous=self.kind == "anonymous",
        )


WRITTEN_KINDS: Final = ("key", "user", "group", "workspace")


def written_caller(text: str) -> tuple[Principal, str | None]:
    """The principal that `key=ci_bot,group=ci` describes, for judging as somebody else, and the workspace that it
    names; the principal's own is empty then. Raises `ValueError` with what is wrong."""
    given: dict[str, list[str]] = {kind: [] for kind in WRITTEN_KINDS}
    for part in filter(None, (p.strip() for p in text.split(","))):
        kind, equals, value = part.partition("=")
        if kind not in given or not equals or not value:
            raise ValueError(f"{part}: expected one of {', '.join(f'{k}=NAME' for k in WRITTEN_KINDS)}")
        given[kind].append(value)
    # A caller that no request can have: what is said of it would be true of no request.
    if any(len(given[kind]) > 1 for kind in WRITTEN_KINDS if kind != "group"):
        raise ValueError(f"{text}: only group may be repeated")
    if given["key"] and given["user"]:
        raise ValueError(f"{text}: a caller is one of key and user")
    groups = frozenset(given["group"])
    workspace = given["workspace"][0] if given["workspace"] else None
    for kind in ("key", "user"):
        if given[kind]:
            return Principal("", f"{kind}:{given[kind][0]}", kind, groups), workspace  # type: ignore[arg-type]
    return Principal("", "local", "local", groups), workspace
