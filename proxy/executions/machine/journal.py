"""The journal of an execution: what a replay needs, in the order in which it happened.

One record is one line of JSON. Rules:
- `DispatchRecord` is stored before the call is sent, `SettleRecord` before its result is delivered.
- The order of settlements and timers is the order of delivery; their clocks never go back.
- Arguments are kept as a digest only, but for questions, which a person must be able to read; outcomes have been
  scrubbed of secrets before they come here (T17).
- The last `DispatchRecord` or `HoldRecord` of a call that has not settled says where it stands: under way when the
  journal ends, or waiting for somebody.
- The first record carries `VERSION`. It grows when an older server could not read what a newer one writes; a journal
  of another version is refused, and its execution ends with the reason.
- Questions are encoded and decoded here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import Any, ClassVar, Final, Literal, get_args

from integrations.conversation import ElicitationAnswer, ElicitationKind, ElicitationRequest
from integrations.json_text import Fragment, read_json, write_json
from policies.rules import Approver
from proxy.calls.canonical import canonical, digest
from proxy.sandbox.messages import Delivery, ResultDelivery, TimerDelivery

VERSION: Final = 1
_NO_ANSWERS: Final[Mapping[str, ElicitationAnswer]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class AskedBy:
    """The rule that asks. `source` is `file:line`; `pattern` is None for an integration's default."""

    id: str
    source: str
    pattern: str | None = None
    reason: str | None = None

    def as_json(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True, slots=True)
class ApprovalQuestion:
    """Whether a call may be sent. `binding` is all that an approval is bound to, `arguments` canonical JSON.

    `approved_until_ms` is set once it was approved, and says when that approval ends (milliseconds since 1970).
    """

    kind: ClassVar[Literal["approval"]] = "approval"
    id: str
    binding: tuple[str, ...]
    address: str
    summary: str
    arguments: str
    rule: AskedBy
    approver: Approver
    approved_until_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class LostCallQuestion:
    """What became of a call whose process died. Sending it again takes whoever had to approve it (`approved`)."""

    kind: ClassVar[Literal["outcome_unknown"]] = "outcome_unknown"
    summary: ClassVar[str] = ""
    rule: ClassVar[AskedBy] = AskedBy("outcome_unknown", "")
    id: str
    address: str
    arguments: str
    approved: ApprovalQuestion | None = None

    @property
    def approver(self) -> Approver:
        return self.approved.approver if self.approved is not None else "model"

    @property
    def binding(self) -> tuple[str, ...]:
        return (self.kind, self.id, self.address, digest(self.arguments.encode()))


@dataclass(frozen=True, slots=True)
class AskingCall:
    """The call that a question of an upstream comes from. `approved` is its approval, if it needed one."""

    address: str
    arguments: str
    approver: Approver
    approved: ApprovalQuestion | None = None


@dataclass(frozen=True, slots=True)
class UpstreamQuestion:
    """One question of an upstream to a person. `key` is the upstream's name for it.

    A call may ask several at once: `rest` are still to be asked, `answers` were given, and `number` counts from 0.
    `state` and `rounds` are those of `InputNeeded`. `parked`: the call is under way still and waits for the answer.
    """

    summary: ClassVar[str] = ""
    rule: ClassVar[AskedBy] = AskedBy("elicitation", "")
    id: str
    call: AskingCall
    key: str
    request: ElicitationRequest
    rest: tuple[tuple[str, ElicitationRequest], ...] = ()
    answers: Mapping[str, ElicitationAnswer] = field(default_factory=lambda: _NO_ANSWERS)
    number: int = 0
    rounds: int = 1
    state: str | None = None
    parked: bool = False

    @property
    def kind(self) -> ElicitationKind:
        return "form" if self.request.url is None else "url"

    @property
    def address(self) -> str:
        return self.call.address

    @property
    def arguments(self) -> str:
        return self.call.arguments

    @property
    def approver(self) -> Approver:
        return self.call.approver

    @property
    def binding(self) -> tuple[str, ...]:
        return ("input", self.id, digest(canonical({"question": _request_json(self.request)})))


Question = ApprovalQuestion | UpstreamQuestion | LostCallQuestion
"""What a person is asked before a call continues."""


