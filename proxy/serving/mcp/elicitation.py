"""Questions as MCP elicitations, and their answers as decisions. Values only; who asks when is in `pauses`.

Rules:
- An approval is a form with one field, `decision`. Accepting the form without choosing `accept` in it declines: some
  clients accept first and show the fields afterwards, and some show no fields at all.
- The message is the question's own inert text (T10).
- `approver: human` is never asked here. Nothing in the config or the protocol declares that a person other than the one
  whose account asks sits at a client, so the answer would be the requesting account's own.
- An elicitation's id, or the state that a client sends back with its answers, is sealed: it names the execution and the
  questions that were really put to this client.
- The keys of the seals are those of the state store (`state.encryption_key`), so every replica reads what another one
  sealed. Without one, as with the memory store, a key of this process is made: what it sealed is worthless after a
  restart, and so are the executions of such a store.
"""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import mcp_types as types
from mcp.server.request_state import InvalidRequestState

from integrations.base import JsonObject, Secret
from integrations.conversation import ElicitAction
from integrations.json_text import read_json, write_json
from proxy.executions import ELICIT_ACTIONS, LOST_CALL_OUTCOMES, Interaction, InteractionDecision
from proxy.state import StateUnreadable
from proxy.state.keys import KeyRing

_PREFIX: Final = "x1."
_STATE: Final = "request-state"
ElicitationCapabilities = frozenset[str]
"""What a client can show: `form`, `url`. Empty: it cannot be asked."""
NO_CAPABILITIES: Final[ElicitationCapabilities] = frozenset()
_ID: Final = "elicitation-id"
APPROVAL_SCHEMA: Final[JsonObject] = {
    "type": "object",
    "properties": {
        "decision": {
            "type": "string",
            "title": "Decision",
            "description": "accept sends exactly this; decline sends nothing",
            "enum": ["accept", "decline"],
        }
    },
    "required": ["decision"],
}
_OUTCOME_SCHEMA: Final[JsonObject] = {
    "type": "object",
    "properties": {
        "outcome": {
            "type": "string",
            "title": "What became of it",
            "description": "retry sends it again, done takes it as done, fail takes it as failed",
            "enum": list(LOST_CALL_OUTCOMES),
        }
    },
    "required": ["outcome"],
}


class Forged(Exception):
    """Not sealed by this deployment, or for another purpose."""


class Seals:
    """Seals texts for a purpose. Implements the SDK's `RequestStateCodec` (`seal`, `unseal`)."""

    def __init__(self, keys: Sequence[Secret] = ()) -> None:
        self._ring = KeyRing(keys or (Secret(secrets.token_urlsafe(32)),))

    def close(self, purpose: str, text: bytes) -> str:
        """A token of URL-safe characters."""
        sealed = base64.urlsafe_b64encode(self._ring.seal(text, purpose))
        return _PREFIX + sealed.decode().rstrip("=")

    def open(self, purpose: str, token: str) -> bytes:
        """Raises `Forged`."""
        version, body = token[: len(_PREFIX)], token[len(_PREFIX) :]
        if version != _PREFIX:
            raise Forged("not in a format that this version writes")
        try:
            raw = base64.b64decode(body + "=" * (-len(body) % 4), altchars=b"-_", validate=True)
            return self._ring.open(raw, purpose)
        except (ValueError, binascii.Error, StateUnreadable) as error:
            raise Forged(str(error)) from None

    def seal(self, payload: bytes) -> str:
        """For `requestState`."""
        return self.close(_STATE, payload)

    def unseal(self, token: str) -> bytes:
        """Raises `InvalidRequestState`."""
        try:
            return self.open(_STATE, token)
        except Forged as error:
            raise InvalidRequestState(str(error)) from None


def capabilities_of(client: types.ClientCapabilities | None) -> ElicitationCapabilities:
    """What a client declared. An empty elicitation capability means `form` (MCP 2025-11-25, client/elicitation)."""
    declared = client.elicitation if client is not None else None
    if declared is None:
        return NO_CAPABILITIES
    modes = {"form": declared.form, "url": declared.url}
    return frozenset(name for name, given in modes.items() if given is not None) or frozenset({"form"})


