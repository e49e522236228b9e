"""Forms that no page of ours renders."""

from __future__ import annotations

import pytest

from proxy.executions import ExecutionView
from proxy.serving.pages.views import answers_of
from proxy.serving.pages.guard import Form
from proxy.serving.pages.guard import Problem
from tests.proxy.serving.pages.support import asked
from tests.proxy.serving.pages.test_presenting import view


def forms() -> ExecutionView:
    return view(*asked("a", "b", kind="form", requested_schema={"properties": {}}))


@pytest.mark.parametrize(
    "form",
    [
        {"action": ("accept",)},
        {"question": ("int_1",)},
        {"question": ("int_1",), "action": ("approve",)},
        {"question": ("int_1", "int_2"), "action": ("accept",)},
    ],
)
def test_they_are_refused(form: Form) -> None:
    with pytest.raises(Problem):
        answers_of(form, forms())


def test_fields_of_a_form_cannot_pass_for_ours() -> None:
    schema = {"properties": {"action": {"type": "string"}}}
    shown = view(*asked("a", kind="form", requested_schema=schema))
    said = answers_of({"question": ("int_1",), "action": ("accept",), "field.action": ("decline",)}, shown)
    assert said.decisions["int_1"].action == "accept"
    assert dict(said.decisions["int_1"].content) == {"action": "decline"}
