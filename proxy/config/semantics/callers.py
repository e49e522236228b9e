"""Who can call at all: names in rules and roles that no caller of this config can ever have."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from proxy.config.callers import LOCAL_ACCOUNT, AuthConfig, is_short_user
from proxy.config.suggestions import nearest_name

_NO_AUTH: Final = "without an `auth` section every caller is `user:local`"


def absent(auth: AuthConfig | None, principal: str) -> tuple[str, str] | None:
    """Why no caller is this principal, and the remedy; None when one may be.

    Tokens and signed keys name users and groups that no file knows, so with either everybody is possible.
    """
    if auth is None:
        here = principal in ("anonymous", f"user:{LOCAL_ACCOUNT}")
        return None if here else (_NO_AUTH, "add `auth`, or remove it")
    keys = auth.api_keys
    issuers = auth.issuers()
    if len(issuers) > 1 and is_short_user(principal):
        name = f"user:{issuers[0]}#{principal.removeprefix('user:')}"
        return ("there are several issuers, and each could have such a user", f"write for example {name}")
    if issuers or (keys is not None and keys.signing is not None):
        return None
    word, _, name = principal.partition(":")
    declared = keys.keys if keys is not None else {}
    if principal == "anonymous":
        return None if auth.anonymous else ("`auth.anonymous` is off", "write anonymous: true, or remove it")
    if word == "user":
        if name == LOCAL_ACCOUNT:
            return None
        return ("without `auth.oauth` nobody signs in as a user", "name a key: key:ID")
    known = declared if word == "key" else {group for key in declared.values() for group in key.groups}
    if name in known:
        return None
    what = "there is no such key" if word == "key" else "no key is in this group"
    return what, _remedy(word, name, sorted(known))


def _remedy(word: str, name: str, known: Iterable[str]) -> str:
    names = list(known)
    likely = nearest_name(name, names)
    if likely:
        return f"did you mean `{word}:{likely}`?"
    if names:
        return f"known: {', '.join(f'{word}:{one}' for one in names[:8])}"
    return "see auth.api_keys.keys" if word == "key" else "give a key `groups: [...]`"
