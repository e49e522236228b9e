"""The outcome of judging one call: a value that carries its whole explanation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from policies.rules import Action, Approver

Outcome = Literal["decided", "applied", "skipped"]

_ACTIONS: Final[dict[Action, int]] = {"approve": 0, "require_approval": 1, "block": 2}
_APPROVERS: Final[dict[Approver, int]] = {"model": 0, "human": 1}


@dataclass(frozen=True, slots=True)
class Considered:
    """One rule (or default) that matched the address.

    `outcome`: it `decided`; or it won in its layer and `applied`, but a stricter one decided; or it was
    `skipped`, and `note` says which condition did not hold. For the others `note` is the rule's reason.
    """

    rule_id: str
    source: str
    action: Action
    outcome: Outcome
    note: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """What happens to the call, and why.

    `rule_id` is the deciding rule's id, or `approve_by_default: reads`; then `default` is `reads`, else None.
    `conditional` is true when the arguments were not known and a rule that depends on them could change the
    action. `error` is set when a rule could not be evaluated, which is a block: log it with the rule.
    """

    action: Action
    rule_id: str
    rule_source: str
    reason: str | None = None
    approver: Approver = "model"
    disclose: bool = True
    considered: tuple[Considered, ...] = ()
    default: str | None = None
    conditional: bool = False
    error: str | None = None

    @property
    def strictness(self) -> tuple[int, int]:
        """Orders decisions: block over require_approval over approve, and a person over the model."""
        return _ACTIONS[self.action], _APPROVERS[self.approver] if self.action == "require_approval" else 0


def stricter(a: Decision, b: Decision) -> Decision:
    """The one that lets less through; `a` when they are equal."""
    return b if b.strictness > a.strictness else a
