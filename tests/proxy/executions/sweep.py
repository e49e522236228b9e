"""Random programs, run with pauses at random points and replayed on fresh workers. Shared by the test and the bench.

A program is made of waits on calls: some need approval, some do not, some fail; in `Promise.all`, `race`, `any` and
`allSettled`, in loops, beside timers, inside try/catch, awaited or not. What it sees - outcomes in their order, the
clock, random numbers, the order of Map and Set - is its result. Whatever is decided, in whatever portions:

- every replay asks for the same calls, else the execution fails with `ReplayDiverged`;
- every call that writes arrives at most once, a declined one never, an approved one exactly once;
- so it is when the process that drives leaves at any arrival of a call, and another goes on;
- the whole journal, replayed once more, gives the same result and the same logs.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any

from integrations.base import JsonObject, Result, Success
from policies import Rule
from proxy.calls import Calls
from proxy.executions import ExecutionRequest, ExecutionResult, Executions, InteractionDecision
from proxy.executions.machine.journal import StartRecord, decode, past_of
from proxy.sandbox import Done, PoolOptions, SandboxLimits, StartMessage
from proxy.state import MemoryState, Owner
from tests.proxy.executions.world import ALICE, World, shelf, world

RULES = (Rule("ask", "demo.org.main.things.create", "require_approval"),)
HEAD = """const {get, list, create} = tools.demo.org.main.things;
const seen = []; const note = (x) => { seen.push(x); console.log(typeof x, seen.length); };
const word = (r) => r.ok ? r.data.n : r.error.code;
const attempt = async (p) => { try { note(word(await p)); } catch (e) { note(e.name); } note(Date.now()); };
"""
TAIL = "\nreturn {seen, end: [Date.now(), Math.random(), performance.now(), crypto.randomUUID()]};"


class Programs:
    """Writes programs. Every call in one has its own number, so that whoever counts arrivals can tell them apart."""

    def __init__(self, source: random.Random) -> None:
        self._random = source
        self._calls = 0

    def program(self) -> str:
        """One program."""
        self._calls = 0
        lines = [self._statement(2) for _ in range(self._random.randint(1, 4))]
        return HEAD + "\n".join(lines) + TAIL

    def _call(self) -> str:
        self._calls += 1
        name = self._random.choice(("get", "list", "create", "create"))
        return f"{name}({{n: {self._calls}}})"

    def _calls_listed(self) -> str:
        return ", ".join(self._call() for _ in range(self._random.randint(1, 4)))

    def _statement(self, depth: int) -> str:
        kinds = [
            self._one,
            self._together,
            self._first,
            self._settled,
            self._forgotten,
            self._mapped,
            self._timer,
        ]
        if depth:
            kinds += [self._loop, self._branches]
        return self._random.choice(kinds)(depth)

    def _one(self, depth: int) -> str:
        if self._random.random() < 0.2:
            return f"note(word(await {self._call()}));"
        return f"await attempt({self._call()});"

    def _together(self, depth: int) -> str:
        calls = self._calls_listed()
        return f"await attempt(Promise.all([{calls}]).then((all) => all[all.length - 1]));"

    def _first(self, depth: int) -> str:
        how = self._random.choice(("race", "any"))
        rest = f", sleep({self._random.randint(0, 3)}).then(() => ({{ok: true, data: {{n: 'slept'}}}}))"
        return f"await attempt(Promise.{how}([{self._calls_listed()}{self._random.choice(('', rest))}]));"

    def _settled(self, depth: int) -> str:
        return f"for (const s of await Promise.allSettled([{self._calls_listed()}])) note(s.status);"

    def _forgotten(self, depth: int) -> str:
        return f"{self._call()}.then((r) => note(word(r)), (e) => note(e.name));"

    def _mapped(self, depth: int) -> str:
        return (
            f"{{ const m = new Map(), s = new Set(); await Promise.all([{self._calls_listed()}].map(async (p, i) => {{"
            " try { m.set(i, word(await p)); } catch (e) { s.add(e.name + i); } note(Math.random()); }));"
            " for (const [k, v] of m) note([k, v]); for (const v of s) note(v); }"
        )

    def _timer(self, depth: int) -> str:
        first, second = self._random.randint(0, 2), self._random.randint(0, 2)
        return f"setTimeout(() => note(Date.now()), {first}); await sleep({second});"

    def _loop(self, depth: int) -> str:
        self._calls += 1
        start, self._calls = self._calls * 100, self._calls + 1
        call = f"{self._random.choice(('get', 'create'))}({{n: {start} + i}})"
        times = self._random.randint(1, 3)
        return f"for (let i = 0; i < {times}; i++) await attempt({call});"

    def _branches(self, depth: int) -> str:
        inner = "\n".join(f"(async () => {{ {self._statement(depth - 1)} }})()," for _ in range(2))
        return f"await Promise.all([{inner}]);"


class Keeping(MemoryState):
    """A store that hands out the journal of the last execution before it drops it, and outlives who drives."""

    last: tuple[bytes, ...] = ()

    @property
    def durable(self) -> bool:
        return True

    async def drop_journal(self, execution_id: str, owner: Owner, *, written: bool = True) -> None:
        self.last = await self.read_journal(execution_id, owner)
        await super().drop_journal(execution_id, owner, written=written)


@dataclass
class Figures:
    """What a sweep did."""

    cases: int = 0
    pauses: int = 0
    resumes: int = 0
    calls: int = 0
    declined: int = 0
    uncaught: int = 0
    replayed: int = 0
    handed_over: int = 0
    problems: list[str] = field(default_factory=list)


@dataclass
class Parting:
    """When the process that drives leaves: at the arrival of so many more calls, or never."""

    arrivals: int | None = None
    due: asyncio.Event = field(default_factory=asyncio.Event)

    def arrived(self) -> None:
        if self.arrivals is not None:
            self.arrivals -= 1
            if self.arrivals < 0:
                self.due.set()


class Sweep:
    """Runs cases one after the other in one world."""

    def __init__(self, running: World, state: Keeping, parting: Parting, seed: int) -> None:
        self._world = running
        self._state = state
        self._parting = parting
        self._executions = self._another()
        self._random = random.Random(seed)
        self._programs = Programs(self._random)
        self.figures = Figures()

    async def case(self) -> None:
        """One program from its start to its end, with all its pauses, and the whole once more."""
        code = self._programs.program()
        upstream, figures = self._world.upstream, self.figures
        upstream.sent.clear()
        accepted: Counter[str] = Counter()
        begun = self._executions.execute(ExecutionRequest(code), ALICE, self._world.observer)
        result = await self._driven(begun)
        while result.waiting or result.status == "running":
            if result.waiting:
                figures.pauses += 1
                result = await self._decided(result, accepted)
            else:
                figures.handed_over += 1
                result = await self._driven(self._executions.wait(result.execution_id, ALICE, 0))
        figures.cases += 1
        figures.calls += len(upstream.sent)
        figures.uncaught += result.status == "failed"
        if result.error is not None and result.error.name != "ToolApprovalDeclinedError":
            figures.problems.append(f"{result.text()}\n{code}")
        arrived = Counter(f"{name} {args['n']}" for name, args in upstream.sent)
        twice = [name for name, count in arrived.items() if count > 1 and "create" in name]
        created = Counter({name: n for name, n in arrived.items() if "create" in name})
        if twice or (created != accepted and result.error is None):
            figures.problems.append(f"sent twice {twice}; sent {created}, approved {accepted}\n{code}")
        await self._once_more(result, code)

    def _another(self) -> Executions:
        """Another process, as far as executions can tell."""
        world = self._world
        return Executions(world.pool, Calls(world.live, self._state), world.live, self._state)

    async def _driven(self, work: Awaitable[ExecutionResult]) -> ExecutionResult:
        """To the next result; some processes leave before."""
        leaves = self._random.random() < 0.3
        self._parting.due.clear()
        self._parting.arrivals = self._random.randrange(6) if leaves else None
        async with asyncio.TaskGroup() as group:
            leaving = group.create_task(self._leave())
            result = await work
            if not self._parting.due.is_set():
                leaving.cancel()
        if self._parting.due.is_set():
            self._executions = self._another()
        return result

    async def _leave(self) -> None:
        await self._parting.due.wait()
        assert await self._executions.hand_over() == 0

    async def _decided(self, result: ExecutionResult, accepted: Counter[str]) -> ExecutionResult:
        """Decide about some of what waits, at least about one, and go on."""
        waiting = list(result.interactions)
        some = self._random.sample(waiting, self._random.randint(1, len(waiting)))
        decisions = {}
        for one in some:
            action = self._random.choice(("accept", "accept", "decline"))
            decisions[one.id] = InteractionDecision(action)  # type: ignore[arg-type]
            self.figures.declined += action == "decline"
            if action == "accept":
                accepted[f"things.create {_number(one.args)}"] += len(one.seqs)
        executions = self._executions
        await executions.decide(result.execution_id, decisions, ALICE, "rest")
        self.figures.resumes += 1
        return await self._driven(executions.wait(result.execution_id, ALICE, 0))

    async def _once_more(self, result: ExecutionResult, code: str) -> None:
        records = [decode(line) for line in self._state.last]
        past = past_of(records)
        done, logs = await replayed(self._world, past.start, list(past.deliveries))
        self.figures.replayed += 1
        value = done.value if done.ok else done.error and done.error.name
        expected = result.result if result.error is None else result.error.name
        if value != expected or tuple(logs) != result.logs:
            self.figures.problems.append(f"was {expected}\nnow {value}\n{code}")


def _number(args: str) -> str:
    return args.partition(":")[2].strip(" \n}")


async def replayed(
    running: World, start: StartRecord, given: list[Any]
) -> tuple[Done, list[tuple[str, str]]]:
    """What a fresh worker says when it is given all of a journal at once."""
    limits = SandboxLimits(
        start.calls, start.calls, start.log_bytes, start.emit_bytes, start.argument_bytes, start.result_bytes
    )
    logs: list[tuple[str, str]] = []
    async with running.pool.worker("ws", 20) as worker:
        await worker.start(StartMessage(start.code, start.seed, start.now, limits))
        message = await worker.receive()
        logs += message.logs
        if not isinstance(message, Done):
            await worker.deliver(given)
            message = await worker.receive()
            logs += message.logs
        assert isinstance(message, Done), message
        return message, logs


async def sweep(cases: int, seed: int) -> Figures:
    """Run so many cases."""
    source = random.Random(seed)
    parting = Parting()

    async def uneven(arguments: JsonObject) -> Result:
        parting.arrived()
        for _ in range(source.randrange(5)):
            await asyncio.sleep(0)
        return Success(arguments)

    upstream = shelf(get=uneven, list=uneven, create=uneven)
    state = Keeping()
    options = PoolOptions(workers=2, memory_bytes=256 * 1024 * 1024, reuse="workspace")
    async with world(upstream, RULES, state=state, pool_options=options) as running:
        swept = Sweep(running, state, parting, seed)
        for _ in range(cases):
            await swept.case()
            if swept.figures.problems:
                break
        return swept.figures
