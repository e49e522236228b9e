"""What `EXECUTOR_MCP_DEBUG=1` adds to the log: what clients can do, what they are asked, and what they answer.

Values that people type are not written: of an answer its action, and of each field of its content the type and size.
An approval's text holds arguments, so of approvals the tool and the digest of the arguments stand for it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any, Final

from integrations.json_text import write_json
from proxy.executions import Interaction
from proxy.principal import Principal
from proxy.serving.mcp.client import McpContext
from proxy.telemetry.logs import PROTOCOL, Logger

_log: Final = Logger(PROTOCOL)
_CLIENTS: Final = 1000
_TEXT: Final = 500
# What these fields of a content hold are words of ours.
_OURS: Final = frozenset({"decision", "outcome"})


class SeenClients:
    """Tells of each client once, and again when it declares something else. Remembers the last thousand."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, str, str], bytes] = OrderedDict()

    def see(self, context: McpContext) -> None:
        if not _log.is_enabled("debug"):
            return
        client, session = context.lifespan_context, context.session
        declared = session.client_capabilities
        info = session.client_params.client_info if session.client_params is not None else None
        name = f"{info.name} {info.version}" if info is not None else ""
        plain = declared.model_dump(mode="json", by_alias=True, exclude_none=True) if declared else None
        said = write_json(plain)
        key = (client.principal.account, client.session_id or "", name)
        if self._known.get(key) == said:
            return
        self._known[key] = said
        if len(self._known) > _CLIENTS:
            self._known.popitem(last=False)
        _log.debug(
            "client_capabilities",
            **_who(client.principal),
            session=client.session_id,
            client=name[:_TEXT],
            protocol=context.protocol_version,
            requested_mode=client.requested_mode,
            capabilities=said.decode()[:_TEXT],
        )


def is_on() -> bool:
    """Whether anything of it is written."""
    return _log.is_enabled("debug")


def asked(execution_id: str, questions: Iterable[Interaction], principal: Principal, how: str) -> None:
    """Questions that are put to a client, in the way `how`."""
    if not _log.is_enabled("debug"):
        return
    for one in questions:
        text = (
            {"arguments_sha256": one.args_digest}
            if one.kind == "approval"
            else {"message": one.message[:_TEXT]}
        )
        fields = (one.requested_schema or {}).get("properties", {})
        _log.debug(
            "elicitation_asked",
            execution=execution_id,
            interaction=one.id,
            kind=one.kind,
            how=how,
            tool=one.address,
            approver=one.approver,
            **_who(principal),
            **text,
            **({"fields": sorted(map(str, fields))} if fields else {}),
            **({"url": one.url.split("?")[0]} if one.url else {}),
        )


def answered(
    execution_id: str, interaction_id: str | None, answer: Any, principal: Principal, how: str
) -> None:
    """What came back: an `ElicitResult`, the arguments of `resume`, or why there is none."""
    if not _log.is_enabled("debug"):
        return
    given: Mapping[str, Any] = answer if isinstance(answer, Mapping) else {"action": str(answer)[:_TEXT]}
    content = given.get("content")
    _log.debug(
        "elicitation_answered",
        execution=execution_id,
        interaction=interaction_id,
        how=how,
        **_who(principal),
        action=str(given.get("action"))[:_TEXT],
        content=_outline(content) if isinstance(content, Mapping) else None,
    )


def _outline(content: Mapping[str, Any]) -> str:
    """The fields without their values."""
    return write_json({str(name)[:64]: _kind(str(name), value) for name, value in content.items()}).decode()[
        :_TEXT
    ]


def _kind(name: str, value: Any) -> str:
    if name in _OURS and isinstance(value, str):
        return value[:16]
    if isinstance(value, str):
        return f"[string of {len(value)}]"
    return f"[{type(value).__name__}]"


def _who(principal: Principal) -> dict[str, str]:
    return {"workspace": principal.workspace_id, "account": principal.account_id}
