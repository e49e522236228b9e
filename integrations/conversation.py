"""What passes between an upstream and whoever made a call while the call is under way: progress, and questions.

Two eras ask in two ways. A server that keeps the call open asks in the middle of it (`Conversation.ask`), and only the
process that holds the call can pass the answer on. A server of the 2026 era ends the call with its questions
(`InputNeeded`), and whoever has the answers makes the call again with a `Reply`, from any process, at any time.

Everything in a question is the upstream's own words: nothing here is checked, sanitised or safe to show.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

JsonObject = dict[str, Any]
OnProgress = Callable[[float, float | None, str | None], None]
"""Progress so far, the total if it is known, and a message. Called in the event loop; neither blocks nor raises."""


@dataclass(frozen=True, slots=True)
class Elicitation:
    """What a server asks of the user in the middle of a call: a form (`schema`) or a visit to `url`."""

    message: str
    schema: JsonObject | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True)
class ElicitationAnswer:
    action: Literal["accept", "decline", "cancel"]
    content: JsonObject | None = None

    def as_json(self) -> JsonObject:
        """As MCP spells it (`ElicitResult`)."""
        content = {} if self.content is None else {"content": self.content}
        return {"action": self.action, **content}


OnElicit = Callable[[Elicitation], Awaitable[ElicitationAnswer | None]]
"""Answers a question; None: nobody can be asked. Returns when the call is over, whether or not anybody answered."""


@dataclass(frozen=True, slots=True)
class InputNeeded:
    """The call ended with questions, by the server's own keys. `state` is the server's, to be given back as it is.

    `rounds` counts how often this call has asked, this time included.
    """

    questions: Mapping[str, Elicitation]
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
    """One call's other end. `ask` None: nobody can be asked, and questions are refused.

    `party`: calls of one party may be asked for one another (an execution); questions never reach another party.
    `reply` answers what the same call asked before.
    """

    party: str = ""
    progress: OnProgress | None = None
    ask: OnElicit | None = None
    reply: Reply | None = None


SILENT = Conversation()