@dataclass(frozen=True, slots=True)
class StartRecord:
    """`now` is the virtual clock's start in milliseconds since 1970, `seed` 32 bytes in hex.

    The four limits are those the worker enforces: another value could change what code sees.
    """

    code: str
    seed: str
    now: float
    calls: int
    log_bytes: int
    emit_bytes: int
    argument_bytes: int
    result_bytes: int


@dataclass(frozen=True, slots=True)
class DispatchRecord:
    """Call `seq` is about to be sent. `digest` is the sha256 of its canonical arguments.

    `repeatable`: sending it twice has the effect of sending it once, so a crash after this record is no problem.
    """

    seq: int
    path: str
    digest: str
    clock: float = 0.0
    repeatable: bool = False


@dataclass(frozen=True, slots=True)
class HoldRecord:
    """Call `seq` waits until somebody has answered `question`."""

    seq: int
    path: str
    digest: str
    question: Question


@dataclass(frozen=True, slots=True)
class SettleRecord:
    """Call `seq` ended in `outcome` (JSON), which code sees at virtual time `clock`.

    A call without a `DispatchRecord` was refused by a limit and never sent.
    """

    seq: int
    outcome: bytes
    clock: float


@dataclass(frozen=True, slots=True)
class TimerRecord:
    """The virtual clock reached `clock`, and every timer due by then fired."""

    clock: float


@dataclass(frozen=True, slots=True)
class PauseRecord:
    """Nothing could progress without a decision. `active_ms` is the active time used up so far."""

    active_ms: float


Record = StartRecord | DispatchRecord | HoldRecord | SettleRecord | TimerRecord | PauseRecord


class CorruptJournal(ValueError):
    """Bytes that this version did not write; the text says what is wrong."""


def encode(record: Record) -> bytes:
    """One record as JSON; an outcome is embedded unread."""
    if isinstance(record, StartRecord):
        return write_json({"r": "start", "v": VERSION, **_fields(record)})
    if isinstance(record, DispatchRecord):
        return write_json({"r": "call", **_fields(record)})
    if isinstance(record, HoldRecord):
        call = {"seq": record.seq, "path": record.path, "digest": record.digest}
        return write_json({"r": "hold", **call, "ask": _question_json(record.question)})
    if isinstance(record, SettleRecord):
        body = {"r": "end", "seq": record.seq, "clock": record.clock}
        return write_json({**body, "outcome": Fragment(record.outcome)})
    return write_json({"r": "timer" if isinstance(record, TimerRecord) else "pause", **_fields(record)})


def _fields(record: StartRecord | DispatchRecord | TimerRecord | PauseRecord) -> dict[str, Any]:
    return {name: getattr(record, name) for name in record.__slots__}


def _question_json(question: Question) -> dict[str, Any]:
    body = {
        "kind": question.kind,
        "id": question.id,
        "binding": question.binding,
        "address": question.address,
        "summary": question.summary,
        "arguments": question.arguments,
        "rule": question.rule.as_json(),
        "approver": question.approver,
    }
    if isinstance(question, ApprovalQuestion):
        return body | ({"expires": question.approved_until_ms} if question.approved_until_ms else {})
    approved = question.approved if isinstance(question, LostCallQuestion) else question.call.approved
    body |= {"approved": _question_json(approved)} if approved is not None else {}
    if isinstance(question, LostCallQuestion):
        return body
    return body | {
        "key": question.key,
        "question": _request_json(question.request),
        "rest": [[key, _request_json(one)] for key, one in question.rest],
        "answers": {key: one.as_json() for key, one in question.answers.items()},
        "number": question.number,
        "rounds": question.rounds,
        "state": question.state,
    }


def _request_json(request: ElicitationRequest) -> dict[str, Any]:
    whole = {"message": request.message, "schema": request.schema, "url": request.url}
    return {**whole, "ours": True} if request.ours else whole


def decode(line: bytes) -> Record:
    """Raises `CorruptJournal`."""
    try:
        body = read_json(line)
        return _decoded(body.pop("r"), body)
    except CorruptJournal:
        raise
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CorruptJournal(f"not a journal record: {error}") from error


_PLAIN: Final[dict[str, Callable[..., Record]]] = {
    "call": DispatchRecord,
    "timer": TimerRecord,
    "pause": PauseRecord,
}


