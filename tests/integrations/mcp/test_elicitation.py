"""Which caller a question is passed on to, and how it affects the deadline of the call."""

from __future__ import annotations

import asyncio

from integrations.conversation import Conversation, ElicitationAnswer, ElicitationRequest
from integrations.mcp.elicitation import ElicitationRouter
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
    router = ElicitationRouter()
    async with asyncio.timeout(PATIENCE) as limit:
        with router.call(answering("a", "yes"), limit):
            assert said(await router.ask(QUESTION)) == {"said": "yes"}
        assert await router.ask(QUESTION) is None, "no call is under way"


async def test_one_partys_question_never_reaches_another() -> None:
    router = ElicitationRouter()
    async with asyncio.timeout(PATIENCE) as limit:
        with router.call(answering("a", "mine"), limit):
            with router.call(answering("b", "yours"), limit):
                assert await router.ask(QUESTION) is None
            with router.call(None, limit):
                assert await router.ask(QUESTION) is None, (
                    "the question may belong to the call that cannot be asked"
                )
            with router.call(answering("a", "also mine"), limit):
                assert said(await router.ask(QUESTION)) == {"said": "mine"}


async def test_two_questions_of_one_party_go_to_two_calls() -> None:
    router, both = ElicitationRouter(), asyncio.Barrier(2)

    def meeting(name: str) -> Conversation:
        async def ask(question: ElicitationRequest) -> ElicitationAnswer:
            await both.wait()
            return ElicitationAnswer("accept", {"said": name})

        return Conversation("a", ask=ask)

    async with asyncio.timeout(PATIENCE) as limit:
        with router.call(meeting("first"), limit), router.call(meeting("second"), limit):
            answers = await asyncio.gather(router.ask(QUESTION), router.ask(QUESTION))
    assert [said(one) for one in answers] == [{"said": "first"}, {"said": "second"}]


async def test_the_deadline_is_suspended_while_somebody_is_asked() -> None:
    router = ElicitationRouter()
    seen: list[float | None] = []
    async with asyncio.timeout(PATIENCE) as limit:
        before = limit.when()

        async def ask(question: ElicitationRequest) -> ElicitationAnswer:
            seen.append(limit.when())
            return ElicitationAnswer("cancel")

        with router.call(Conversation("a", ask=ask), limit):
            await router.ask(QUESTION)
        assert seen == [None]
        assert before is not None
        assert (limit.when() or 0.0) >= before


async def test_an_answer_that_comes_after_the_call_leaves_its_deadline_alone() -> None:
    router, asked, over = ElicitationRouter(), asyncio.Event(), asyncio.Event()

    async def ask(question: ElicitationRequest) -> ElicitationAnswer:
        asked.set()
        await over.wait()
        return ElicitationAnswer("cancel")

    async with asyncio.TaskGroup() as group:
        async with asyncio.timeout(PATIENCE) as limit:
            with router.call(Conversation("a", ask=ask), limit):
                answer = group.create_task(router.ask(QUESTION))
                await asked.wait()
        over.set()
        assert await answer == ElicitationAnswer("cancel")
