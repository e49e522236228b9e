"""Verbs: the kind of operation that a request asks for, by the word it is asked in."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from proxy.catalog.actions import ACT, CREATE, DELETE, GET, LIST, UPDATE

READ_VERBS = frozenset(
    """
    check compare count display download export fetch find get list lookup read retrieve search see show
    view what which who
    """.split()
)
DELETE_VERBS = frozenset(
    """
    delete destroy discard drop erase expel forget kick leave remove revoke trash unassign undo unfollow unstar
    unsubscribe wipe
    """.split()
)
# Verbs of the customary actions: it says little where one of them is written.
GENERIC_VERBS = frozenset(
    """
    add all change count create delete destroy display do drop edit erase fetch find get give keep let list lookup make
    modify move new open put read register remove retrieve run save see set show start store submit take update use
    view what which who write
    """.split()
)
# Nouns that are verbs when a request starts with them: "comment on an issue", "star a repository".
NOUN_VERBS = frozenset(
    """
    archive ban block comment deploy fork label link mention pin ping queue react reply request review
    schedule star subscribe tag test
    """.split()
)
WRITE_VERBS = frozenset(
    """
    activate add allow approve assign attach cancel change clone close copy create deactivate disable
    edit enable execute follow fork give grant hide invite join launch lock make mark merge modify move
    new open pause post promote publish register rename reopen replace request rerun reset resolve
    resume retry revert save send set star start store submit suspend sync toggle transfer trigger unarchive
    update upload write
    """.split()
)


def _actions() -> Mapping[str, Mapping[str, float]]:
    """What a verb asks an operation to do, as `proxy.catalog.actions` says it of method and path."""
    out: dict[str, dict[str, float]] = {}
    for word in WRITE_VERBS | NOUN_VERBS:
        out[word] = {ACT: 0.6, UPDATE: 0.6, CREATE: 0.5}
    for verb in _CREATING:
        out[verb] = {CREATE: 1.0, ACT: 0.3}
    for word in _CHANGING:
        out[word] = {UPDATE: 1.0, ACT: 0.5}
    for word in READ_VERBS:
        out[word] = {GET: 0.8, LIST: 0.8}
    for word in _LISTING:
        out[word] = {LIST: 1.0, GET: 0.5}
    for word in ("get", "read", "show", "display", "lookup"):
        out[word] = {GET: 1.0, LIST: 0.8}
    for word in DELETE_VERBS:
        out[word] = {DELETE: 1.0, ACT: 0.3}
    for word in ("cancel", "stop", "end"):
        out[word] = {ACT: 1.0, DELETE: 0.8, UPDATE: 0.5}
    out["put"] = {CREATE: 1.0, UPDATE: 1.0, ACT: 0.5}
    return MappingProxyType({word: MappingProxyType(worths) for word, worths in out.items()})


_CREATING = """
    add create give grant invite issue launch make new open post publish put register save schedule send
    store submit take upload
""".split()
_CHANGING = """
    activate allow change close deactivate disable edit enable grow lock mark modify move pause reboot
    rename replace reset resize restart resume scale set suspend toggle transfer update
""".split()
_LISTING = "list find search all what which who count".split()
ACTIONS = _actions()