def _decoded(kind: str, body: dict[str, Any]) -> Record:
    if kind == "start":
        version = body.pop("v")
        if version != VERSION:
            raise CorruptJournal(f"it has version {version}, and this server reads version {VERSION} only")
        return StartRecord(**body)
    if kind == "hold":
        return HoldRecord(body["seq"], body["path"], body["digest"], _question(body["ask"]))
    if kind == "end":
        return SettleRecord(body["seq"], write_json(body["outcome"]), body["clock"])
    if kind not in _PLAIN:
        raise CorruptJournal(f"an unknown record `{kind}`")
    return _PLAIN[kind](**body)


def _question(body: dict[str, Any]) -> Question:
    kind = body["kind"]
    if kind == "approval":
        return _approval(body)
    approved = _approval(body["approved"]) if "approved" in body else None
    if kind == "outcome_unknown":
        return LostCallQuestion(body["id"], body["address"], body["arguments"], approved)
    if kind not in get_args(ElicitationKind):
        raise CorruptJournal(f"an unknown kind of question `{kind}`")
    return UpstreamQuestion(
        id=body["id"],
        call=AskingCall(body["address"], body["arguments"], body["approver"], approved),
        key=body["key"],
        request=ElicitationRequest(**body["question"]),
        rest=tuple((key, ElicitationRequest(**one)) for key, one in body["rest"]),
        answers={key: ElicitationAnswer(**one) for key, one in body["answers"].items()},
        number=body["number"],
        rounds=body["rounds"],
        state=body["state"],
    )


def _approval(body: dict[str, Any]) -> ApprovalQuestion:
    return ApprovalQuestion(
        id=body["id"],
        binding=tuple(body["binding"]),
        address=body["address"],
        summary=body["summary"],
        arguments=body["arguments"],
        rule=AskedBy(**body["rule"]),
        approver=body["approver"],
        approved_until_ms=body.get("expires", 0.0),
    )


@dataclass(frozen=True, slots=True)
class Past:
    """What has happened. `last` is the last dispatch or hold of each call, `approvals` its last approval question.

    `deliveries` is what the worker was given, in order; `clock` where the virtual clock stands; `outcomes` are the
    settlements by call, `sent` the first dispatch of each, for the list of calls in the result.
    """

    start: StartRecord
    deliveries: tuple[Delivery, ...]
    last: Mapping[int, DispatchRecord | HoldRecord]
    approvals: Mapping[int, ApprovalQuestion]
    outcomes: Mapping[int, SettleRecord]
    sent: Mapping[int, DispatchRecord]
    clock: float
    active_ms: float

    @property
    def outcome_bytes(self) -> int:
        return sum(len(one.outcome) for one in self.outcomes.values())

    @property
    def timers(self) -> int:
        return sum(isinstance(one, TimerDelivery) for one in self.deliveries)


def past_of(records: Sequence[Record]) -> Past:
    """Raises `CorruptJournal` when it does not begin with its start."""
    if not records or not isinstance(records[0], StartRecord):
        raise CorruptJournal("a journal begins with its start")
    start = records[0]
    last: dict[int, DispatchRecord | HoldRecord] = {}
    approvals: dict[int, ApprovalQuestion] = {}
    sent: dict[int, DispatchRecord] = {}
    active_ms = 0.0
    for record in records:
        if isinstance(record, DispatchRecord | HoldRecord):
            last[record.seq] = record
        if isinstance(record, DispatchRecord):
            sent.setdefault(record.seq, record)
        elif isinstance(record, HoldRecord) and isinstance(record.question, ApprovalQuestion):
            approvals[record.seq] = record.question
        elif isinstance(record, PauseRecord):
            active_ms = record.active_ms
    delivered = deliveries(records)
    return Past(
        start=start,
        deliveries=delivered,
        last=MappingProxyType(last),
        approvals=MappingProxyType(approvals),
        outcomes=MappingProxyType({one.seq: one for one in records if isinstance(one, SettleRecord)}),
        sent=MappingProxyType(sent),
        clock=max((one.now for one in delivered), default=start.now),
        active_ms=active_ms,
    )


def deliveries(records: Iterable[Record]) -> tuple[Delivery, ...]:
    """What a worker is given, in order, according to a journal."""
    found: list[Delivery] = []
    for record in records:
        if isinstance(record, SettleRecord):
            found.append(ResultDelivery(record.clock, record.seq, record.outcome))
        elif isinstance(record, TimerRecord):
            found.append(TimerDelivery(record.clock))
    return tuple(found)
