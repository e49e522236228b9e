"""How a request's approvals are asked for: what the config says, and what the client may request.

    model     the model calls `resume` with a decision
    browser   a person decides on a page; `resume` waits for it
    native    the client asks its user (MCP elicitation)

Rules:
- A client that may choose gets what it asks for, else what the config says.
- One that may not choose gets what the config says, with a note. Only a client that asks for a person where the config
  says `model` is refused: to ignore that request would hand the decision to a model.
- Words that are no mode are refused; they never mean `model`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from proxy.config import ELICITATION_MODES, ElicitationMode
from proxy.serving.http.errors import RequestRefusal

_TRUE: Final = frozenset({"1", "true", "yes", "on"})


@dataclass(frozen=True, slots=True)
class ModeRules:
    """What the config says for one workspace: `elicitation.mode` and `elicitation.client_may_choose`."""

    mode: ElicitationMode = "model"
    client_may_choose: bool = True


@dataclass(frozen=True, slots=True)
class ChosenMode:
    """The mode of a request, and a line for the client whose request was not followed."""

    mode: ElicitationMode
    note: str | None = None


def requested_mode_of(query: Mapping[str, str]) -> ElicitationMode | None:
    """`?elicitation_mode=` of a request, or None. `?allow_model_resume=true` is the old word for `model` and counts
    where the new one is missing. Raises `RequestRefusal` (400) for an unknown mode."""
    word = query.get("elicitation_mode")
    if word is None:
        return "model" if query.get("allow_model_resume", "").lower() in _TRUE else None
    for mode in ELICITATION_MODES:
        if word == mode:
            return mode
    raise RequestRefusal(
        "bad_request",
        f"Invalid request: elicitation_mode must be one of {', '.join(ELICITATION_MODES)}, not `{word[:32]}`.",
    )


def choose(rules: ModeRules, requested: ElicitationMode | None) -> ChosenMode:
    """Raises `RequestRefusal` (400), see the rules above."""
    if requested is None or requested == rules.mode or rules.client_may_choose:
        return ChosenMode(requested or rules.mode)
    if rules.mode == "model":
        raise RequestRefusal(
            "bad_request",
            f"Invalid request: elicitation mode `{requested}` was asked for, but this server decides that itself and "
            "uses `model`, where the model may approve. Connect without elicitation_mode to accept that.",
        )
    return ChosenMode(
        rules.mode,
        f"Note: elicitation mode `{requested}` was asked for, but this server decides that itself: it is "
        f"`{rules.mode}`.",
    )
