"""What an upstream asks a person during a call: which requests may be shown, in what order they are asked, and what
the upstream is told in the end.

Rules:
- A call may ask several things at once: they are asked one after another, and the call goes on when all are answered.
- A question is asked only if what people see is all there is: a schema with invisible characters in a name or a choice,
  an address that is no plain http URL, or anything over a limit, is not asked at all.
- `state` is the upstream's. It is kept with the question, and goes back with the answers, from whichever process.
- The ids of later questions are derived from the first one, so that a replay asks the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from integrations.conversation import ElicitationAnswer, ElicitationRequest, InputNeeded
from integrations.http.egress import parse_target
from integrations.http.errors import EgressDenied
from integrations.json_text import write_json
from integrations.lossless import read_as
from integrations.schema_types.text import one_line, visible
from integrations.validator import schema_errors
from proxy.executions.machine.events import ResolutionAction
from proxy.executions.machine.journal import AskingCall, UpstreamQuestion

_SCHEMA_BYTES: Final = 16 * 1024
_DEPTH: Final = 12
_URL_CHARACTERS: Final = 2048
_PROSE_CHARACTERS: Final = 400
_QUESTIONS: Final = 10
_PROSE: Final = frozenset({"title", "description"})


def presentable(question: ElicitationRequest) -> ElicitationRequest | None:
    """The question as people may see it; None when it must not be asked."""
    if question.url is not None:
        return question if _plain(question.url) else None
    schema = _shown(question.schema, _DEPTH)
    if not isinstance(schema, dict) or schema.get("type") != "object":
        return None
    return None if len(write_json(schema)) > _SCHEMA_BYTES else ElicitationRequest(question.message, schema)


def _plain(url: str) -> bool:
    try:
        parse_target(url)
    except EgressDenied:
        return False
    return len(url) <= _URL_CHARACTERS


def _shown(value: Any, depth: int, key: str = "") -> Any:
    """The same with prose made visible; None when something else is invisible in it, or it is too deep."""
    if isinstance(value, str):
        if key in _PROSE:
            return one_line(value, _PROSE_CHARACTERS)
        return value if visible(value) == value else None
    if not isinstance(value, dict | list):
        return value
    pairs = value.items() if isinstance(value, dict) else [("", one) for one in value]
    found = [(_shown(name, 0), _shown(one, depth - 1, name), one) for name, one in pairs]
    if depth <= 0 or any(name is None or (new is None and one is not None) for name, new, one in found):
        return None
    return {name: new for name, new, _ in found} if isinstance(value, dict) else [new for _, new, _ in found]


def parked_question(identity: str, call: AskingCall, request: ElicitationRequest) -> UpstreamQuestion:
    """A question in the middle of a call; the request was found `presentable`."""
    return UpstreamQuestion(identity, call, "", request, parked=True)


def first_question(identity: str, call: AskingCall, needed: InputNeeded) -> UpstreamQuestion | None:
    """The first question of a call that ended with some; None when one of them must not be asked."""
    asked = [(key, presentable(one)) for key, one in needed.questions.items()]
    found = tuple((key, one) for key, one in asked if one is not None)
    if not found or len(found) < len(asked) or len(found) > _QUESTIONS:
        return None
    (key, request), *rest = found
    return UpstreamQuestion(
        identity, call, key, request, tuple(rest), rounds=needed.rounds, state=needed.state
    )


def answer_to(
    question: UpstreamQuestion, action: ResolutionAction, content: Mapping[str, Any]
) -> ElicitationAnswer:
    """What the upstream is told. Whoever does not answer in time has said `cancel`."""
    if action == "accept":
        return ElicitationAnswer("accept", dict(content) if question.kind == "form" else None)
    return ElicitationAnswer("decline" if action == "decline" else "cancel")


def answered(question: UpstreamQuestion, answer: ElicitationAnswer) -> Mapping[str, ElicitationAnswer]:
    """The answers so far, this one included."""
    return {**question.answers, question.key: answer}


def next_question(
    question: UpstreamQuestion, answers: Mapping[str, ElicitationAnswer]
) -> UpstreamQuestion | None:
    """The next question of the same call; None when all are answered."""
    if not question.rest:
        return None
    number = question.number + 1
    (key, request), *rest = question.rest
    return replace(
        question,
        id=f"{question.id.partition('.')[0]}.{number}",
        number=number,
        key=key,
        request=request,
        rest=tuple(rest),
        answers=answers,
    )


def read_content(schema: Mapping[str, Any] | None, content: Mapping[str, Any]) -> dict[str, Any]:
    """The content with its texts as the numbers and truth values that the form asks for, where they are those: clients
    send integers that they cannot hold as strings."""
    properties = (schema or {}).get("properties")
    if not isinstance(properties, Mapping):
        return dict(content)
    return {name: _as_asked(properties.get(name), value) for name, value in content.items()}


def _as_asked(field: Any, value: Any) -> Any:
    wanted = field.get("type") if isinstance(field, Mapping) else None
    if not isinstance(value, str) or wanted not in ("integer", "number", "boolean"):
        return value
    found = read_as(value, wanted)
    return value if found is None else found


def problem_of(schema: Mapping[str, Any] | None, content: Mapping[str, Any]) -> str | None:
    """Why this content does not answer a form; None when it does. MCP knows flat values only."""
    for name, value in content.items():
        items = value if isinstance(value, list) else [value]
        if any(isinstance(one, dict | list) for one in items):
            return f"/{name}: a form's values are texts, numbers, booleans and lists of texts"
    error = next(iter(schema_errors(dict(schema or {}), dict(content))), None)
    if error is None:
        return None
    place = "".join(f"/{part}" for part in error.absolute_path)
    return one_line(f"{place or '/'}: {error.message}", 300)
