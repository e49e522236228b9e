"""How a request's approvals are asked for: the config's word, and what the client may wish.

    model     the model calls `resume` with a decision
    browser   a person decides on a page; `resume` waits for it
    native    the client asks its user (MCP elicitation)

Rules:
- A client that may choose gets what it asks for, else what the config says.
- One that may not choose gets what the config says, with a note. Only a client that asks for a person where the config
  says `model` is refused: to ignore that wish would hand the decision to a model.
- Words that are no mode are refused; they never mean `model`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from proxy.serving.errors import Refusal

Mode = Literal["model", "browser", "native"]
MODES: Final[tuple[Mode, ...]] = ("model", "browser", "native")
_TRUE: Final = frozenset({"1", "true", "yes", "on"})


@dataclass(frozen=True, slots=True)
class ModeRules:
    """What the config says for one workspace: `elicitation.mode` and `elicitation.client_may_choose`."""

    mode: Mode = "model"
    client_may_choose: bool = True


@dataclass(frozen=True, slots=True)
class Chosen:
    """The mode of a request, and a line for the client whose wish was not followed."""

    mode: Mode
    note: str | None = None


def wish_of(query: Mapping[str, str]) -> Mode | None:
    """`?elicitation_mode=` of a request, or None. `?allow_model_resume=true` is the old word for `model` and counts
    where the new one is missing. Raises `Refusal` (400) for an unknown mode."""
    word = query.get("elicitation_mode")
    if word is None:
        return "model" if query.get("allow_model_resume", "").lower() in _TRUE else None
    for mode in MODES:
        if word == mode:
            return mode
    raise Refusal(
        "bad_request",
        f"Invalid request: elicitation_mode must be one of {', '.join(MODES)}, not `{word[:32]}`.",
    )


def choose(rules: ModeRules, wish: Mode | None) -> Chosen:
    """Raises `Refusal` (400), see the rules above."""
    if wish is None or wish == rules.mode or rules.client_may_choose:
        return Chosen(wish or rules.mode)
    if rules.mode == "model":
        raise Refusal(
            "bad_request",
            f"Invalid request: elicitation mode `{wish}` was asked for, but this server decides that itself and uses "
            "`model`, where the model may approve. Connect without elicitation_mode to accept that.",
        )
    return Chosen(
        rules.mode,
        f"Note: elicitation mode `{wish}` was asked for, but this server decides that itself: it is `{rules.mode}`.",
    )
