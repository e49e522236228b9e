"""What an upstream asks in the middle of a call, from its own words to a question, and from answers to a reply.

Rules:
- A call may ask several things at once: they are asked one after another, and the call goes on when all are answered.
- A question is asked only if what people see is all there is: a schema with invisible characters in a name or a choice,
  an address that is no plain http URL, or anything over a limit, is not asked at all.
- `state` is the upstream's. It is kept with the question, and goes back with the answers, from whichever process.
- Every id is derived from the first one, so that a replay asks the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

import orjson

from integrations.base import JsonObject
from integrations.conversation import ElicitationAnswer, ElicitationRequest, InputNeeded, Reply
from integrations.http.egress import parse_target
from integrations.http.errors import EgressDenied
from integrations.schema_types.text import one_line, visible
from integrations.validator import schema_errors
from proxy.calls.canonical import canonical, digest

KINDS: Final = ("form", "url")
"""The kinds of interactions that are an upstream's questions."""
_SCHEMA_BYTES: Final = 16 * 1024
_DEPTH: Final = 12
_URL_CHARACTERS: Final = 2048
_PROSE_CHARACTERS: Final = 400
_QUESTIONS: Final = 10
_PROSE: Final = frozenset({"title", "description"})


def shown(question: ElicitationRequest) -> ElicitationRequest | None:
    """The question as people may see it; None when it must not be asked."""
    if question.url is not None:
        return question if _plain(question.url) else None
    schema = _shown(question.schema, _DEPTH)
    if not isinstance(schema, dict) or schema.get("type") != "object":
        return None
    return None if len(orjson.dumps(schema)) > _SCHEMA_BYTES else ElicitationRequest(question.message, schema)


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


def parked_ask(base: JsonObject, question: ElicitationRequest) -> JsonObject:
    """A question in the middle of a call, which was found to be fit to be shown."""
    more: JsonObject = {"state": None, "rounds": 1, "number": 0, "answers": {}, "parked": True}
    return _ask({**base, **more}, [["", asdict(question)]])


def answer_of(ask: JsonObject, action: str, content: Mapping[str, Any]) -> ElicitationAnswer:
    """What a call that is under way is told."""
    return ElicitationAnswer(**answered(ask, action, content)[ask["key"]])


def first_ask(base: JsonObject, needed: InputNeeded) -> JsonObject | None:
    """The question of a call as the journal keeps it; None when one of them must not be asked.

    `base` is what the question says about the call itself: `id`, `address`, `arguments`, `approver`, `approved`.
    """
    questions = [(key, shown(one)) for key, one in needed.questions.items()]
    plain = [[key, asdict(one)] for key, one in questions if one is not None]
    if not plain or len(plain) < len(questions) or len(plain) > _QUESTIONS:
        return None
    return _ask({**base, "state": needed.state, "rounds": needed.rounds, "number": 0, "answers": {}}, plain)


def _ask(base: JsonObject, questions: list[list[Any]]) -> JsonObject:
    (key, question), *rest = questions
    spelled = canonical({"question": question})
    return {
        **base,
        "kind": "form" if question["url"] is None else "url",
        "binding": ["input", base["id"], digest(spelled)],
        "summary": "",
        "rule": {"id": "elicitation", "source": ""},
        "key": key,
        "question": question,
        "rest": rest,
    }


def answered(ask: JsonObject, action: str, content: Mapping[str, Any]) -> JsonObject:
    """The answers so far, this one included. Whoever does not answer in time has said `cancel`."""
    accepted = action == "accept"
    answer: JsonObject = {"action": action if action in ("accept", "decline") else "cancel"}
    if accepted and ask["kind"] == "form":
        answer["content"] = dict(content)
    return {**ask["answers"], ask["key"]: answer}


def next_ask(ask: JsonObject, answers: JsonObject) -> JsonObject | None:
    """The next question of the same call; None when all are answered."""
    if not ask["rest"]:
        return None
    number = ask["number"] + 1
    identity = f"{ask['id'].partition('.')[0]}.{number}"
    return _ask({**ask, "id": identity, "number": number, "answers": answers}, ask["rest"])


def reply_of(ask: JsonObject, answers: JsonObject) -> JsonObject:
    """What the call is made again with."""
    return {"answers": answers, "state": ask["state"], "rounds": ask["rounds"]}


def reply(body: JsonObject) -> Reply:
    """The same for the integration."""
    answers = {key: ElicitationAnswer(**one) for key, one in body["answers"].items()}
    return Reply(answers, body["state"], body["rounds"])


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
