"""Whom a question is passed on to, and what it does to the call's deadline."""

from __future__ import annotations

import asyncio

from integrations.conversation import Conversation, ElicitationAnswer, ElicitationRequest
from integrations.mcp.asking import Switchboard
from tests.integrations.mcp.running import PATIENCE

QUESTION = ElicitationRequest("who?", schema={"type": "object"})


def answering(party: str, said: str) -> Conversation:
    async def ask(question: ElicitationRequest) -> ElicitationAnswer:
        assert question is QUESTION
        return ElicitationAnswer("accept", {"said": said})

    return Conversation(party, ask=ask)


def said(answer: ElicitationAnswer | None) -> object:
    return answer.content if answer is not None else None


async def test_the_only_call_is_asked() -> None:
    board = Switchboard()
    async with asyncio.timeout(PATIENCE) as limit:
        with board.call(answering("a", "yes"), limit):
            assert said(await board.ask(QUESTION)) == {"said": "yes"}
        assert await board.ask(QUESTION) is None, "no call is under way"


async def test_one_partys_question_never_reaches_another() -> None:
    board = Switchboard()
    async with asyncio.timeout(PATIENCE) as limit:
        with board.call(answering("a", "mine"), limit):
            with board.call(answering("b", "yours"), limit):
                assert await board.ask(QUESTION) is None
            with board.call(None, limit):
                assert await board.ask(QUESTION) is None, "a call that nobody listens to may be meant too"
            with board.call(answering("a", "also mine"), limit):
                assert said(await board.ask(QUESTION)) == {"said": "mine"}


async def test_two_questions_of_one_party_go_to_two_calls() -> None:
    board, both = Switchboard(), asyncio.Barrier(2)

    def meeting(name: str) -> Conversation:
        async def ask(question: ElicitationRequest) -> ElicitationAnswer:
            await both.wait()
            return ElicitationAnswer("accept", {"said": name})

        return Conversation("a", ask=ask)

    async with asyncio.timeout(PATIENCE) as limit:
        with board.call(meeting("first"), limit), board.call(meeting("second"), limit):
            answers = await asyncio.gather(board.ask(QUESTION), board.ask(QUESTION))
    assert [said(one) for one in answers] == [{"said": "first"}, {"said": "second"}]


async def test_the_deadline_stands_still_while_somebody_is_asked() -> None:
    board = Switchboard()
    seen: list[float | None] = []
    async with asyncio.timeout(PATIENCE) as limit:
        before = limit.when()

        async def ask(question: ElicitationRequest) -> ElicitationAnswer:
            seen.append(limit.when())
            return ElicitationAnswer("cancel")

        with board.call(Conversation("a", ask=ask), limit):
            await board.ask(QUESTION)
        assert seen == [None]
        assert before is not None
        assert (limit.when() or 0.0) >= before


async def test_an_answer_that_comes_after_the_call_leaves_its_deadline_alone() -> None:
    board, asked, over = Switchboard(), asyncio.Event(), asyncio.Event()

    async def ask(question: ElicitationRequest) -> ElicitationAnswer:
        asked.set()
        await over.wait()
        return ElicitationAnswer("cancel")

    async with asyncio.TaskGroup() as group:
        async with asyncio.timeout(PATIENCE) as limit:
            with board.call(Conversation("a", ask=ask), limit):
                answer = group.create_task(board.ask(QUESTION))
                await asked.wait()
        over.set()
        assert await answer == ElicitationAnswer("cancel")
