"""The list of all that waits: filters, the code that asks, decisions about one question or all of them (T12)."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.executions import ExecutionView, InteractionDecision, Pending
from proxy.serving.pages.guard import PageProblem
from proxy.serving.pages.inbox import QUESTIONS_SHOWN, InboxFilter, decisions_of, inbox
from tests.proxy.serving.board import question
from tests.proxy.serving.pages.support import asked, site

CODE = "const one = 1;\nconst two = 2;\nconst three = 3;\nawait tools.demo.org.main.write({text: 'x'});\nreturn 5;\n"
NOW = 1_800_000_000_000.0


def pending(number: int, account: str = "key:bob", **more: Any) -> Pending:
    return Pending(f"exec_{number}", account, "ws_one", None, NOW, question("x", number, **more))


def view(number: int) -> ExecutionView:
    asks = question("x", number)
    return ExecutionView(
        f"exec_{number}", "waiting_for_interaction", "ws_one", "key:bob", None, "model", NOW, NOW, "sha",
        interactions=(asks,), code=CODE,
    )  # fmt: skip


def test_the_lines_around_the_one_that_asks() -> None:
    made = inbox(
        [pending(1)], InboxFilter(), {"exec_1": view(1)}, account="key:bob", approver=False, now_ms=NOW
    )
    lines = made.groups[0].questions[0].lines
    assert [(one.number, one.asks) for one in lines] == [
        (2, False),
        (3, False),
        (4, True),
        (5, False),
    ]


def test_what_somebody_else_must_approve_can_only_be_denied() -> None:
    both = [pending(1, approver="human"), pending(2)]
    own = inbox(both, InboxFilter(), {}, account="key:bob", approver=True, now_ms=NOW)
    assert (own.approvable, own.deniable) == (("exec_2/int_2",), ("exec_1/int_1", "exec_2/int_2"))
    other = inbox(both, InboxFilter(), {}, account="key:boss", approver=True, now_ms=NOW)
    assert len(other.approvable) == 2


def test_a_filter_says_what_it_hides() -> None:
    both = [pending(1), pending(2, "key:ann")]
    made = inbox(both, InboxFilter(account="key:ann"), {}, account="key:boss", approver=True, now_ms=NOW)
    assert ([one.execution_id for one in made.groups], made.hidden) == (["exec_2"], 1)
    made = inbox(both, InboxFilter(tool="nothing"), {}, account="key:boss", approver=True, now_ms=NOW)
    assert (made.groups, made.hidden, made.deniable) == ((), 2, ())


def test_no_form_names_more_than_it_can_hold() -> None:
    many = [pending(number) for number in range(QUESTIONS_SHOWN + 7)]
    made = inbox(many, InboxFilter(), {}, account="key:boss", approver=True, now_ms=NOW)
    assert (len(made.deniable), made.left_out) == (QUESTIONS_SHOWN, 7)


def test_decisions_by_execution() -> None:
    form = {"action": ("decline",), "item": ("exec_1/int_1", "exec_1/int_2", "exec_2/int_1")}
    no = InteractionDecision("decline")
    assert decisions_of(form) == {"exec_1": {"int_1": no, "int_2": no}, "exec_2": {"int_1": no}}


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"action": ("accept",)},
        {"action": ("cancel",), "item": ("exec_1/int_1",)},
        {"action": ("accept",), "item": ("exec_1/*",)},
        {"action": ("accept",), "item": ("exec_1",)},
        {"action": ("accept",), "item": ("/int_1",)},
    ],
)
def test_forms_that_no_page_of_ours_renders(form: dict[str, tuple[str, ...]]) -> None:
    with pytest.raises(PageProblem):
        decisions_of(form)


async def test_one_is_approved_and_the_rest_denied_on_the_list() -> None:
    made = site(*asked("first", "second"))
    async with made.signed_in("bob") as bob:
        page = (await bob.get("/approvals")).text
        assert "Approve all 2" in page
        assert "Deny all 2" in page
        token = await bob.csrf()
        one = {"csrf": token, "action": "accept", "item": "exec_1/int_1"}
        answer = await bob.post("/approvals?account=key%3Abob", one)
        assert (answer.status_code, answer.headers["location"]) == (303, "/approvals?account=key%3Abob")
        await bob.post("/approvals", {"csrf": token, "action": "decline", "item": "exec_1/int_2"})
        assert made.decided() == {"int_1": "accept", "int_2": "decline"}
        assert "Nothing waits" in (await bob.get("/approvals")).text
        again = await bob.post("/approvals", {"csrf": token, "action": "decline", "item": "exec_1/int_1"})
        assert again.status_code == 409
        assert "exec_1: " in again.text


async def test_nobody_decides_with_a_form_of_another_page_or_for_others() -> None:
    made = site(*asked("first"))
    async with made.signed_in("bob") as bob, made.signed_in("eve") as eve:
        form = {"action": "accept", "item": "exec_1/int_1"}
        assert (await bob.post("/approvals", form)).status_code == 403
        assert (
            await bob.post("/approvals", {**form, "csrf": await bob.csrf()}, origin="https://e")
        ).status_code == 403
        assert (
            await eve.post("/approvals", {**form, "csrf": await eve.csrf("/connections")})
        ).status_code == 409
        odd = {**form, "item": "exec 1/int_1", "csrf": await bob.csrf()}
        assert (await bob.post("/approvals", odd)).status_code == 404
        assert made.decided() == {}
