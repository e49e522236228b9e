"""What the state store remembers of the messages about one execution, and what such a message says.

One entry per execution. Its version makes sure that of two replicas which found the same pause only one begins to tell
of it; the message id in it makes every attempt, by whichever replica, an attempt at the same message.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from integrations.json_text import read_json, write_json
from proxy.executions import ExecutionView, Interaction
from proxy.executions.interactions import iso

KIND: Final = "webhook"
"""The kind of entry in the state store."""
_SHOWN: Final = 20


@dataclass(frozen=True, slots=True)
class Notice:
    """`told` are the questions that messages were about; the last message is `message_id`, about a pause at `at`.

    Times are seconds since 1970. `done`: it arrived, or was given up.
    """

    told: tuple[str, ...] = ()
    message_id: str = ""
    at: float = 0.0
    attempts: int = 0
    next_at: float = 0.0
    done: bool = True

    def encoded(self) -> bytes:
        return write_json(asdict(self))

    @classmethod
    def decoded(cls, value: bytes) -> Notice:
        body = read_json(value)
        return cls(**{**body, "told": tuple(body["told"])})

    def news(self, asked: Sequence[Interaction]) -> bool:
        """Whether one of these questions was never told of."""
        return any(one.id not in self.told for one in asked)


def notice_of(execution_id: str, asked: Sequence[Interaction], before: Notice, now: float) -> Notice:
    """A new message about a pause, not yet sent. The same pause always gives the same id."""
    names = sorted(one.id for one in asked)
    text = " ".join((execution_id, *names))
    told = tuple(dict.fromkeys((*before.told, *names)))
    return Notice(told, f"msg_{hashlib.sha256(text.encode()).hexdigest()[:32]}", now, done=False)


def message(seen: ExecutionView, asked: Sequence[Interaction], at: float, approval_url: str | None) -> bytes:
    """The body of `approval.pending`: questions as REST shows them, at most twenty, all of them inert text."""
    data: dict[str, Any] = {
        "executionId": seen.id,
        "workspaceId": seen.workspace_id,
        "accountId": seen.account_id,
        "sessionId": seen.session_id,
        "approvalUrl": approval_url,
        "expiresAt": iso(min(one.expires_at_ms for one in asked)),
        "interactionCount": len(asked),
        "interactions": [one.as_json() for one in asked[:_SHOWN]],
    }
    data = {name: value for name, value in data.items() if value is not None}
    return write_json({"type": "approval.pending", "timestamp": iso(at * 1000), "data": data})
