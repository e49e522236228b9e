"""Questions, from the call that needs an answer to the text that a person reads, and back from what was decided to what
it means for the call.

Rules (T10):
- Everything is rendered here from the canonical arguments that would be sent, never from text that a model wrote.
- Control, bidirectional and zero-width characters are written out; how arguments are shown is in `rendering`.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final
from urllib.parse import urlsplit

from integrations.base import JsonObject
from integrations.conversation import ElicitAction
from integrations.json_text import read_json, write_json
from integrations.schema_types.text import visible
from proxy.calls import ApprovalNeeded, Ready
from proxy.calls.canonical import canonical, digest
from proxy.executions.interactions import Interaction
from proxy.executions.machine.events import LOST_CALL_OUTCOMES, HeldCall, Resolution
from proxy.executions.machine.journal import (
    ApprovalQuestion,
    AskedBy,
    AskingCall,
    LostCallQuestion,
    Question,
    UpstreamQuestion,
)
from proxy.executions.records import by_person
from proxy.executions.rendering import render
from proxy.sandbox import ToolCall
from proxy.state import DecisionRecord

_SUMMARY_CHARACTERS: Final = 300
_WORDS_CHARACTERS: Final = 2000
_WORDS_LINES: Final = 30
OUTCOME_SCHEMA: Final[JsonObject] = {
    "type": "object",
    "properties": {"outcome": {"type": "string", "enum": list(LOST_CALL_OUTCOMES)}, "data": {}},
    "required": ["outcome"],
}


# ---- made ----------------------------------------------------------------------------------------------------------
def approval_question(needed: ApprovalNeeded) -> ApprovalQuestion:
    """What is asked about a call that needs approval, and all that the approval is bound to."""
    decision = needed.decision
    rule = AskedBy(decision.rule_id, decision.rule_source, needed.pattern or None, decision.reason or None)
    return ApprovalQuestion(
        id=new_id(),
        binding=tuple(needed.binding),
        address=needed.address,
        summary=needed.summary,
        arguments=needed.arguments.decode(),
        rule=rule,
        approver=decision.approver,
    )


def lost_call_question(call: ToolCall, approved: ApprovalQuestion | None) -> LostCallQuestion:
    """What is asked about a call that was under way when its process died; `approved` is the approval it had."""
    return LostCallQuestion(new_id(), call.path, canonical(call.args).decode(), approved)


def asking_call(call: ToolCall, ready: Ready, approved: ApprovalQuestion | None) -> AskingCall:
    """What a question of the upstream says about the call that it came from. A rule that demands a person demands one
    for the answers too.
    """
    trace = ready.trace
    decision = trace.decision
    approver = decision.approver if decision is not None and decision.action != "approve" else "model"
    return AskingCall(trace.address or call.path, canonical(call.args).decode(), approver, approved)


def new_id() -> str:
    """Of a question: unguessable."""
    return f"int_{secrets.token_hex(12)}"


def binding_digest(question: Question) -> str:
    """What a stored decision must have been made about."""
    return hashlib.sha256(write_json(question.binding)).hexdigest()


# ---- shown ---------------------------------------------------------------------------------------------------------
def interactions_for(
    held: Iterable[HeldCall], expires_at_ms: float, known: Iterable[Interaction]
) -> tuple[Interaction, ...]:
    """One interaction for all calls that ask exactly the same. `known` ones keep the time when they expire."""
    until = {one.id: one.expires_at_ms for one in known}
    groups: dict[str, list[HeldCall]] = {}
    for one in held:
        groups.setdefault(binding_digest(one.question), []).append(one)
    return tuple(
        _interaction(binding, group, until.get(group[0].question.id, expires_at_ms))
        for binding, group in groups.items()
    )


def _interaction(binding: str, group: list[HeldCall], expires_at_ms: float) -> Interaction:
    question = group[0].question
    spelled = question.arguments.encode()
    rule = AskedBy(**{name: visible(text) for name, text in question.rule.as_json().items()})
    shown = Interaction(
        id=question.id,
        kind=question.kind,
        message="",
        address=visible(question.address),
        summary=_clipped(question.summary),
        args=render(spelled),
        args_digest=digest(spelled),
        args_bytes=len(spelled),
        rule=rule,
        approver=question.approver,
        expires_at_ms=expires_at_ms,
        seqs=tuple(one.call.seq for one in group),
        binding=binding,
        requested_schema=_schema(question),
        url=question.request.url if isinstance(question, UpstreamQuestion) else None,
    )
    return replace(shown, message=_message(shown, question))


def _schema(question: Question) -> JsonObject | None:
    if isinstance(question, UpstreamQuestion):
        return question.request.schema
    return OUTCOME_SCHEMA if isinstance(question, LostCallQuestion) else None


def _message(shown: Interaction, question: Question) -> str:
    count = len(shown.seqs)
    times = f" {count} times (accepting sends all of them)" if count > 1 else ""
    match question:
        case LostCallQuestion():
            first = (
                f"The server stopped while `{shown.address}` was under way, so whether it took effect is not known. "
                "Look it up, then say: retry (send it again), done (take it as done) or fail."
            )
        case ApprovalQuestion():
            first = f"Send `{shown.address}`{times}?"
        case UpstreamQuestion() if question.request.ours:
            first = (
                f"{question.request.message}\nOpen {shown.url} for it: a page of this server, in a browser."
            )
        case UpstreamQuestion():
            first = _asked_by_upstream(shown, question.request.message)
    rule = shown.rule
    lines = [first]
    lines += [f"Request: {shown.summary}"] if shown.summary else []
    lines += [f"Arguments ({shown.args_bytes} bytes, sha256 {shown.args_digest}):", shown.args]
    if shown.kind == "approval":
        reason = f": {rule.reason}" if rule.reason else ""
        lines.append(f"Asked by rule {rule.id}{f' ({rule.source})' if rule.source else ''}{reason}")
    if shown.approver == "human":
        lines.insert(0, "Another person than the one whose account asks must approve this.")
    return "\n".join(lines)


def _asked_by_upstream(shown: Interaction, words: str) -> str:
    """Their words stand on marked lines, so that nothing in them can pass for ours."""
    lines = words[: 2 * _WORDS_CHARACTERS].splitlines()[:_WORDS_LINES] or [""]
    quoted = "\n".join(f"| {visible(line)[:_WORDS_CHARACTERS]}" for line in lines)[:_WORDS_CHARACTERS]
    head = (
        f"The server behind `{shown.address}` asks, in its own words, which nobody has checked:\n{quoted}\n"
    )
    if shown.url is None:
        schema = write_json(dict(shown.requested_schema or {})).decode()
        form = f"requestedSchema: {schema}\n" if len(schema) <= _WORDS_CHARACTERS else ""
        return f"{head}{form}Accept with content that fits requestedSchema, decline, or cancel; that server gets it."
    host = urlsplit(shown.url).netloc
    return (
        f"{head}It wants a person to open this address at `{host}`: {shown.url}\n"
        "Accept once that is done there, decline, or cancel. No secret belongs into any answer here."
    )


def _clipped(text: str) -> str:
    shown = visible(text)
    return (
        shown
        if len(shown) <= _SUMMARY_CHARACTERS
        else f"{shown[:_SUMMARY_CHARACTERS]}... [{len(shown):,} characters]"
    )


# ---- decided -------------------------------------------------------------------------------------------------------
def resolutions_for(
    asked: Iterable[Interaction], decisions: Mapping[str, DecisionRecord], now_ms: float
) -> dict[str, Resolution]:
    """What was decided, by interaction; a question whose time is up at `now_ms` counts as expired.

    A decision about something else than was asked counts for nothing.
    """
    found: dict[str, Resolution] = {}
    for question in asked:
        decision = decisions.get(question.id)
        if decision is not None and decision.binding == question.binding:
            found[question.id] = _resolution(question, decision)
        elif question.expires_at_ms <= now_ms and question.kind != "outcome_unknown":
            found[question.id] = Resolution("expired", {}, question.id)
    return found


def _resolution(question: Interaction, decision: DecisionRecord) -> Resolution:
    said = read_json(decision.body)
    action = said["action"]
    if question.kind == "outcome_unknown":
        action = said["content"].get("outcome", "fail") if action == "accept" else "fail"
    elif action == "accept" and decision.used and question.kind == "approval":
        action = "ask_again"
    return Resolution(action, said["content"], question.id, question.expires_at_ms, by_person(decision))


def by_call(resolutions: Mapping[str, Resolution], asked: Iterable[Interaction]) -> dict[int, Resolution]:
    """The same by call. A decision is about the calls that its question named, and no others."""
    return {seq: resolutions[one.id] for one in asked if one.id in resolutions for seq in one.seqs}


def chosen(
    resolutions: Mapping[str, Resolution], decisions: Mapping[str, DecisionRecord]
) -> dict[str, ElicitAction]:
    """The decisions as they were said, for repeating them."""
    return {name: read_json(decisions[name].body)["action"] for name in resolutions if name in decisions}
