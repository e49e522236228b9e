"""Random sequences: a program, a replica drawn for every step, and replicas that are killed in some of them.

Each program is also run once more, without interruption, when all replicas are well. Then holds:

- zero doubled: no call took effect twice;
- zero lost: what arrived is what arrived in the uninterrupted run, and every execution came to its end;
- the result is that of the uninterrupted run.

Who decides does so by the number of the call, so both runs decide alike. A call that was under way when its replica
died is settled by a person who looks into the ledger.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tests.e2e.running import Answer
from tests.replicas.fleet import SIZE, Fleet, Unanswered, happened
from tests.replicas.upstream import Gate, reply

JsonObject = dict[str, Any]
OPERATIONS = ("read", "read", "put", "quick", "post", "post", "keyed")
HEAD = """const {read, put, quick, post} = tools.plain.org.main.ledger; const {keyed} = tools.sure.org.main.ledger;
const seen = []; const word = (r) => r.ok ? r.data.text : r.error.code;
const caught = (p) => p.then(word, (e) => e.name);
"""
MOST_STEPS = 60


@dataclass(frozen=True)
class Program:
    """`calls` are those that will be sent: operation and number."""

    body: str
    calls: tuple[tuple[str, int], ...]

    def code(self, run: str) -> str:
        return f"{HEAD}const c = (n) => ({{run: '{run}', n: String(n)}});\n{self.body}\nreturn seen;"


def declined(number: int) -> bool:
    """Whether the person says no to this call, if asked."""
    return number % 7 == 3


class Writer:
    """Writes programs whose result does not depend on who is faster."""

    def __init__(self, source: random.Random) -> None:
        self._random = source
        self._calls: list[tuple[str, int]] = []

    def program(self) -> Program:
        self._calls = []
        kinds = (self._one, self._together, self._loop, self._later)
        lines = [self._random.choice(kinds)() for _ in range(self._random.randint(2, 4))]
        sent = tuple(
            (operation, number)
            for operation, number in self._calls
            if operation not in ("post", "keyed") or not declined(number)
        )
        return Program("\n".join(lines), sent)

    def _call(self) -> str:
        operation = self._random.choice(OPERATIONS)
        self._calls.append((operation, len(self._calls) + 1))
        return f"{operation}(c({len(self._calls)}))"

    def _one(self) -> str:
        if self._random.random() < 0.2:
            return f"seen.push(word(await {self._call()}));"
        return f"seen.push(await caught({self._call()}));"

    def _together(self) -> str:
        calls = ", ".join(f"caught({self._call()})" for _ in range(self._random.randint(2, 4)))
        return f"seen.push(...await Promise.all([{calls}]));"

    def _loop(self) -> str:
        operation, first = self._random.choice(OPERATIONS), len(self._calls) + 1
        times = self._random.randint(2, 3)
        self._calls += [(operation, first + step) for step in range(times)]
        return f"for (let n = {first}; n < {first + times}; n++) seen.push(await caught({operation}(c(n))));"

    def _later(self) -> str:
        return f"await sleep({self._random.randint(0, 3)}); seen.push(Math.random() < 1, await caught({self._call()}));"


@dataclass
class Figures:
    """What was done, and what went wrong."""

    counts: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    def line(self) -> str:
        return ", ".join(f"{count} {name}" for name, count in self.counts.items())


class Sequences:
    """Runs sequences side by side on one fleet."""

    def __init__(self, fleet: Fleet, seed: int) -> None:
        self._fleet = fleet
        self._seed = seed
        self._whole = asyncio.Lock()
        self.figures = Figures()

    async def run(self, numbers: range, kills: int) -> None:
        """Interrupted ones, a replica being killed in every so many of them; then each again in peace."""
        every = -(-len(numbers) // kills) if kills else 0
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._interrupted(number, bool(every) and number % every == 0))
                for number in numbers
            ]
        async with self._whole:
            await asyncio.to_thread(self._fleet.start_missing)
        async with asyncio.TaskGroup() as group:
            for task in tasks:
                group.create_task(self._compared(*task.result()))

    async def _interrupted(self, number: int, dangerous: bool) -> tuple[int, str, Answer]:
        sequence = Sequence(self._fleet, self.figures, self._source(number), f"s{number}")
        program = Writer(self._source(number)).program()
        if not dangerous:
            return number, *await sequence.run(program)
        gate = sequence.threaten(program)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._kill(sequence, gate))
            try:
                return number, *await sequence.run(program)
            finally:
                sequence.over.set()
                sequence.stepped.set()
                if gate is not None:
                    gate.arrived.set()

    def _source(self, number: int) -> random.Random:
        return random.Random(f"{self._seed}-{number}")

    async def _kill(self, sequence: Sequence, gate: Gate | None) -> None:
        """While a call is under way, or after a step: kill the replica that had this sequence last."""
        if gate is None:
            await sequence.stepped.wait()
        else:
            await asyncio.to_thread(happened, gate.arrived)
        if sequence.over.is_set():
            self.figures.counts["over before it was killed"] += 1
            return
        self.figures.counts["killed while it drove" if gate else "killed between steps"] += 1
        async with self._whole:
            if gate is not None and sequence.random.random() < 0.3:
                gate.opened.set()
            await asyncio.to_thread(self._fleet.kill, sequence.replica)
            if gate is not None:
                gate.opened.set()
            await asyncio.to_thread(self._fleet.start_missing)

    async def _compared(self, number: int, run: str, answer: Answer) -> None:
        """The same program in peace."""
        peace = Sequence(self._fleet, Figures(), self._source(number), f"u{number}")
        _, expected = await peace.run(Writer(self._source(number)).program())
        counts, problems = self.figures.counts, self.figures.problems
        counts["sequences"] += 1
        if outcome(answer) != outcome(expected):
            problems.append(f"{run}: {outcome(answer)} and not {outcome(expected)}")
        missing = self._fleet.api.calls_of(peace.run_id) - self._fleet.api.calls_of(run)
        if missing:
            problems.append(f"{run}: lost {missing}")


class Sequence:
    """One client that goes from step to step, each on a replica drawn at random."""

    def __init__(self, fleet: Fleet, figures: Figures, source: random.Random, run: str) -> None:
        self._fleet = fleet
        self._caller = fleet.caller()
        self._figures = figures
        self._began = 0
        self._name = run
        self._threatened = ("", 0)
        self._gate: Gate | None = None
        self.random = source
        self.replica = 0
        self.stepped = asyncio.Event()
        self.over = asyncio.Event()

    @property
    def run_id(self) -> str:
        """A new one for every execution that is begun, because the calls of a lost one may have arrived."""
        return f"{self._name}-{self._began}"

    def threaten(self, program: Program) -> Gate | None:
        """Hold one call of the program, or none: then it is killed between two steps."""
        if not program.calls or self.random.random() < 0.25:
            return None
        self._threatened = self.random.choice(program.calls)
        self._gate = Gate()
        return self._gate

    async def run(self, program: Program) -> tuple[str, Answer]:
        """The run and its end."""
        answer = await self._start(program)
        for _ in range(MOST_STEPS):
            self.stepped.set()
            if answer.status != "waiting_for_interaction":
                return self.run_id, answer
            answer = await self._decide(answer)
        raise AssertionError(f"{self.run_id} does not end: {answer.text}")

    async def _start(self, program: Program) -> Answer:
        """Over MCP, where a lost answer means beginning again, or over REST with a key, where it does not."""
        keyed = self.random.random() < 0.5
        for _ in range(MOST_STEPS):
            self.replica = self.random.randrange(SIZE)
            if self._gate is not None and not self._gate.arrived.is_set():
                operation, number = self._threatened
                self._fleet.api.hold(operation, self.run_id, number, self._gate)
            code = program.code(self.run_id)
            try:
                if not keyed:
                    return await self._caller.execute(code, self.replica)
                answer = await self._caller.run(code, f"{self._name}-{id(self)}", self.replica)
                if answer.status_code == 200:
                    return Answer({"structuredContent": answer.json()})
                assert answer.status_code in (502, 503), answer.text
                self._figures.counts["asked again with the same key"] += 1
            except Unanswered:
                self._figures.counts["begun again"] += 1
                self._began += 1
        raise AssertionError(f"{self.run_id}: nobody begins it")

    async def _decide(self, answer: Answer) -> Answer:
        question = self.random.choice(answer.structured["interactions"])
        args = question["args"]
        number = (json.loads(args) if isinstance(args, str) else args)["n"]
        operation = question["address"].rsplit(".", 1)[1]
        said: JsonObject = {"action": "decline" if declined(int(number)) else "accept"}
        if question["kind"] == "outcome_unknown":
            self._figures.counts["settled by a person"] += 1
            arrived = self._fleet.api.arrived(operation, self.run_id, number)
            done = {"outcome": "done", "data": reply(operation, number)}
            said = {"action": "accept", "content": done if arrived else {"outcome": "retry"}}
        for _ in range(MOST_STEPS):
            self.replica = self.random.randrange(SIZE)
            self._figures.counts["steps"] += 1
            try:
                return await self._caller.resume(
                    answer.structured["executionId"],
                    interactionId=question["id"],
                    replica=self.replica,
                    **said,
                )
            except Unanswered:
                self._figures.counts["steps repeated"] += 1
        raise AssertionError(f"{self.run_id}: nobody answers")


def outcome(answer: Answer) -> tuple[str, Any, str | None]:
    """What two runs of the same program have in common."""
    found = answer.structured
    return found["status"], found.get("result"), (found.get("errorDetails") or {}).get("name")
