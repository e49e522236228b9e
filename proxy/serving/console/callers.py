"""Whom a page judges for: the person who reads it, or, for operators, somebody whom they describe."""

from __future__ import annotations

from dataclasses import replace

from proxy.principal import Principal
from proxy.serving.console.frame import Visit
from proxy.serving.pages.guard import PageProblem

HELP = "key=ID, user=NAME, group=NAME, joined by commas; empty: yourself"


def chosen_caller(visit: Visit, text: str) -> Principal:
    """The caller that `text` describes, in this person's workspace; without text this person. Raises `PageProblem`."""
    text = text.strip()
    if not text:
        return visit.principal
    if not visit.is_operator:
        raise PageProblem(403, "For operators only", "Only operators see what others may do.")
    try:
        principal, workspace = visit.gateway.history.written_caller(text)
    except ValueError as error:
        raise PageProblem(400, "No such caller", f"{error}. Write {HELP}.") from None
    if workspace not in (None, visit.principal.workspace_id):
        text = f"You are signed in to the workspace {visit.principal.workspace_id}; sign in to another one to see it."
        raise PageProblem(400, "Another workspace", text)
    return replace(principal, workspace_id=visit.principal.workspace_id)