def askable(
    questions: tuple[Interaction, ...], capabilities: ElicitationCapabilities
) -> tuple[Interaction, ...]:
    """Those that this client's user may be asked."""
    return tuple(
        one for one in questions if one.approver != "human" and _shown_as(one, capabilities) is not None
    )


def _shown_as(question: Interaction, capabilities: ElicitationCapabilities) -> str | None:
    if question.kind == "url" and "url" in capabilities:
        return "url"
    return "form" if "form" in capabilities else None


def elicitation(question: Interaction, capabilities: ElicitationCapabilities, *, legacy: bool) -> JsonObject:
    """The parameters of `elicitation/create`. Only the handshake era wants an `elicitationId` with a URL."""
    if question.url is not None and _shown_as(question, capabilities) == "url":
        own = {"elicitationId": question.id} if legacy else {}
        return {"mode": "url", "message": question.message, "url": question.url, **own}
    message = f"{question.message}\n{question.url}" if question.url is not None else question.message
    return {"mode": "form", "message": message, "requestedSchema": _schema(question)}


def _schema(question: Interaction) -> JsonObject:
    if question.kind == "outcome_unknown":
        return _OUTCOME_SCHEMA
    if question.kind == "form" and question.requested_schema is not None:
        return dict(question.requested_schema)
    return APPROVAL_SCHEMA


def decision_of(kind: str, url_mode: bool, answer: Any) -> InteractionDecision | None:
    """What an `ElicitResult` says; None when it is not one."""
    word = answer.get("action") if isinstance(answer, Mapping) else None
    action: ElicitAction | None = next((one for one in ELICIT_ACTIONS if one == word), None)
    if action is None:
        return None
    content = answer.get("content")
    if not isinstance(content, Mapping):
        content = {}
    if action != "accept":
        return InteractionDecision(action)
    if kind in ("form", "outcome_unknown"):
        return InteractionDecision("accept", dict(content))
    return InteractionDecision("accept" if url_mode or content.get("decision") == "accept" else "decline")


@dataclass(frozen=True, slots=True)
class SentElicitation:
    """One question as it was put to one client. `session_id` is None outside handshake sessions."""

    execution_id: str
    question_id: str
    kind: str
    url_mode: bool
    session_id: str | None

    @classmethod
    def of(
        cls,
        execution_id: str,
        question: Interaction,
        capabilities: ElicitationCapabilities,
        session_id: str | None,
    ) -> SentElicitation:
        return cls(
            execution_id, question.id, question.kind, _shown_as(question, capabilities) == "url", session_id
        )

    def sealed(self, seals: Seals) -> str:
        """The JSON-RPC id of the elicitation: the answer says by itself what it is about, on every replica."""
        body = [self.execution_id, self.question_id, self.kind, self.url_mode, self.session_id]
        return seals.close(_ID, write_json(body))

    @classmethod
    def opened(cls, seals: Seals, identifier: Any) -> SentElicitation | None:
        """None for an id that we did not make."""
        if not isinstance(identifier, str):
            return None
        try:
            return cls(*read_json(seals.open(_ID, identifier)))
        except (Forged, TypeError, ValueError):
            return None

    def decision(self, answer: Any) -> InteractionDecision | None:
        return decision_of(self.kind, self.url_mode, answer)


@dataclass(frozen=True, slots=True)
class RequestState:
    """The plain text of a `requestState`: an execution and what was asked about it."""

    execution_id: str
    sent: tuple[SentElicitation, ...]

    def text(self) -> str:
        rows = [[one.question_id, one.kind, one.url_mode] for one in self.sent]
        return write_json([self.execution_id, rows]).decode()

    @classmethod
    def read(cls, text: str) -> RequestState:
        """Of a text that the seal has vouched for."""
        execution_id, rows = read_json(text)
        sent = tuple(
            SentElicitation(execution_id, name, kind, url_mode, None) for name, kind, url_mode in rows
        )
        return cls(execution_id, sent)

    def decisions(self, responses: Mapping[str, Any]) -> dict[str, InteractionDecision]:
        """The answers to what was asked; others are ignored (MCP 2026-07-28, multi round-trip requests)."""
        read = {
            one.question_id: one.decision(responses[one.question_id])
            for one in self.sent
            if one.question_id in responses
        }
        return {name: decision for name, decision in read.items() if decision is not None}
