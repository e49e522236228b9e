"""Questions, from the call that needs an answer to the text that a person reads.

Rules (T10):
- Everything is rendered here from the canonical arguments that would be sent, never from text that a model wrote.
- Control, bidirectional and zero-width characters are written out; how arguments are shown is in `rendering`.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import replace
from typing import Final
from urllib.parse import urlsplit

import orjson

from integrations.base import JsonObject
from integrations.schema_types.text import visible
from proxy.calls import ApprovalNeeded, Ready
from proxy.calls.canonical import canonical, digest
from proxy.executions.approvals import AskedBy, Interaction
from proxy.executions.protocol import Held
from proxy.executions.rendering import render
from proxy.sandbox import ToolCall

_SUMMARY_CHARACTERS: Final = 300
_WORDS_CHARACTERS: Final = 2000
_WORDS_LINES: Final = 30
OUTCOME_SCHEMA: Final[JsonObject] = {
    "type": "object",
    "properties": {"outcome": {"type": "string", "enum": ["retry", "done", "fail"]}, "data": {}},
    "required": ["outcome"],
}


def approval_ask(asking: ApprovalNeeded) -> JsonObject:
    """The question as the journal keeps it: what an approval of it is bound to, and what it is about."""
    decision = asking.decision
    rule = {"id": decision.rule_id, "source": decision.rule_source}
    rule |= {"pattern": asking.pattern} if asking.pattern else {}
    rule |= {"reason": decision.reason} if decision.reason else {}
    return {
        "kind": "approval",
        "id": new_id(),
        "binding": list(asking.binding),
        "address": asking.address,
        "summary": asking.summary,
        "arguments": asking.arguments.decode(),
        "rule": rule,
        "approver": decision.approver,
    }


def lost_ask(call: ToolCall, approved: JsonObject | None) -> JsonObject:
    """The question about a call that was under way when its process died. `approved` is its approval, if it had one: if
    that took another person, sending the call again takes one too.
    """
    spelled = canonical(call.args)
    identity = new_id()
    ask = {
        "kind": "outcome_unknown",
        "id": identity,
        "binding": ["outcome_unknown", identity, call.path, digest(spelled)],
        "address": call.path,
        "summary": "",
        "arguments": spelled.decode(),
        "rule": {"id": "outcome_unknown", "source": ""},
        "approver": approved["approver"] if approved is not None else "model",
    }
    return ask | ({"approved": approved} if approved is not None else {})


def input_base(call: ToolCall, ready: Ready, approved: JsonObject | None) -> JsonObject:
    """What a question of the upstream says about the call that it came from. A rule that demands a person demands one
    for the answers too.
    """
    trace = ready.trace
    decision = trace.decision
    base = {
        "id": new_id(),
        "address": trace.address or call.path,
        "arguments": canonical(call.args).decode(),
        "approver": decision.approver if decision is not None and decision.action != "approve" else "model",
    }
    return base | ({"approved": approved} if approved is not None else {})


def new_id() -> str:
    """Of a question: unguessable."""
    return f"int_{secrets.token_hex(12)}"


def binding_digest(ask: JsonObject) -> str:
    """What a stored decision must have been made about."""
    return hashlib.sha256(orjson.dumps(ask["binding"])).hexdigest()


def questions(
    held: Iterable[Held], expires_at: float, known: Iterable[Interaction]
) -> tuple[Interaction, ...]:
    """One interaction for all calls that ask exactly the same. `known` ones keep the time when they expire."""
    until = {one.id: one.expires_at for one in known}
    groups: dict[str, list[Held]] = {}
    for one in held:
        groups.setdefault(binding_digest(one.ask), []).append(one)
    return tuple(_question(group, until.get(group[0].ask["id"], expires_at)) for group in groups.values())


def _question(group: list[Held], expires_at: float) -> Interaction:
    ask = group[0].ask
    spelled = ask["arguments"].encode()
    rule = AskedBy(**{name: visible(text) for name, text in ask["rule"].items()})
    question = Interaction(
        id=ask["id"],
        kind=ask["kind"],
        message="",
        address=visible(ask["address"]),
        summary=_clipped(ask["summary"]),
        args=render(spelled),
        args_digest=digest(spelled),
        args_bytes=len(spelled),
        rule=rule,
        approver=ask["approver"],
        expires_at=expires_at,
        seqs=tuple(one.call.seq for one in group),
        binding=binding_digest(ask),
        requested_schema=_schema(ask),
        url=ask["question"]["url"] if ask["kind"] == "url" else None,
    )
    return replace(question, message=_message(question, ask))


def _schema(ask: JsonObject) -> JsonObject | None:
    if ask["kind"] == "form":
        schema: JsonObject = ask["question"]["schema"]
        return schema
    return OUTCOME_SCHEMA if ask["kind"] == "outcome_unknown" else None


def _message(question: Interaction, ask: JsonObject) -> str:
    count = len(question.seqs)
    times = f" {count} times (accepting sends all of them)" if count > 1 else ""
    if question.kind == "outcome_unknown":
        first = (
            f"The server stopped while `{question.address}` was under way, so whether it took effect is not known. "
            "Look it up, then say: retry (send it again), done (take it as done) or fail."
        )
    elif question.kind == "approval":
        first = f"Send `{question.address}`{times}?"
    else:
        first = _asked_by_upstream(question, ask["question"]["message"])
    rule = question.rule
    lines = [first]
    lines += [f"Request: {question.summary}"] if question.summary else []
    lines += [f"Arguments ({question.args_bytes} bytes, sha256 {question.args_digest}):", question.args]
    if question.kind == "approval":
        reason = f": {rule.reason}" if rule.reason else ""
        lines.append(f"Asked by rule {rule.id}{f' ({rule.source})' if rule.source else ''}{reason}")
    if question.approver == "human":
        lines.append("Another person than the one whose account asks must approve this.")
    return "\n".join(lines)


def _asked_by_upstream(question: Interaction, words: str) -> str:
    """Their words stand on marked lines, so that nothing in them can pass for ours."""
    lines = words[: 2 * _WORDS_CHARACTERS].splitlines()[:_WORDS_LINES] or [""]
    quoted = "\n".join(f"| {visible(line)[:_WORDS_CHARACTERS]}" for line in lines)[:_WORDS_CHARACTERS]
    head = f"The server behind `{question.address}` asks, in its own words, which nobody has checked:\n{quoted}\n"
    if question.url is None:
        schema = orjson.dumps(dict(question.requested_schema or {})).decode()
        shown = f"requestedSchema: {schema}\n" if len(schema) <= _WORDS_CHARACTERS else ""
        return f"{head}{shown}Accept with content that fits requestedSchema, decline, or cancel; that server gets it."
    host = urlsplit(question.url).netloc
    return (
        f"{head}It wants a person to open this address at `{host}`: {question.url}\n"
        "Accept once that is done there, decline, or cancel. No secret belongs into any answer here."
    )


def _clipped(text: str) -> str:
    shown = visible(text)
    return (
        shown
        if len(shown) <= _SUMMARY_CHARACTERS
        else f"{shown[:_SUMMARY_CHARACTERS]}... [{len(shown):,} characters]"
    )
