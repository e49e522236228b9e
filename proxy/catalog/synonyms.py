"""Synonyms: what people say, and the words that interface descriptions use for it.

Three read-only tables. They hold general English and general web-API vocabulary, not the names of any one
product.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

# Words that carry no meaning in a request. They are dropped from queries unless nothing else is left.
STOP_WORDS = frozenset(
    """
    a an the of to for in on at by with from into and or is are be was do does did i it its this that
    these those have has had can could would should will please how what which there some any all as if
    me we you your our us want need let so up out using use via per about
    """.split()
)

# Phrases are replaced before the query is cut into words; the longest match wins.
PHRASES: Mapping[tuple[str, ...], tuple[str, ...]] = MappingProxyType(
    {
        ("who", "am", "i"): ("authenticated", "user"),
        ("whoami",): ("authenticated", "user"),
        ("my", "profile"): ("authenticated", "user"),
        ("my", "account"): ("authenticated", "user"),
        ("about", "me"): ("authenticated", "user"),
        ("current", "user"): ("authenticated", "user"),
        ("logged", "in", "user"): ("authenticated", "user"),
        ("do", "i", "have"): ("my",),
        ("turn", "on"): ("enable",),
        ("turn", "off"): ("disable",),
        ("switch", "on"): ("enable",),
        ("switch", "off"): ("disable",),
        ("set", "up"): ("create",),
        ("get", "rid", "of"): ("delete",),
        ("sign", "in"): ("login",),
        ("log", "in"): ("login",),
        ("look", "up"): ("get",),
        ("how", "many"): ("count",),
        ("pr",): ("pull", "request"),
        ("prs",): ("pull", "request"),
        ("mr",): ("merge", "request"),
        ("mrs",): ("merge", "request"),
        ("readme", "file"): ("readme",),
    }
)

# Word -> words that mean much the same, with how much of a hit each is worth.
ALTERNATIVES: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        "add": {"create": 0.8, "new": 0.4, "insert": 0.6},
        "create": {"add": 0.8, "new": 0.5, "insert": 0.6},
        "new": {"create": 0.8, "add": 0.7},
        "make": {"create": 0.9, "add": 0.6},
        "open": {"create": 0.8},
        "start": {"create": 0.5, "run": 0.5, "begin": 0.8, "launch": 0.8},
        "submit": {"create": 0.7, "send": 0.6},
        "post": {"create": 0.8, "send": 0.6},
        "publish": {"create": 0.8},
        "register": {"create": 0.8, "add": 0.6},
        "save": {"create": 0.6, "update": 0.6, "put": 0.5},
        "upload": {"create": 0.4, "put": 0.4},
        "write": {"create": 0.6, "update": 0.6},
        "send": {"create": 0.6, "post": 0.6},
        "trigger": {"dispatch": 0.8, "run": 0.6, "create": 0.5},
        "invite": {"add": 0.7, "invitation": 0.9},
        "delete": {"remove": 0.8, "destroy": 0.8},
        "remove": {"delete": 0.8, "destroy": 0.7},
        "destroy": {"delete": 0.9, "remove": 0.8},
        "erase": {"delete": 0.9, "remove": 0.8},
        "drop": {"delete": 0.8, "remove": 0.8},
        "list": {"get": 0.4, "search": 0.3, "all": 0.2},
        "get": {"list": 0.4, "fetch": 0.7, "read": 0.6, "retrieve": 0.8},
        "fetch": {"get": 0.9, "list": 0.5, "download": 0.5, "retrieve": 0.8},
        "show": {"get": 0.9, "list": 0.7},
        "see": {"get": 0.8, "list": 0.7},
        "view": {"get": 0.9, "list": 0.7},
        "read": {"get": 0.9, "list": 0.4},
        "retrieve": {"get": 0.9, "list": 0.6},
        "check": {"get": 0.7, "list": 0.4},
        "display": {"get": 0.9, "list": 0.7},
        "find": {"search": 0.9, "list": 0.5, "get": 0.5},
        "search": {"find": 0.8, "query": 0.6, "list": 0.3},
        "lookup": {"get": 0.9, "search": 0.7},
        "download": {"get": 0.7},
        "export": {"download": 0.6, "get": 0.4},
        "count": {"total": 0.6, "list": 0.4, "number": 0.5},
        "update": {"edit": 0.8, "set": 0.5, "patch": 0.7, "modify": 0.8, "change": 0.7},
        "edit": {"update": 0.9, "modify": 0.8},
        "change": {"update": 0.9, "set": 0.6, "edit": 0.7},
        "modify": {"update": 0.9, "edit": 0.8},
        "set": {"update": 0.7, "create": 0.6, "put": 0.5},
        "close": {"update": 0.6, "state": 0.3},
        "reopen": {"update": 0.6, "state": 0.3},
        "rename": {"update": 0.5, "name": 0.3},
        "move": {"update": 0.5, "transfer": 0.6},
        "mark": {"set": 0.6, "update": 0.5},
        "enable": {"update": 0.5, "activate": 0.7, "set": 0.4},
        "disable": {"update": 0.4, "deactivate": 0.7, "delete": 0.4, "remove": 0.3},
        "cancel": {"stop": 0.7, "abort": 0.7},
        "stop": {"cancel": 0.8, "abort": 0.6},
        "rerun": {"retry": 0.7, "re": 0.4, "run": 0.5},
        "retry": {"rerun": 0.7, "redeliver": 0.6},
        "assign": {"assignee": 0.8, "add": 0.4},
        "approve": {"review": 0.7, "approval": 0.9},
        "my": {"authenticated": 1.0, "me": 0.8, "own": 0.5},
        "mine": {"authenticated": 1.0, "me": 0.8},
        "left": {"limit": 0.7, "remaining": 0.9},
        "quota": {"limit": 0.8, "usage": 0.7},
        "repo": {"repository": 1.0},
        "repository": {"repo": 1.0},
        "org": {"organization": 1.0},
        "organization": {"org": 1.0},
        "organisation": {"organization": 1.0, "org": 1.0},
        "favorite": {"star": 0.9},
        "favourite": {"star": 0.9},
        "bookmark": {"star": 0.7},
        "person": {"user": 0.8, "member": 0.6},
        "people": {"user": 0.8, "member": 0.7},
        "someone": {"user": 0.5, "member": 0.4},
        "account": {"user": 0.6},
        "customer": {"client": 0.5, "user": 0.4},
        "member": {"membership": 0.8, "user": 0.4},
        "ticket": {"issue": 0.8},
        "bug": {"issue": 0.8},
        "message": {"comment": 0.4, "mail": 0.4},
        "conversation": {"issue": 0.5, "discussion": 0.6, "thread": 0.6},
        "reply": {"comment": 0.6, "create": 0.3},
        "react": {"reaction": 1.0},
        "picture": {"image": 0.9, "avatar": 0.6, "photo": 0.9},
        "photo": {"image": 0.9, "picture": 0.9},
        "file": {"content": 0.7, "document": 0.4},
        "folder": {"directory": 0.9, "content": 0.4},
        "directory": {"folder": 0.8, "content": 0.4},
        "text": {"content": 0.5, "body": 0.5},
        "diff": {"compare": 0.8},
        "history": {"commit": 0.5, "log": 0.6, "event": 0.5},
        "log": {"event": 0.3, "audit": 0.3},
        "pipeline": {"workflow": 0.7, "run": 0.4},
        "build": {"workflow": 0.5, "run": 0.4},
        "job": {"task": 0.5, "run": 0.4},
        "ci": {"workflow": 0.7, "check": 0.6},
        "webhook": {"hook": 1.0},
        "hook": {"webhook": 1.0},
        "password": {"secret": 0.5, "credential": 0.6},
        "env": {"environment": 1.0, "variable": 0.6},
        "config": {"configuration": 1.0, "setting": 0.7},
        "setting": {"configuration": 0.6, "config": 0.6, "preference": 0.6},
        "permission": {"access": 0.6, "role": 0.5},
        "price": {"cost": 0.7, "billing": 0.4},
        "bill": {"invoice": 0.8, "billing": 0.9},
        "pay": {"payment": 0.9, "charge": 0.6},
        "purchase": {"order": 0.7, "buy": 0.9},
        "latest": {"last": 0.7, "recent": 0.7},
        "newest": {"latest": 0.9},
        "recent": {"latest": 0.7},
        "single": {"get": 0.3},
    }
)

READ_VERBS = frozenset(
    """
    list get fetch show see view read retrieve check display find search lookup download export count
    what which who compare
    """.split()
)
DELETE_VERBS = frozenset("delete remove destroy erase drop".split())
WRITE_VERBS = frozenset(
    """
    add create new make open start submit post publish register save upload write send trigger invite
    update edit change modify set close reopen rename move mark enable disable cancel rerun retry assign
    approve merge lock follow star fork transfer upload request
    """.split()
)
