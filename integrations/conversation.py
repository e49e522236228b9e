"""What passes between an upstream and its caller during a call: progress, and questions to a person.

Servers ask in two ways, by protocol revision. One that keeps the call open asks in the middle of it
(`Conversation.ask`), and only the process that holds the call can pass the answer on. A server of the 2026 revision
ends the call with its questions (`InputNeeded`), and whoever has the answers makes the call again with a `Reply`,
from any process, at any time.

Everything in a question is the upstream's own text: nothing here is checked, sanitised or safe to show.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from integrations.base import JsonObject

ElicitAction = Literal["accept", "decline", "cancel"]
"""What a person does with a question, as MCP spells it (`ElicitResult`)."""

ElicitationKind = Literal["form", "url"]
"""What a server asks for: values that fit a schema, or a visit to an address."""

OnProgress = Callable[[float, float | None, str | None], None]
"""Progress so far, the total if it is known, and a message. Called in the event loop; neither blocks nor raises."""


@dataclass(frozen=True, slots=True)
class ElicitationRequest:
    """What a server asks of the user in the middle of a call: a form (`schema`) or a visit to `url`.

    `ours`: not the server asks but this program does, whose words can be trusted.
    """

    message: str
    schema: JsonObject | None = None
    url: str | None = None
    ours: bool = False


@dataclass(frozen=True, slots=True)
class ElicitationAnswer:
    action: ElicitAction
    content: JsonObject | None = None

    def as_json(self) -> JsonObject:
        """As MCP spells it (`ElicitResult`)."""
        content = {} if self.content is None else {"content": self.content}
        return {"action": self.action, **content}


OnElicit = Callable[[ElicitationRequest], Awaitable[ElicitationAnswer | None]]
"""Answers a question; None when nobody can be asked. Returns at the latest when the call is over."""


@dataclass(frozen=True, slots=True)
class InputNeeded:
    """The call ended with questions, by the server's own keys. `state` is the server's and is sent back unchanged.

    `rounds` counts how often this call has asked, this time included.
    """

    questions: Mapping[str, ElicitationRequest]
    state: str | None
    rounds: int


@dataclass(frozen=True, slots=True)
class Reply:
    """The answers to an `InputNeeded`: the same keys, state and count."""

    answers: Mapping[str, ElicitationAnswer]
    state: str | None
    rounds: int


@dataclass(frozen=True, slots=True)
class Conversation:
    """The caller's side of one call. With `ask` None nobody can be asked, and questions are refused.

    `party` names whoever made the call (an execution): when it is unclear which of a party's calls a question belongs
    to, any of them may be asked; questions never reach another party. `reply` answers what the same call asked before.
    """

    party: str = ""
    progress: OnProgress | None = None
    ask: OnElicit | None = None
    reply: Reply | None = None


SILENT = Conversation()
