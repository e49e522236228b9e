"""What happened, in the log: a line for every execution, call that is not a read, decision about an approval. Reads are
told at level debug.

Names, ids and codes; no code, no result and no secret. Of the arguments of a call their digest, and at level debug
themselves, as far as `audit.arguments` shows them: `none` keeps both out.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from integrations.base import JsonObject
from proxy.calls import CallReport
from proxy.executions import DecisionReport, ExecutionReport
from proxy.principal import Principal
from proxy.telemetry import Logger, Millis

_log = Logger("activity")


class Activity:
    """Its methods are the callbacks of executions and calls. `shown`: the arguments of a call as audit shows them."""

    def __init__(self, shown: Callable[[CallReport], JsonObject]) -> None:
        self._shown = shown

    def executed(self, report: ExecutionReport) -> None:
        _log.info(
            "execution",
            id=report.execution_id,
            **_who(report.principal),
            status=report.status,
            calls=report.calls,
            **_filled(session=report.session_id, lost=report.lost),
            generation=report.generation,
            **{"in": Millis(report.duration_ms)},
        )

    def called(self, report: CallReport) -> None:
        decision = report.decision
        stopped = decision is not None and decision.action != "approve"
        quiet = report.reads and not stopped and report.code != "rate_limited"
        if quiet and not _log.is_enabled("debug"):
            return
        context = report.context
        (_log.debug if quiet else _log.info)(
            "call",
            execution=context.execution_id,
            call=context.seq,
            **_who(report.principal),
            tool=report.address or report.path,
            outcome=report.code or "ok",
            **_filled(
                session=context.session_id,
                decision=decision.action if decision is not None else None,
                rule=decision.rule_id if decision is not None else None,
                rule_at=decision.rule_source if decision is not None else None,
            ),
            **self._arguments(report),
            **_filled(bytes=report.result_bytes),
            **{"in": Millis(report.milliseconds)},
        )

    def decided(self, report: DecisionReport) -> None:
        _log.info(
            "approval",
            execution=report.execution_id,
            interaction=report.interaction_id,
            **_who(report.decider),
            owner=report.owner.account_id,
            decision=report.action,
            via=report.via,
            outcome=report.refused or "taken",
            **_filled(tool=report.address, arguments_sha256=report.arguments_digest),
            **{"in": Millis(report.age_ms)},
        )

    def _arguments(self, report: CallReport) -> dict[str, Any]:
        shown = self._shown(report)
        if not shown:
            return {}
        said = {"arguments_sha256": shown["sha256"]}
        if "value" in shown and _log.is_enabled("debug"):
            said["arguments"] = json.dumps(shown["value"], ensure_ascii=False)
        return said


def _who(principal: Principal) -> dict[str, str]:
    return {"workspace": principal.workspace_id, "account": principal.account_id}


def _filled(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value}
